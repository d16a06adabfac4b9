"""The lattice in a suspect of unknown scale, place and orientation.

Coarse: for every scale, a patch of the suspect is brought to the original's scale and correlated with the pilots of
all that the original can have been, at every offset and in every orientation. Where the picture is calm, pilots bear
displacements of half a pixel and more (there a block is little else than its lattice point, which varies slowly over
the block), so that steps of a pixel and of a hundredth in scale suffice; elsewhere they bear a quarter of a pixel.
Hence calm blocks weigh more, and a calm patch is taken. Fine: place and scale are improved step by step, first in the
patch, then in ever larger surroundings. What was found counts where the header can be read, which is the caller's part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imuge_cli.image.working_size import LIMIT
from imuge_cli.keys import Secret
from imuge_cli.lattice.layout import ROBUST_SLOTS, Layout, make_layout
from imuge_cli.lattice.placement import ORIENTATIONS, UPRIGHT, Orientation, Placement
from imuge_cli.lattice.transform import BLOCK, SLOTS, slot_basis

Plane = NDArray[np.float32]
Values = TypeVar("Values", NDArray[np.float32], Tensor)

_BLOCKS = LIMIT // BLOCK
# The slots that displacement and compression spare most; with each its transpose.
_SEARCHED = 5
_PATCH = 24
_FEWEST = 8
# The longer side of what a suspect shows, working pixels: less of it has too few pilots.
_LEAST_SHOWN = 256
_RATIO = 1.012
_PASSES = 4
# Coefficients' energy (grey levels squared, over a block's slots): below _DEAD compression has left nothing; above
# _CALM displacement is not borne.
_DEAD, _CALM = 60.0, 1000.0
# Of millions of positions the best reaches 5.7 by chance; after improving, 7.
_PROMISING, _SURE = 5.0, 8.0
_TRIED = 8


@dataclass(frozen=True)
class Candidate:
    """score: standard deviations. placement: of the suspect. centre: of the patch, working row and column. half: of its
    sides, working pixels."""

    score: float
    placement: Placement
    centre: tuple[float, float]
    half: float


class Suspect:
    """A suspect's luma as it lies, H x W grey levels, at the scales that it is looked at."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._smoothed: dict[int, Plane] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.plane.shape[0]), int(self.plane.shape[1])

    def samples(self, scale: tuple[float, float], start: tuple[float, float], size: tuple[int, int]) -> Plane:
        """size samples, `scale` of the suspect's pixels from one to the next, the first one's edge at `start`."""
        rows, columns = (
            (scale[axis] * (np.arange(size[axis]) + 0.5) + start[axis] - 0.5).astype(np.float32) for axis in (0, 1)
        )
        across, down = np.meshgrid(columns, rows)
        plane = self._at(math.sqrt(scale[0] * scale[1]))
        return np.asarray(cv2.remap(plane, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), np.float32)

    def _at(self, scale: float) -> Plane:
        """Smoothed before it is made smaller, about as averaging over areas would."""
        level = round(math.log(scale) / 0.2)
        if level <= 0:
            return self.plane
        if level not in self._smoothed:
            sigma = 0.5 * math.sqrt(math.exp(0.4 * level) - 1)
            self._smoothed[level] = np.asarray(cv2.GaussianBlur(self.plane, (0, 0), sigma), np.float32)
        return self._smoothed[level]


def scales(height: int, width: int) -> list[float]:
    """The scales that a suspect of this size may have: working pictures have limits, and little of one says nothing."""
    longer = max(height, width)
    first, last = math.log(longer / LIMIT), math.log(max(longer / _LEAST_SHOWN, longer / LIMIT))
    count = math.floor((last - first) / math.log(_RATIO)) + 1
    return [math.exp(first + number * math.log(_RATIO)) for number in range(count)]


def candidates(
    suspect: Suspect, secret: Secret, step: float, tried: Sequence[float], orientations: Sequence[Orientation]
) -> list[Candidate]:
    """The most promising place at every scale tried, most promising first."""
    calm = _calmness(suspect.plane)
    found: list[Candidate] = []
    for scale in tried:
        found += _at_scale(suspect, calm, secret, step, scale, orientations)
    return sorted(found, key=lambda candidate: -candidate.score)


def _calmness(plane: Plane) -> NDArray[np.float64]:
    """Integral of what weight pixels' surroundings have: (H + 1) x (W + 1)."""
    window = (9, 9)
    variance = np.maximum(cv2.boxFilter(plane * plane, -1, window) - cv2.boxFilter(plane, -1, window) ** 2, 0)
    return np.asarray(cv2.integral(_weights(variance * BLOCK**2) ** 2), np.float64)


def _weights(energy: Values) -> Values:
    weights: Values = energy / (energy + _DEAD) / (1 + energy / _CALM)
    return weights


@dataclass(frozen=True)
class _Patch:
    """top, left: in the suspect, its pixels. rows, columns: blocks of the original."""

    top: int
    left: int
    rows: int
    columns: int


def _calmest(calm: NDArray[np.float64], scale: float) -> _Patch | None:
    height, width = calm.shape[0] - 1, calm.shape[1] - 1
    rows, columns = (min(_PATCH, int(side / scale / BLOCK) - 1) for side in (height, width))
    if min(rows, columns) < _FEWEST:
        return None
    tall, wide = (min(side, math.ceil((n * BLOCK + BLOCK) * scale)) for n, side in ((rows, height), (columns, width)))
    sums = calm[tall:, wide:] - calm[:-tall, wide:] - calm[tall:, :-wide] + calm[:-tall, :-wide]
    sums = sums[::BLOCK, ::BLOCK]
    top, left = divmod(int(sums.argmax()), sums.shape[1])
    return _Patch(top * BLOCK, left * BLOCK, rows, columns)


def _at_scale(
    suspect: Suspect,
    calm: NDArray[np.float64],
    secret: Secret,
    step: float,
    scale: float,
    orientations: Sequence[Orientation],
) -> Iterator[Candidate]:
    patch = _calmest(calm, scale)
    if patch is None:
        return
    signal, norms = _signals(suspect, patch, scale, step)
    rows = _offsets(patch.top / scale, suspect.shape[0] / scale, patch.rows)
    columns = _offsets(patch.left / scale, suspect.shape[1] / scale, patch.columns)
    shape = (_even(len(rows) + patch.rows), _even(len(columns) + patch.columns))
    spectra = torch.fft.fft2(signal, s=shape).conj()
    for orientation in orientations:
        plane = _reference(secret, orientation)[:, rows.start : rows.stop + patch.rows]
        reference = torch.fft.fft2(plane[:, :, columns.start : columns.stop + patch.columns], s=shape)
        sums = torch.fft.ifft2((spectra * reference).sum(1)).real[:, : len(rows), : len(columns)]
        score, place = (sums / norms[:, None, None]).flatten().max(0)
        phase, block = divmod(int(place), len(rows) * len(columns))
        row, column = divmod(block, len(columns))
        # The pilot block so found begins so many pixels, of the original, into the patch.
        top = (rows.start + row) * BLOCK - phase // BLOCK
        left = (columns.start + column) * BLOCK - phase % BLOCK
        yield _candidate(float(score), suspect.shape, patch, scale, (top, left), orientation)


def _signals(suspect: Suspect, patch: _Patch, scale: float, step: float) -> tuple[Tensor, Tensor]:
    """Weighted phases of a patch for each of the 64 places where its first block may begin: 64 x slots x rows x
    columns, complex; and the deviation of a sum over them, 64."""
    size = ((patch.rows + 1) * BLOCK - 1, (patch.columns + 1) * BLOCK - 1)
    samples = torch.from_numpy(suspect.samples((scale, scale), (patch.top, patch.left), size))
    basis = slot_basis(samples.device)[:_SEARCHED].view(_SEARCHED, 1, BLOCK, BLOCK)
    coefficients = functional.conv2d(samples[None, None], basis)
    coefficients = functional.pixel_unshuffle(coefficients.transpose(0, 1), BLOCK).transpose(0, 1)
    energy = coefficients.square().sum(1, keepdim=True)
    weights = _weights(energy)
    # One of the robust slots has the pilot.
    deviation = (weights.square().sum((1, 2, 3)) * (_SEARCHED / ROBUST_SLOTS / 2)).sqrt()
    phases = -2 * torch.pi / step * coefficients
    return torch.polar(weights.expand_as(phases).contiguous(), phases), deviation.clamp_min(1e-6)


def _offsets(before: float, shown: float, blocks: int) -> range:
    """Blocks of the original at which a patch may begin: so much of the suspect comes before it, so much it shows."""
    first = max(0, int(before / BLOCK) - 1)
    last = min(_BLOCKS - blocks, math.ceil((LIMIT - shown + before) / BLOCK) + 1)
    return range(first, max(first, last) + 1)


def _candidate(
    score: float,
    shape: tuple[int, int],
    patch: _Patch,
    scale: float,
    place: tuple[int, int],
    orientation: Orientation,
) -> Candidate:
    """place: working row and column of the patch in the original as it is oriented in the suspect."""
    top, left = place[0] - patch.top / scale, place[1] - patch.left / scale
    half = (patch.rows * BLOCK / 2, patch.columns * BLOCK / 2)
    origin = _turned_back((top, left), (shape[0] / scale, shape[1] / scale), orientation)
    centre = _turned_back((place[0] + half[0], place[1] + half[1]), (0, 0), orientation)
    return Candidate(score, Placement(*origin, scale, scale, orientation), centre, max(half))


def _turned_back(
    place: tuple[float, float], size: tuple[float, float], orientation: Orientation
) -> tuple[float, float]:
    """The first row and column of a box in the upright original of LIMIT x LIMIT."""
    row = LIMIT - place[0] - size[0] if orientation.rows_reversed else place[0]
    column = LIMIT - place[1] - size[1] if orientation.columns_reversed else place[1]
    return (column, row) if orientation.transposed else (row, column)


@lru_cache(maxsize=4)
def _whole_layout(secret: Secret) -> Layout:
    return make_layout(secret, _BLOCKS, _BLOCKS)


def pilot_phasors(layout: Layout, slots: int) -> Tensor:
    """What undoes the dither of pilots in the first slots, 0 where a slot has none: slots x rows x columns, complex."""
    dither = torch.from_numpy(layout.dither[:slots])
    has_pilot = torch.from_numpy(layout.order[:1]) == torch.arange(slots)[:, None, None]
    return has_pilot * torch.polar(torch.ones_like(dither), -2 * torch.pi * dither)


@lru_cache(maxsize=16)
def _reference(secret: Secret, orientation: Orientation) -> Tensor:
    """The pilots of an original of LIMIT x LIMIT as a suspect shows them: slots x rows x columns, complex."""
    plane = pilot_phasors(_whole_layout(secret), _SEARCHED)
    slots = SLOTS[:_SEARCHED]
    if orientation.transposed:
        plane = plane[[slots.index((v, u)) for u, v in slots]].transpose(1, 2)
    # Reversed, a cosine of odd frequency changes its sign, and a phase too.
    for axis, flipped in ((0, orientation.rows_reversed), (1, orientation.columns_reversed)):
        if flipped:
            odd = torch.tensor([slot[axis] % 2 == 1 for slot in slots])[:, None, None]
            plane = plane.flip(axis + 1)
            plane = torch.where(odd, plane.conj(), plane)
    return plane.resolve_conj().contiguous()


def _even(length: int) -> int:
    """The next length that Fourier transforms like: no prime factors but 2, 3 and 5."""
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1


def refined(suspect: Suspect, candidate: Candidate, secret: Secret, step: float) -> Candidate:
    """Place and scales improved as far as the pilots say; given up where the patch itself says too little.

    suspect: upright.
    """
    best, first, half = candidate, True, candidate.half
    shown = best.placement.box(*suspect.shape)
    while True:
        climb = _Climb(suspect, secret, step, best.placement, _around(best.centre, half, shown))
        best = replace(best, placement=climb.climbed(together=first), score=climb.score)
        whole = climb.box == shown
        if whole or first and best.score < _SURE - 1:
            return best
        shown = best.placement.box(*suspect.shape)
        first, half = False, half * 1.7


def _around(centre: tuple[float, float], half: float, shown: tuple[slice, slice]) -> tuple[slice, slice]:
    rows, columns = (
        slice(max(part.start, math.floor(at - half)), min(part.stop, math.ceil(at + half)))
        for at, part in zip(centre, shown, strict=True)
    )
    return rows, columns


def _blocks(part: slice) -> slice:
    """Whole blocks in a span of working pixels."""
    first = -(-part.start // BLOCK)
    return slice(first, max(first, min(part.stop // BLOCK, _BLOCKS)))


class _Climb:
    """Improves a placement by the pilots in a box of the working picture."""

    def __init__(
        self, suspect: Suspect, secret: Secret, step: float, placement: Placement, box: tuple[slice, slice]
    ) -> None:
        self.box = box
        self._suspect, self._step, self._start = suspect, step, placement
        rows, columns = (
            slice(-(-part.start // BLOCK), max(-(-part.start // BLOCK), part.stop // BLOCK)) for part in box
        )
        rows, columns = slice(rows.start, min(rows.stop, _BLOCKS)), slice(columns.start, min(columns.stop, _BLOCKS))
        self._rows, self._columns = rows, columns
        layout = _whole_layout(secret)
        self._order = layout.order[:1, rows, columns]
        self._dither = np.take_along_axis(layout.dither[:, rows, columns], self._order, 0)[0]
        self._robust = np.where(self._order[0] < _SEARCHED, 1.0, 0.6)
        self.score = self._scored((0.0, 0.0, 0.0, 0.0))

    def climbed(self, *, together: bool) -> Placement:
        """The best placement within reach. together: both scales change alike at first, and offsets by more."""
        height = (self._rows.stop - self._rows.start) * BLOCK / 2
        width = (self._columns.stop - self._columns.start) * BLOCK / 2
        if min(height, width) <= 0:
            return self._start
        shift = 0.5 if together else 0.3
        sizes = np.array([shift, shift, 0.5 / height, 0.5 / width])
        at = np.zeros(4)
        for number in range(4 if together else 3):
            moves = _ALIKE if together and number < 2 else _APART
            for _ in range(4):
                before = self.score
                for move in moves:
                    at = self._better(at, sizes * move)
                if self.score == before:
                    break
            sizes = sizes / 2
        return self._moved(at)

    def _better(self, at: NDArray[np.float64], move: NDArray[np.float64]) -> NDArray[np.float64]:
        for tried in (at + move, at - move):
            score = self._scored(tried)
            if score > self.score:
                self.score = score
                return tried
        return at

    def _moved(self, at: Sequence[float] | NDArray[np.float64]) -> Placement:
        """Shifted by so many working pixels and scaled by such factors (logarithms), the box's centre kept."""
        down, right, taller, wider = (float(value) for value in at)
        row, column = (BLOCK * (part.start + part.stop) / 2 for part in (self._rows, self._columns))
        begin = self._start
        return replace(
            begin,
            top=row - (row - begin.top) * math.exp(-taller) + down,
            left=column - (column - begin.left) * math.exp(-wider) + right,
            rows_scale=begin.rows_scale * math.exp(taller),
            columns_scale=begin.columns_scale * math.exp(wider),
        )

    def _scored(self, at: Sequence[float] | NDArray[np.float64]) -> float:
        """The weighted sum of the pilots' cosines, standard deviations."""
        if not self._order.size:
            return 0.0
        placement = self._moved(at)
        rows, columns = (slice(part.start * BLOCK, part.stop * BLOCK) for part in (self._rows, self._columns))
        size = (rows.stop - rows.start, columns.stop - columns.start)
        scale = (placement.rows_scale, placement.columns_scale)
        samples = self._suspect.samples(scale, placement.start(rows, columns), size)
        blocks = torch.from_numpy(samples)[None, None]
        pixels = functional.pixel_unshuffle(blocks, BLOCK)[0].flatten(1)
        coefficients = (slot_basis(pixels.device) @ pixels).view(-1, *self._order.shape[1:]).numpy()
        phases = np.take_along_axis(coefficients, self._order, 0)[0] / self._step - self._dither
        weights = _weights(np.square(coefficients).sum(0)) * self._robust
        total = float((weights * np.cos(2 * np.pi * phases)).sum())
        return total / math.sqrt(max(float(np.square(weights).sum()) / 2, 1e-12))


_ALIKE = (np.array([1, 0, 0, 0]), np.array([0, 1, 0, 0]), np.array([0, 0, 1, 1]))
_APART = (*_ALIKE[:2], np.array([0, 0, 1, 0]), np.array([0, 0, 0, 1]))


def promising(
    suspect: Suspect, secret: Secret, step: float, *, orientations: Sequence[Orientation] = ORIENTATIONS
) -> Iterator[Candidate]:
    """Improved candidates as they are found, to be asked whether a header can be read there; upright ones first."""
    tried = scales(*suspect.shape)
    upright = [orientation for orientation in orientations if orientation == UPRIGHT]
    turned = [orientation for orientation in orientations if orientation != UPRIGHT]
    for chosen in (upright, turned):
        if not chosen:
            continue
        left: list[Candidate] = []
        for number in (0, 2, 1, 3):
            left += candidates(suspect, secret, step, tried[number::_PASSES], chosen)
            left.sort(key=lambda candidate: -candidate.score)
            yield from _looked_into(suspect, left[:_TRIED], secret, step)
            left = left[_TRIED:]


def _looked_into(suspect: Suspect, chosen: Sequence[Candidate], secret: Secret, step: float) -> Iterator[Candidate]:
    turned: dict[Orientation, Suspect] = {UPRIGHT: suspect}
    for candidate in chosen:
        if candidate.score < _PROMISING:
            return
        orientation = candidate.placement.orientation
        if orientation not in turned:
            turned[orientation] = Suspect(orientation.undo(suspect.plane))
        found = refined(turned[orientation], candidate, secret, step)
        if found.score >= _SURE - 1:
            yield found
