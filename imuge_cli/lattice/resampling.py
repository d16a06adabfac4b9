"""Pictures that were made smaller and brought back to their size, undone as far as that goes.

What such resampling does varies from pixel to pixel, so that no filter undoes it; but it is linear, the same for every
row and for every column, and known as soon as the smaller size and the two interpolations are. The smaller size shows:
interpolated samples are smoother between the places of the old ones than at them, which recurs with the period
of the enlargement (Gallagher 2005, "Detection of linear and cubic interpolation in JPEG compressed images"). The
interpolations are those under whose inverse known phases agree best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.tiles import tiles
from imuge_cli.lattice.transform import BLOCK, analyse

_OPENCV = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
# These filter when they make smaller.
_PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
DOWN = ("area", "bicubic", "lanczos", "bilinear", "linear", "cubic")
UP = ("cubic", "bicubic", "lanczos", "linear")
# What programs do both ways; the first of them settles the size, then every other is tried on either way.
_PAIRS = (("area", "cubic"), ("bicubic", "bicubic"), ("lanczos", "lanczos"), ("linear", "linear"))
# Neighbouring pixels of a photograph correlate so far; noise: of rounding, against the picture's variance.
_CORRELATION = 0.97
_NOISE = 1e-4
# What lies so many pixels away has no say in a pixel.
_REACH = 16
# A trace stands out so many times from the spectrum around it; so many of the largest are looked at.
_STANDS_OUT = 3.0
_LOOKED_AT, _BESIDE_THE_LARGEST = 3, 0.5
# The right size under the wrong interpolations reaches .7 to .9 of what a filter does, a wrong size mostly .4.
_WORTHY = 0.6
_NEIGHBOURS = 15
# Smaller sizes leave too little of the lattice; larger ones leave nearly all of it.
_LEAST_SHARE, _MOST_SHARE = 0.3, 0.95


@dataclass(frozen=True)
class Resampling:
    """height, width: of the smaller picture, pixels. down, up: interpolations, of `DOWN` and `UP`."""

    height: int
    width: int
    down: str
    up: str


def undo_resampling(planes: Tensor, resampling: Resampling) -> Tensor:
    """Planes N x C x H x W (grey levels), as they were before: the linear estimate of least mean square error."""
    mean = planes.mean((-2, -1), keepdim=True)
    rows, columns = (inverse.matrix.to(planes.device) for inverse in _inverses(planes.shape[-2:], resampling))
    result: Tensor = rows @ (planes - mean) @ columns.T + mean
    return result


def resample(planes: Tensor, resampling: Resampling) -> Tensor:
    """Planes N x C x H x W (grey levels) made smaller and brought back, whole grey levels both times."""
    height, width = planes.shape[-2:]
    for size, name in (((resampling.height, resampling.width), resampling.down), ((height, width), resampling.up)):
        rows, columns = (
            _kernel(side, to, name).to(planes.device) for side, to in zip(planes.shape[-2:], size, strict=True)
        )
        planes = planes @ columns.T
        # Pillow writes whole grey levels between its two passes as well.
        planes = rows @ (planes.round().clamp(0, 255) if name in _PILLOW else planes)
        planes = planes.round().clamp(0, 255)
    return planes


def left_open(size: tuple[int, ...], resampling: Resampling) -> tuple[Tensor, Tensor]:
    """What `undo_resampling` cannot know of pictures of that size (height, width): the share of the variance along
    each axis that is left open for each row, and for each column, (0, 1]."""
    rows, columns = _inverses(size, resampling)
    return rows.open, columns.open


def _inverses(size: tuple[int, ...], resampling: Resampling) -> tuple[_Inverse, _Inverse]:
    smaller = resampling.height, resampling.width
    rows, columns = (_whole(side, to, resampling.down, resampling.up) for side, to in zip(size, smaller, strict=True))
    return rows, columns


def fit_resampling(
    plane: Tensor, origin: tuple[int, int], order: Tensor, phases: Tensor, step: float, to_beat: float
) -> tuple[Resampling, float]:
    """The resampling under whose inverse known phases agree best, and the sum of their cosines (see `equalizer.fit`).

    plane: luma of a frame, H x W, grey levels. origin: row and column of its first whole block, pixels. order, phases:
    K x rows x columns, the slots that carry known phases, and these (cells), for each whole block. step: grey levels.
    to_beat: such a sum after what else could be undone; a size that comes nowhere near it is not looked at further.
    """
    tries = _Tries(plane, origin, order, phases, step)
    height, width = plane.shape
    sizes = dict.fromkeys([*traces(plane), (round(height / 2), round(width / 2))])
    first = [tries.scored(Resampling(*size, *_PAIRS[0])) for size in sizes]
    best = max(first, key=_score)
    worthy = [r for r, score in first if score > _WORTHY * to_beat]
    if not worthy:
        return best
    for r in worthy:
        for down, up in _PAIRS[1:]:
            best = max(best, tries.scored(replace(r, down=down, up=up)), key=_score)
    for up in UP:
        best = max(best, tries.scored(replace(best[0], up=up)), key=_score)
    for down in DOWN:
        best = max(best, tries.scored(replace(best[0], down=down)), key=_score)
    return best


def _score(scored: tuple[Resampling, float]) -> float:
    return scored[1]


class _Tries:
    """Tiles of a frame, and what is known of their phases."""

    def __init__(self, plane: Tensor, origin: tuple[int, int], order: Tensor, phases: Tensor, step: float) -> None:
        self._plane, self._step = plane - plane.mean(), step
        parts = tiles(*order.shape[-2:])
        self._order, self._phases = (torch.stack([t[(slice(None), *part)] for part in parts]) for t in (order, phases))
        self._pixels = [
            tuple((at + span.start * BLOCK, at + span.stop * BLOCK) for at, span in zip(origin, part, strict=True))
            for part in parts
        ]

    def scored(self, resampling: Resampling) -> tuple[Resampling, float]:
        """With the sum of the cosines of what the known phases lie off, after the resampling was undone."""
        height, width = self._plane.shape
        rows, columns = (
            {span: _Inverse(side, smaller, resampling, span) for span in spans}
            for side, smaller, spans in (
                (height, resampling.height, {tile[0] for tile in self._pixels}),
                (width, resampling.width, {tile[1] for tile in self._pixels}),
            )
        )
        undone = []
        for vertical, horizontal in self._pixels:
            row, column = rows[vertical], columns[horizontal]
            undone.append(row.matrix @ self._plane[row.used, column.used] @ column.matrix.T)
        coefficients = torch.gather(analyse(torch.stack(undone)[:, None]), 1, self._order)
        off = coefficients / self._step - self._phases
        return resampling, float(torch.cos(2 * torch.pi * off).sum())


class _Inverse:
    """Brings part of an axis back. used: the samples it is told from; matrix: wanted x used; open: for each wanted
    sample, the share of its variance that they leave open."""

    def __init__(self, side: int, smaller: int, resampling: Resampling, wanted: tuple[int, int]) -> None:
        self.used = _widened(slice(*wanted), side)
        around = _widened(self.used, side)
        up, down = _kernel(smaller, side, resampling.up), _kernel(side, smaller, resampling.down)
        # Only the smaller picture's samples near the wanted ones have a say.
        near = slice(
            max(0, (self.used.start - _REACH) * smaller // side), -(-(self.used.stop + _REACH) * smaller // side)
        )
        forward = (up[self.used, near] @ down[near, around]).double()
        arriving = forward @ _covariance(around.stop - around.start)
        of_received = arriving @ forward.T + _NOISE * torch.eye(len(forward), dtype=torch.float64)
        inside = slice(wanted[0] - around.start, wanted[1] - around.start)
        matrix = torch.linalg.solve(of_received, arriving[:, inside]).T
        self.matrix = matrix.float()
        self.open = (1 - (matrix * arriving[:, inside].T).sum(1)).float()


@lru_cache(maxsize=4)
def _whole(side: int, smaller: int, down: str, up: str) -> _Inverse:
    """Of an axis as a whole."""
    return _Inverse(side, smaller, Resampling(smaller, smaller, down, up), (0, side))


def _widened(span: slice, side: int) -> slice:
    return slice(max(0, span.start - _REACH), min(side, span.stop + _REACH))


@lru_cache(maxsize=4)
def _covariance(count: int) -> Tensor:
    """Of so many neighbouring pixels: count x count."""
    place = torch.arange(count, dtype=torch.float64)
    return torch.exp(math.log(_CORRELATION) * (place[:, None] - place).abs())


@lru_cache(maxsize=8)
def _kernel(side: int, wanted: int, name: str) -> Tensor:
    """What an interpolation does along an axis, wanted x side: what it makes of single samples."""
    samples = np.eye(side, dtype=np.float32)
    if name in _PILLOW:
        made = np.array(Image.fromarray(samples).resize((side, wanted), _PILLOW[name]))
    else:
        made = cv2.resize(samples, (side, wanted), interpolation=_OPENCV[name])
    return torch.from_numpy(made)


def traces(plane: Tensor) -> list[tuple[int, int]]:
    """Sizes (height, width) that a picture may have had before it was enlarged; most probable first.

    plane: luma, H x W, grey levels. A size of half the picture's leaves no trace: it is not among them.
    """
    height, width = plane.shape
    down, across = (_periodicity(p) for p in (plane.T, plane))
    # Both sides were enlarged alike, to whole pixels: what stands out in one must do so in the other, give or take one.
    bins = torch.arange(1, width // 2 + 1, device=plane.device)
    partners = (bins * height / width).round().long() + torch.tensor([[-1], [0], [1]], device=plane.device)
    partners = partners.clamp(0, len(down) - 1)
    partner = partners.gather(0, down[partners].argmax(0, keepdim=True))[0]
    together = (across[bins] * down[partner]).sqrt()
    best = together.topk(min(_LOOKED_AT, len(together)))
    sizes = []
    for value, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        if value < max(_STANDS_OUT, _BESIDE_THE_LARGEST * float(best.values[0])):
            break
        # The frequency of the old samples, or what it looks like where it lies beyond half of the sampling rate.
        rows, columns = int(partner[place]), int(bins[place])
        sizes += [(height - rows, width - columns), (rows, columns)]
    return [size for size in sizes if _LEAST_SHARE * width <= size[1] <= _MOST_SHARE * width]


def _periodicity(plane: Tensor) -> Tensor:
    """How far each frequency stands out, along rows, in how rough a picture is: side // 2 + 1 values, about 1 if not.

    Zero where JPEG's blocks would answer, and where the picture itself would.
    """
    rough = torch.log1p((2 * plane[:, 1:-1] - plane[:, :-2] - plane[:, 2:]).abs()).mean(0)
    side = plane.shape[1]
    spectrum = torch.fft.rfft(functional.pad(rough - rough.mean(), (1, 1))).abs()
    around = functional.pad(spectrum[None, None], (_NEIGHBOURS // 2,) * 2, mode="reflect")[0, 0]
    level = around.unfold(0, _NEIGHBOURS, 1).median(1).values
    result: Tensor = spectrum / level.clamp_min(1e-6)
    result[: max(2, side // 20)] = 0
    multiples = torch.arange(1, 5, device=plane.device, dtype=torch.float64) * side / 8
    for near in (multiples.floor().long(), multiples.ceil().long()):
        result[near.clamp(0, len(result) - 1)] = 0
    return result
