"""The lattice in a suspect of unknown scale, place and orientation, by the synchronization template.

Coarse: for every scale the suspect's response to the template's filter is taken at every working pixel, its phase
weighted (where the response changes fast from pixel to pixel, a phase says nothing before the place is known exactly),
and all is folded by the pattern's period. One correlation of a period's worth then scores every place in all eight
orientations. Fine: the few best places, of all copies of the pattern the one that the points that never repeat agree
with, are improved by what the filter's slopes say of places nearby. What was found counts where its score is beyond
chance, which is the caller's part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import fft2, irfft2

from imuge_cli.image.working_size import LIMIT
from imuge_cli.keys import Secret
from imuge_cli.lattice.placement import ORIENTATIONS, UPRIGHT, Orientation, Placement
from imuge_cli.lattice.template import (
    MARGIN,
    PERIOD,
    PITCH,
    STEP,
    repeats,
    response_scale,
    responses_within,
    sharper,
    template_dither,
)
from imuge_cli.lattice.view import Plane, Suspect, smoothing

Scale = tuple[float, float]
Complex = NDArray[np.complexfloating[Any, Any]]

_SPAN = PERIOD * PITCH
_POINTS = LIMIT // PITCH
# Rows of responses that are looked at together; spans are multiples of it.
_STRIP = 64
# The longer side of what a suspect shows, working pixels: less of it has too few points.
_LEAST_SHOWN = 200
# How far the picture's edge may be off between one scale and the next, working pixels.
_SLACK = 1.3
# Smaller suspects are not worth a long search: nothing of the lattice can be read in them.
_SMALLEST = 0.45
# Working pixels on the longer side that show more than enough of the template.
_PLENTY = 800.0
# A suspect may show so many times what a picture can be, where there is a frame around the picture.
_FRAMED = 2.2
# By which share one side of a whole picture may have been changed against the other.
_SQUEEZED = 0.1
# Squared change of a response from one pixel to the next, from which on its phase says little: at first, where places
# are close together, and at last.
_STEEP, _STEEP_CLOSE, _STEEP_AT_LAST = 100.0, 400.0, 800.0
# The same, below which there is no template: even flat areas of immunized pictures change by more.
_STILL = 0.3
# Of some 10^7 places the best reaches 5.6 by chance; improved, 7.0 (see docs/geometry.md).
_PROMISING, _SURE = 4.5, 6.0
_TRIED, _TRIED_CLOSE = 10, 120
_BY_PARITY = (PERIOD // 2, 2, PITCH, PERIOD // 2, 2, PITCH)
# Scale from which on samples two working pixels apart are enough of a suspect.
_FINE = 0.75
# What a grey level of a response turns its phase by.
_RADIANS = np.float32(2 * math.pi / STEP)
# Shifts, and displacements of the edges, that are tried, every one with every other: parts of the reach.
_SHIFTS, _STRETCHES = (np.linspace(-1, 1, count).astype(np.float32) for count in (9, 7))


@dataclass(frozen=True)
class Candidate:
    """score: standard deviations. placement: of the suspect."""

    score: float
    placement: Placement


@dataclass(frozen=True)
class _Place:
    """row, column: the first point's centre modulo the pattern's span, working pixels into the oriented suspect."""

    score: float
    scale: Scale
    orientation: Orientation
    row: float
    column: float


@dataclass(frozen=True)
class _Pass:
    """Scales (of rows, of columns) to try, and in which orientations. close: places between pixels are tried as well,
    so that phases count that bear less displacement; and more of what is found is looked at."""

    scales: Sequence[Scale]
    orientations: Sequence[Orientation]
    close: bool = False

    @property
    def steep(self) -> float:
        """Squared change of a response from one pixel to the next, from which on its phase says little."""
        return _STEEP_CLOSE if self.close else _STEEP

    @property
    def tried(self) -> int:
        """How many of the best places are improved."""
        return _TRIED_CLOSE if self.close else _TRIED


def _passes(height: int, width: int, orientations: Sequence[Orientation]) -> Iterator[_Pass]:
    """From the most probable to the dearest: same scale; any scale, widely spaced; closely spaced, for busy pictures,
    which bear hardly any displacement; with a frame around."""
    yield _Pass([(1.0, 1.0)], orientations)
    yield _Pass(_alike(scales(height, width)), orientations)
    upright = [orientation for orientation in orientations if orientation == UPRIGHT]
    yield _Pass(squeezed_scales(height, width), upright)
    for tried, close in (
        (scales(height, width, _SLACK / 2, fine=True), True),
        (framed_scales(height, width), False),
    ):
        yield _Pass(_alike(scale for scale in tried if scale > _SMALLEST), upright, close)


def _alike(tried: Iterable[float]) -> list[Scale]:
    return [(scale, scale) for scale in tried]


def scales(height: int, width: int, slack: float = _SLACK, *, fine: bool = False) -> list[float]:
    """The scales that a suspect of this size may have: working pictures have limits, and little of one says nothing.

    slack: how far the suspect's edges may be off between two of them, working pixels. fine: by less where less is
    shown, and so little agreement to spare.
    """
    longer = max(height, width)
    least = min(_LEAST_SHOWN, longer)
    shown, found = float(LIMIT), []
    while shown > least - 2 * slack:
        found.append(longer / shown)
        shown -= 4 * slack * (min(1.0, shown / _PLENTY) if fine else 1.0)
    return found


def framed_scales(height: int, width: int) -> list[float]:
    """The scales of a suspect of this size that shows more than a working picture can be, so has a frame around it."""
    ratio = 1 + 4 * _SLACK / LIMIT
    first = max(height, width) / LIMIT
    return [first / ratio**number for number in range(1, math.ceil(math.log(_FRAMED) / math.log(ratio)))]


def squeezed_scales(height: int, width: int) -> list[Scale]:
    """The scales of the whole of a large picture, one of whose sides was changed against the other; and of any part of
    a smaller one of which one side was changed and the other was not."""
    longer = max(height, width) / LIMIT
    whole = [longer * by for by in _squeezes(LIMIT)]
    return [
        *((longer, scale) if height >= width else (scale, longer) for scale in whole),
        *((1.0, by) for by in _squeezes(width)),
        *((by, 1.0) for by in _squeezes(height)),
    ]


def _squeezes(side: int) -> list[float]:
    """Factors by which a side of so many working pixels may have been changed, from the least on."""
    step = 4 * _SLACK / side
    return [math.exp(sign * number * step) for number in range(1, int(_SQUEEZED / step) + 1) for sign in (-1, 1)]


def _candidates(pool: ThreadPoolExecutor, suspect: Suspect, secret: Secret, tried: _Pass) -> list[Candidate]:
    """The most promising placements, most promising first; not improved yet."""
    suspect.prepare(2 * math.sqrt(rows * columns) for rows, columns in tried.scales)
    for orientation in tried.orientations:
        _reference(secret, orientation)
    found = pool.map(lambda scale: list(_at_scale(suspect, secret, scale, tried)), tried.scales)
    places = sorted((place for places in found for place in places), key=lambda place: -place.score)
    return [_placed(suspect, secret, place) for place in places[: tried.tried] if place.score >= _PROMISING]


def _at_scale(suspect: Suspect, secret: Secret, scale: Scale, tried: _Pass) -> Iterator[_Place]:
    response = _response(suspect, scale)
    best: dict[Orientation, _Place] = {}
    for shift, folded in _between(response, tried.steep) if tried.close else _at_centres(response, tried.steep):
        spectrum = _halves(fft2(folded))
        deviations = _deviations(folded)
        for orientation in tried.orientations:
            # Of the correlation only the real part counts, which half a spectrum tells.
            halves = np.einsum("hij,hij->ij", spectrum, _reference(secret, orientation))
            scores = irfft2(halves, folded.shape, overwrite_x=True)
            scores.reshape(_BY_PARITY)[:] /= deviations
            row, column = divmod(int(scores.argmax()), _SPAN)
            place = _Place(float(scores[row, column]), scale, orientation, row + shift[0], column + shift[1])
            if orientation not in best or place.score > best[orientation].score:
                best[orientation] = place
    yield from best.values()


@dataclass(frozen=True)
class _Response:
    """To the template's filter, at every other working pixel. height, width: of what is shown, working pixels."""

    values: Plane
    height: int
    width: int


def _response(suspect: Suspect, scale: Scale) -> _Response:
    height, width = (math.floor(side / by) for side, by in zip(suspect.shape, scale, strict=True))
    half = suspect.reduced((2 * scale[0], 2 * scale[1]), (height // 2 + 1, width // 2 + 1))
    sigmas = sharper(_smoothed(math.sqrt(scale[0] * scale[1]), 2))
    narrow, wide = (cv2.GaussianBlur(half, (0, 0), sigma / 2, borderType=cv2.BORDER_REFLECT) for sigma in sigmas)
    return _Response(np.asarray((narrow - wide) * response_scale(), np.float32), height, width)


def _smoothed(scale: float, spacing: int) -> float:
    """The standard deviation, working pixels, of what samples so many working pixels apart have been smoothed by."""
    return smoothing(scale * spacing) / scale


def _at_centres(response: _Response, steep: float) -> Iterator[tuple[tuple[float, float], Complex]]:
    """Phases at the centres of working pixels, folded, and how far beside corners they lie."""
    yield (0.5, 0.5), _folded(_enlarged(response, 2), steep, 1)


def _between(response: _Response, steep: float) -> Iterator[tuple[tuple[float, float], Complex]]:
    """The same at places half a working pixel apart, in four parts."""
    folded = _folded(_enlarged(response, 4), steep, 2)
    for row in (0, 1):
        for column in (0, 1):
            yield (0.25 + row / 2, 0.25 + column / 2), folded[row::2, column::2]


def _enlarged(response: _Response, times: int) -> Plane:
    """So many times as many samples each way, the first half of their distance beside the first corner, and one working
    pixel more than is shown."""
    rows, columns = response.values.shape
    fine = cv2.resize(response.values, (times * columns, times * rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine[: times // 2 * (response.height + 1), : times // 2 * (response.width + 1)], np.float32)


def _folded(responses: NDArray[Any], steep: float, spacing: int) -> Complex:
    """Weighted phases of responses, so many for each working pixel, summed over the pattern's repetitions: span x span,
    as many times as that."""
    rows, columns = (side - spacing for side in responses.shape)
    span = spacing * _SPAN
    real, imaginary = total = np.zeros((2, span, span), np.float32)
    # A strip at a time, which stays near the processor.
    for top in range(0, rows, _STRIP):
        strip = responses[top : min(top + _STRIP, rows) + spacing]
        here = strip[:-spacing, :-spacing]
        down, right = strip[spacing:, :-spacing] - here, strip[:-spacing, spacing:] - here
        parts = cv2.polarToCart(_weights(down * down + right * right, steep), here * _RADIANS)
        into = slice(top % span, top % span + len(here))
        for left in range(0, columns, span):
            for sums, part in zip(total, parts, strict=True):
                repetition = part[:, left : left + span]
                sums[into, : repetition.shape[1]] += repetition
    return np.asarray(real + 1j * imaginary, np.complex64)


def _phases(weights: Plane, angles: Plane) -> Complex:
    """Of such angles, radians, and weights."""
    return cv2.merge(cv2.polarToCart(weights, angles)).view(np.complex64)[..., 0]


def _weights(steepness: Plane, steep: float) -> Plane:
    """Of phases, by the squared change of their responses from one pixel to the next."""
    return np.asarray(steepness / (steepness + _STILL) / (1 + steepness / steep), np.float32)


def _deviations(folded: Complex) -> NDArray[np.float32]:
    """The deviation of a sum over a period's points by where its first point is: 1 x 2 x pitch x 1 x 2 x pitch, the
    parity of the row of pitches, the row in it, and so for columns.

    Each dither was drawn once, however often it is used: what sums of equal phases say is one phase.
    """
    power = (folded.real**2 + folded.imag**2).reshape(_BY_PARITY).sum((0, 3))
    # Where the first point is in an odd row of pitches, points of odd rows, which do not repeat in odd columns, are in
    # even ones.
    repeating = power.sum((0, 2))[None, :, None] - power[::-1, :, ::-1]
    return np.asarray(np.sqrt(np.maximum(repeating / 2, 1e-6))[None, :, :, None], np.float32)


@lru_cache(maxsize=32)
def _reference(secret: Secret, orientation: Orientation) -> Complex:
    """The conjugate spectrum of the pattern as it lies in a suspect, for the real part of a correlation: `_halves`."""
    pattern = np.where(repeats(PERIOD, PERIOD), np.exp(2j * np.pi * template_dither(secret, PERIOD, PERIOD)), 0)
    # Reversed, point 0 stays where it is: where the suspect's first point lies is what is looked for.
    if orientation.transposed:
        pattern = pattern.T
    if orientation.rows_reversed:
        pattern = np.roll(pattern[::-1], 1, 0)
    if orientation.columns_reversed:
        pattern = np.roll(pattern[:, ::-1], 1, 1)
    spread = np.zeros((_SPAN, _SPAN), np.complex64)
    spread[::PITCH, ::PITCH] = pattern
    return _halves(np.conj(fft2(spread)) / 2)


def _halves(spectrum: Complex) -> Complex:
    """Half of a spectrum, and half of that of the conjugate signal: 2 x span x span / 2 + 1."""
    conjugate = np.roll(spectrum[::-1, ::-1], 1, (0, 1)).conj()
    return np.stack([spectrum[:, : _SPAN // 2 + 1], conjugate[:, : _SPAN // 2 + 1]])


def _placed(suspect: Suspect, secret: Secret, place: _Place) -> Candidate:
    """A place in a placement's terms: somewhere in the first repetition of the pattern, which one is not known yet."""
    if place.orientation != UPRIGHT:
        # Once more in the picture as it was: there the first point is another one.
        upright = suspect.undone(place.orientation)
        place = replace(
            next(_at_scale(upright, secret, place.scale, _Pass([place.scale], [UPRIGHT], close=True))),
            orientation=place.orientation,
        )
    top, left = (PITCH // 2 - at for at in (place.row, place.column))
    return Candidate(place.score, Placement(top, left, *place.scale, place.orientation))


class _Agreement:
    """The template's agreement with a suspect through a placement: of all points that the suspect shows, at first with
    the pattern alone, then with what the points are where the picture has been found.

    Points are numbered from the picture's first one; those of a suspect's frame have negative numbers, or large ones.
    """

    def __init__(self, suspect: Suspect, secret: Secret, placement: Placement, *, pattern: bool) -> None:
        self._suspect = suspect
        height, width = suspect.shape
        ends = (placement.top + height / placement.rows_scale, placement.left + width / placement.columns_scale)
        self.rows, self.columns = (
            _points(start, end, None if pattern else _POINTS)
            for start, end in ((placement.top, ends[0]), (placement.left, ends[1]))
        )
        self.empty = self.rows.size == 0 or self.columns.size == 0
        if self.empty:
            return
        # While the place is not known well, half of the samples tell as much, unless they were no further apart than
        # the suspect's own: between those, cubic interpolation errs by more than a response may.
        self._spacing = 2 if pattern and placement.scale > _FINE else 1
        self._smoothed = _smoothed(placement.scale, self._spacing)
        span, first = (len(self.rows), len(self.columns)), {"top": int(self.rows[0]), "left": int(self.columns[0])}
        # Which points take their dither from the pattern.
        self.repeats = repeats(*span, **first)
        self._undithered = np.exp(-2j * np.pi * template_dither(secret, *span, **first))
        self._used = self.repeats if pattern else np.ones_like(self.repeats)

    @property
    def centre(self) -> tuple[float, float]:
        """Working row and column in the middle of the points."""
        row, column = (PITCH * float(at[0] + at[-1] + 1) / 2 for at in (self.rows, self.columns))
        return row, column

    @property
    def half(self) -> tuple[float, float]:
        """Half the sides that the points span, working pixels."""
        return PITCH * len(self.rows) / 2, PITCH * len(self.columns) / 2

    def phases(self, placement: Placement) -> Complex:
        """Weighted phases of the points, dither not removed: rows x columns."""
        return self._looked_at(placement)[0]

    def _looked_at(self, placement: Placement) -> tuple[Complex, NDArray[np.float32]]:
        """Weighted phases, and what the responses change by as the points move down, and right, by a working pixel:
        2 x rows x columns."""
        rows, columns = (
            slice(int(at[0]) * PITCH - MARGIN, (int(at[-1]) + 1) * PITCH + MARGIN) for at in (self.rows, self.columns)
        )
        size = ((rows.stop - rows.start) // self._spacing, (columns.stop - columns.start) // self._spacing)
        scale = (placement.rows_scale * self._spacing, placement.columns_scale * self._spacing)
        samples = self._suspect.samples(scale, placement.start(rows, columns), size)
        response, *slopes = responses_within(samples, self._spacing, self._smoothed)
        weights = _weights(slopes[0] ** 2 + slopes[1] ** 2, _STEEP_AT_LAST)
        return _phases(weights, response * _RADIANS), np.stack(slopes)

    @property
    def relative(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Row and column of the points that count, from the centre (0) to the edges (-1 and 1)."""
        ways = ((at - at.mean()) * PITCH / half for at, half in zip((self.rows, self.columns), self.half, strict=True))
        rows, columns = np.meshgrid(*ways, indexing="ij")
        return rows[self._used].astype(np.float32), columns[self._used].astype(np.float32)

    def seen(self, placement: Placement) -> tuple[Complex, NDArray[np.float32], NDArray[np.float32]]:
        """Of the points that count: weighted phases with the dither removed, and by how much they turn as the points
        move down, and right, by a working pixel (radians)."""
        phases, slopes = self._looked_at(placement)
        down, right = slopes[:, self._used] * _RADIANS
        return (phases * self._undithered)[self._used].astype(np.complex64), down, right

    def score(self, placement: Placement) -> float:
        """The same in true standard deviations: dithers that repeat count once."""
        found = self._errors(placement)
        rows, columns = np.meshgrid(self.rows, self.columns, indexing="ij")
        own = _POINTS**2 + rows * _POINTS + columns
        groups = np.where(self.repeats, rows % PERIOD * PERIOD + columns % PERIOD, own)[self._used]
        real, imaginary = (np.bincount(groups, part[self._used]) for part in (found.real, found.imag))
        return _score(real + 1j * imaginary)

    def _errors(self, placement: Placement) -> Complex:
        """Weighted phases with the dither removed."""
        return np.asarray(self.phases(placement) * self._undithered)


def _score(errors: Complex) -> float:
    """The sum of weighted phase errors' cosines over its deviation, were the dithers of all of them drawn anew."""
    return float(errors.real.sum()) / math.sqrt(max(float(np.square(np.abs(errors)).sum()) / 2, 1e-6))


def _points(start: float, end: float, limit: int | None) -> NDArray[np.int64]:
    """The points whose centres lie between two places, working pixels; none before the first or from `limit` on."""
    first, last = math.ceil((start - PITCH / 2) / PITCH), math.ceil((end - PITCH / 2) / PITCH)
    return np.arange(first, last) if limit is None else np.arange(max(0, first), min(limit, last))


def _resolved(agreement: _Agreement, secret: Secret, placement: Placement) -> Placement:
    """Of all the pattern's repetitions the one that the points agree with that do not repeat."""
    phases = agreement.phases(placement)
    best = (-math.inf, placement)
    for down in _repetitions(agreement.rows):
        for right in _repetitions(agreement.columns):
            rows, columns = agreement.rows + down, agreement.columns + right
            inside = np.logical_and.outer((rows >= 0) & (rows < _POINTS), (columns >= 0) & (columns < _POINTS))
            own = ~agreement.repeats & inside
            dither = template_dither(secret, *phases.shape, top=int(rows[0]), left=int(columns[0]))
            score = _score((phases * np.exp(-2j * np.pi * dither))[own])
            if score > best[0]:
                moved = (placement.top + down * PITCH, placement.left + right * PITCH)
                best = score, replace(placement, top=moved[0], left=moved[1])
    return best[1]


def _repetitions(points: NDArray[np.int64]) -> list[int]:
    """By how many points a suspect may be shifted so that it still shows a good part of a picture."""
    first, last = int(points[0]), int(points[-1]) + 1
    shifts = range(-(last // PERIOD + 1) * PERIOD, _POINTS + PERIOD - first, PERIOD)
    least = min(len(points), _LEAST_SHOWN // PITCH) / 2
    return [shift for shift in shifts if min(last + shift, _POINTS) - max(first + shift, 0) >= least]


def refined(suspect: Suspect, candidate: Candidate, secret: Secret) -> Candidate:
    """Place and scales improved as far as the template says, by the pattern and then by all points; given up where the
    pattern says too little. suspect: as it lies."""
    upright = suspect.undone(candidate.placement.orientation)
    placement, score = candidate.placement, candidate.score
    for pattern, reaches in ((True, (1.0, 0.4, 0.16)), (False, (0.3, 0.1, 0.03))):
        agreement = _Agreement(upright, secret, placement, pattern=pattern)
        if agreement.empty:
            return candidate
        for reach in reaches:
            placement = improved(agreement, placement, reach)
        score = agreement.score(placement)
        if pattern:
            if score < _SURE - 1:
                break
            placement = _resolved(agreement, secret, placement)
    return Candidate(score, placement)


def improved(agreement: _Agreement, placement: Placement, reach: float) -> Placement:
    """The best placement within some working pixels, of shifts and of the points' edges: responses change nearly in
    proportion to displacements of that size, so that a single look at the suspect tells all of them."""
    phases, *slopes = agreement.seen(placement)
    sides = [_displaced(slope, at, reach) for slope, at in zip(slopes, agreement.relative, strict=True)]
    scores = ((sides[0] * phases) @ sides[1].T).real
    best = np.unravel_index(int(scores.argmax()), scores.shape)
    (taller, down), (wider, right) = (divmod(int(at), len(_SHIFTS)) for at in best)
    shift, stretch, half = _SHIFTS * reach, _STRETCHES * reach, agreement.half
    return _moved(
        placement,
        agreement.centre,
        (shift[down], shift[right], stretch[taller] / half[0], stretch[wider] / half[1]),
    )


def _displaced(slopes: Plane, relative: Plane, reach: float) -> Complex:
    """By how much points turn along one axis: stretches and shifts (63) x points."""
    stretched = _rotations(np.multiply.outer(_STRETCHES * reach, slopes * relative))
    shifted = _rotations(np.multiply.outer(_SHIFTS * -reach, slopes))
    return np.asarray((stretched[:, None] * shifted).reshape(-1, slopes.size))


def _rotations(angles: Plane) -> Complex:
    """By so many radians."""
    return _phases(np.ones_like(angles), angles)


def _moved(begin: Placement, centre: tuple[float, float], at: tuple[float, float, float, float]) -> Placement:
    """Shifted by so many working pixels and scaled by such factors (logarithms), a centre kept."""
    down, right, taller, wider = map(float, at)
    return replace(
        begin,
        top=centre[0] - (centre[0] - begin.top) * math.exp(-taller) + down,
        left=centre[1] - (centre[1] - begin.left) * math.exp(-wider) + right,
        rows_scale=begin.rows_scale * math.exp(taller),
        columns_scale=begin.columns_scale * math.exp(wider),
    )


def promising(
    suspect: Suspect, secret: Secret, *, orientations: Sequence[Orientation] = ORIENTATIONS
) -> Iterator[Candidate]:
    """Improved candidates, the most promising ones of every pass first."""
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads) as pool:
        for tried in _passes(*suspect.shape, orientations):
            candidates = _candidates(pool, suspect, secret, tried)
            # A few at a time: who has found what he looks for does not wait for the rest.
            for begin in range(0, len(candidates), threads):
                some = candidates[begin : begin + threads]
                for found in pool.map(lambda candidate: refined(suspect, candidate, secret), some):
                    if found.score >= _SURE:
                        yield found
