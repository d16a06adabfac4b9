"""A place of the template in a suspect, made exact: of all copies of the pattern the one that the points that never
repeat agree with, improved by what the filter's slopes say of places nearby.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imuge_cli.image.working_size import LIMIT
from imuge_cli.keys import Secret
from imuge_cli.lattice.phases import RADIANS, Complex, phase_weights, phasors, smoothed_by
from imuge_cli.lattice.placement import Placement
from imuge_cli.lattice.template import MARGIN, PERIOD, PITCH, repeats, responses_within, template_dither
from imuge_cli.lattice.view import Plane, Suspect

LEAST_SHOWN = 200
"""The longer side of what a suspect shows, working pixels: less of it has too few points."""
SURE = 6.0
"""Of some 10^7 places the best, improved, reaches 7.0 by chance (see docs/geometry.md); less than this is none."""

_POINTS = LIMIT // PITCH
# Squared change of a response as its point moves by a pixel, from which on its phase says little.
_STEEP = 800.0
# Scale from which on samples two working pixels apart are enough of a suspect.
_FINE = 0.75
# So often at most, and as long as it gains so many standard deviations.
_MOST_ROUNDS, _GAIN = 5, 0.2
# Shifts, and displacements of the edges, that are tried, every one with every other: parts of the reach.
_SHIFTS, _STRETCHES = (np.linspace(-1, 1, count).astype(np.float32) for count in (9, 7))


@dataclass(frozen=True)
class Candidate:
    """score: standard deviations. placement: of the suspect."""

    score: float
    placement: Placement


class _Agreement:
    """The template's agreement with a suspect through a placement: of all points that the suspect shows, at first with
    the pattern alone, then with what the points are where the picture has been found.

    Points are numbered from the picture's first one; those of a suspect's frame have negative numbers, or large ones.
    """

    def __init__(self, suspect: Suspect, secret: Secret, placement: Placement, *, pattern: bool) -> None:
        self._suspect = suspect
        height, width = suspect.upright(placement).shape
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
        self._smoothed = smoothed_by(placement.scale, self._spacing)
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
        samples = self._suspect.upright(placement).samples(scale, placement.start(rows, columns), size)
        response, *slopes = responses_within(samples, self._spacing, self._smoothed)
        weights = phase_weights(slopes[0] ** 2 + slopes[1] ** 2, _STEEP)
        return phasors(weights, response * RADIANS), np.stack(slopes)

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
        down, right = slopes[:, self._used] * RADIANS
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
    least = min(len(points), LEAST_SHOWN // PITCH) / 2
    return [shift for shift in shifts if min(last + shift, _POINTS) - max(first + shift, 0) >= least]


def refined(suspect: Suspect, candidate: Candidate, secret: Secret) -> Candidate:
    """Place and scales improved as far as the template says, by the pattern and then by all points; given up where the
    pattern says too little. suspect: as it lies."""
    placement, score = candidate.placement, candidate.score
    for pattern, reaches in ((True, (1.0, 0.4, 0.16)), (False, (0.3, 0.1, 0.03))):
        agreement = _Agreement(suspect, secret, placement, pattern=pattern)
        if agreement.empty:
            return candidate
        for reach in reaches:
            placement = _improved(agreement, placement, reach)
        score = agreement.score(placement)
        if pattern:
            if score < SURE - 1:
                break
            placement = _resolved(agreement, secret, placement)
    return Candidate(score, placement)


def converged(suspect: Suspect, candidate: Candidate, secret: Secret) -> Candidate:
    """Refined as often as that helps: what begins some pixels away at the edges is not there at once."""
    for _ in range(_MOST_ROUNDS):
        better = refined(suspect, candidate, secret)
        if better.score < candidate.score + _GAIN:
            return max(candidate, better, key=lambda one: one.score)
        candidate = better
    return candidate


def _improved(agreement: _Agreement, placement: Placement, reach: float) -> Placement:
    """The best placement within some working pixels, of shifts and of the points' edges: responses change nearly in
    proportion to displacements of that size, so that a single look at the suspect tells all of them."""
    phases, *slopes = agreement.seen(placement)
    relative, half, turn = agreement.relative, agreement.half, placement.turn
    sides = [_displaced(slope, at, reach) for slope, at in zip(slopes, relative, strict=True)]
    turns = np.zeros(1, np.float32) if turn is None else _STRETCHES * np.float32(reach / math.hypot(*half))
    # Of a suspect turned further, what a level picture shows on the right is looked for higher, what it shows below
    # further right.
    along = slopes[1] * relative[0] * np.float32(half[0]) - slopes[0] * relative[1] * np.float32(half[1])
    turned = phases * _rotations(np.multiply.outer(turns, along))
    scores = np.stack([((sides[0] * each) @ sides[1].T).real for each in turned])
    by, *best = np.unravel_index(int(scores.argmax()), scores.shape)
    placement = _turned(placement, agreement.centre, float(turns[by]))
    (taller, down), (wider, right) = (divmod(int(at), len(_SHIFTS)) for at in best)
    shift, stretch = _SHIFTS * reach, _STRETCHES * reach
    return _moved(
        placement,
        agreement.centre,
        (shift[down], shift[right], stretch[taller] / half[0], stretch[wider] / half[1]),
    )


def _turned(begin: Placement, centre: tuple[float, float], radians: float) -> Placement:
    """As if the suspect had been turned by so much more, a centre kept where the suspect shows it."""
    turn = begin.turn
    if turn is None or radians == 0:
        return begin
    more = replace(turn, degrees=turn.degrees + math.degrees(radians))
    # The level picture's middle stays: what lies beside it goes around it.
    down, right = (centre[0] - begin.top) * begin.rows_scale, (centre[1] - begin.left) * begin.columns_scale
    moved = more.level_of(*turn.source(down, right))
    return replace(
        begin,
        turn=more,
        top=begin.top - (moved[0] - down) / begin.rows_scale,
        left=begin.left - (moved[1] - right) / begin.columns_scale,
    )


def _displaced(slopes: Plane, relative: Plane, reach: float) -> Complex:
    """By how much points turn along one axis: stretches and shifts (63) x points."""
    stretched = _rotations(np.multiply.outer(_STRETCHES * reach, slopes * relative))
    shifted = _rotations(np.multiply.outer(_SHIFTS * -reach, slopes))
    return np.asarray((stretched[:, None] * shifted).reshape(-1, slopes.size))


def _rotations(angles: Plane) -> Complex:
    """By so many radians."""
    return phasors(np.ones_like(angles), angles)


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
