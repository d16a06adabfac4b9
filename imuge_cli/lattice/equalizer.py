"""Blur, resampling, sharpening and contrast, undone before demodulation as far as the pilots say that it helps.

Such an attack multiplies frequencies by a smooth response. The response has three parameters here; those are taken
under whose inverse the known phases (pilots, and header chips where the code is known) agree best. Nothing else is
asked of the picture, so that a picture of another key gains no more by it than chance gives the best of so many tries.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.tiles import tiles
from imuge_cli.lattice.transform import BLOCK, analyse

_PADDING = 16
_GAINS = tuple(1 + 0.01 * number for number in range(-40, 61))
# Where nothing was done to frequencies, as far as haze is taken out by auto-contrast.
_FARTHER = tuple(1.62 + 0.02 * number for number in range(40))
_BLURS = (-0.5, -0.25, -0.1, 0.0, 0.1, 0.25, 0.5, 0.8, 1.2, 1.7)
# An answer must beat the plain one by so many standard deviations, and by this share; after the first tries by so many.
_STANDARD_DEVIATIONS = 5.0
_WORTH_A_LOOK = 2.0
_SHARE = 0.02
_FIRST_CHANGE, _REFINEMENTS = 0.15, 3
# Phases that agree so well have nothing to gain.
_GOOD_ENOUGH = 0.97


@dataclass(frozen=True)
class Response:
    """What became of luma, by frequency w (radians per pixel): gain * exp(-blur w^2 / 2 - shape w^4), by axis.

    blur: px^2, the variance of a Gaussian; negative where the picture was sharpened. noise: power against the
    picture's, as far as it limits what can be brought back of frequencies that all but vanished.
    """

    gain: float = 1.0
    blur: float = 0.0
    shape: float = 0.0
    noise: float = 3e-3

    @property
    def is_plain(self) -> bool:
        """Whether nothing is to be undone."""
        return self.gain == 1 and self.blur == self.shape == 0

    def axis(self, frequencies: Tensor) -> Tensor:
        """Along one axis, without the gain; frequencies in radians per pixel."""
        square = frequencies**2
        return torch.exp(-self.blur * square / 2 - self.shape * square**2)


def undo(plane: Tensor, response: Response) -> Tensor:
    """Planes N x C x H x W with the response undone; each keeps its mean, of which the lattice says nothing."""
    if response.is_plain:
        return plane
    mean = plane.mean((-2, -1), keepdim=True)
    centred = (plane - mean) / response.gain
    if response.blur or response.shape:
        centred = _filtered(centred, response)
    return centred + mean


def _filtered(plane: Tensor, response: Response) -> Tensor:
    height, width = plane.shape[-2:]
    padded = functional.pad(plane, (_PADDING,) * 4, mode="reflect")
    rows, columns = padded.shape[-2:]
    vertical = response.axis(torch.fft.fftfreq(rows, 1 / (2 * torch.pi), device=plane.device))
    horizontal = response.axis(torch.fft.rfftfreq(columns, 1 / (2 * torch.pi), device=plane.device))
    present = vertical[:, None] * horizontal
    inverse = present * (1 + response.noise) / (present**2 + response.noise)
    undone = torch.fft.irfft2(torch.fft.rfft2(padded) * inverse, s=(rows, columns))
    result: Tensor = undone[..., _PADDING : _PADDING + height, _PADDING : _PADDING + width]
    return result


@dataclass(frozen=True)
class Fitted:
    """step: of the lattice, grey levels. score: sum of the cosines of what the known phases lie off, after the response
    was undone, over `count` phases."""

    score: float
    response: Response
    step: float
    count: int

    @property
    def is_good_enough(self) -> bool:
        """Whether there is nothing to gain."""
        return self.score > _GOOD_ENOUGH * self.count


def fit(
    plane: Tensor, order: Tensor, phases: Tensor, steps: tuple[float, ...], legible: Tensor | None = None
) -> Fitted:
    """The response under whose inverse the known phases agree best, with the step of the lattice (of those given).

    plane: luma, 1 x 1 x H x W, grey levels, its first pixel that of a block. order, phases: K x rows x columns, the
    slots that carry known phases, and these (cells), for each whole block. steps: grey levels. legible: rows x columns
    of bool, the blocks that count; None: all of them.
    """
    tries = _Tries(plane, order, phases, steps, legible)
    plain = tries.plain()
    deviation = math.sqrt(tries.count / 2)
    if plain.is_good_enough:
        return plain
    best = max((tries.best_gain(Response(blur=blur)) for blur in _BLURS), key=_score)
    if best.score < max(plain.score + _WORTH_A_LOOK * deviation, _STANDARD_DEVIATIONS * deviation):
        return plain
    width = _FIRST_CHANGE
    for _ in range(_REFINEMENTS):
        for change in _CHANGES:
            best = max(best, tries.best_gain(change(best.response, width)), key=_score)
        width /= 2
    gained = best.score - plain.score
    return best if gained > max(_STANDARD_DEVIATIONS * deviation, _SHARE * tries.count) else plain


_CHANGES: tuple[Callable[[Response, float], Response], ...] = (
    lambda response, width: replace(response, blur=response.blur + width),
    lambda response, width: replace(response, blur=response.blur - width),
    lambda response, width: replace(response, shape=response.shape + width / 3),
    lambda response, width: replace(response, shape=response.shape - width / 3),
    lambda response, width: replace(response, noise=response.noise * (1 + 15 * width)),
    lambda response, width: replace(response, noise=response.noise / (1 + 15 * width)),
)


def _score(scored: Fitted) -> float:
    return scored.score


class _Tries:
    """Tiles of a plane, and what is known of their phases."""

    def __init__(
        self, plane: Tensor, order: Tensor, phases: Tensor, steps: tuple[float, ...], legible: Tensor | None
    ) -> None:
        parts = tiles(*order.shape[-2:])
        self._tiles = torch.cat(
            [
                plane[..., rows.start * BLOCK : rows.stop * BLOCK, columns.start * BLOCK : columns.stop * BLOCK]
                for rows, columns in parts
            ]
        )
        counting = order >= 0 if legible is None else legible.expand(order.shape)
        self._order, known, counted = (
            torch.stack([t[(slice(None), *part)] for part in parts]) for t in (order, phases, counting)
        )
        self._counted = counted.flatten().nonzero()[:, 0]
        self._phases = known.flatten()[self._counted]
        self._steps = steps
        self.count = len(self._counted)

    def plain(self) -> Fitted:
        """The picture as it lies."""
        return self._best(Response(), (1.0,))

    def best_gain(self, response: Response) -> Fitted:
        """The response with the gain that suits best."""
        level = response.blur == response.shape == 0
        return self._best(replace(response, gain=1.0), (*_GAINS, *_FARTHER) if level else _GAINS)

    def _best(self, response: Response, gains: tuple[float, ...]) -> Fitted:
        coefficients = self._coefficients(response).flatten()[self._counted]
        candidates = [(gain, step) for step in self._steps for gain in gains]
        spacing = coefficients.new_tensor([gain * step for gain, step in candidates])[:, None]
        sums = torch.cos(2 * torch.pi * (coefficients / spacing - self._phases)).sum(1)
        value, place = sums.max(0)
        gain, step = candidates[int(place)]
        return Fitted(float(value), replace(response, gain=gain), step, self.count)

    def _coefficients(self, response: Response) -> Tensor:
        return torch.gather(analyse(undo(self._tiles, response)), 1, self._order)
