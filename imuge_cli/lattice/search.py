"""The lattice in a suspect of unknown scale, place and orientation, by the synchronization template.

Coarse (`scan`): for every scale that a suspect may have, the most probable ones first, the best place. Fine (`refine`):
the best of them are improved. What was found counts where its score is beyond chance, which is the caller's part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice, repeat

import torch

from imuge_cli.image.turn import Turn
from imuge_cli.image.working_size import LIMIT
from imuge_cli.keys import Secret
from imuge_cli.lattice.placement import ORIENTATIONS, UPRIGHT, Orientation, Placement
from imuge_cli.lattice.refine import LEAST_SHOWN, SURE, Candidate, refined
from imuge_cli.lattice.scan import Place, Scale, best_places, reference
from imuge_cli.lattice.template import PITCH
from imuge_cli.lattice.view import Suspect

QUICK, THOROUGH, ALL = slice(3), slice(3, None), slice(None)
"""Passes of a search: those that take little, the others, and all."""

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
# By how many degrees a suspect may have been turned.
_TURNED = 5.0
# Of some 10^7 places the best reaches 5.6 by chance (see docs/geometry.md).
_PROMISING = 4.5
_TRIED, _TRIED_TURNED, _TRIED_CLOSE = 10, 30, 120


@dataclass(frozen=True)
class _Pass:
    """Scales (of rows, of columns) to try, and in which orientations. close: places between pixels are tried as well,
    so that phases count that bear less displacement; and more of what is found is looked at. turns: as many as
    scales, where the suspect is made level first; or none."""

    scales: Sequence[Scale]
    orientations: Sequence[Orientation]
    close: bool = False
    turns: Sequence[Turn] = ()

    @property
    def tried(self) -> int:
        """How many of the best places are improved."""
        return _TRIED_TURNED if self.turns else _TRIED_CLOSE if self.close else _TRIED


def _passes(height: int, width: int, orientations: Sequence[Orientation]) -> Iterator[_Pass]:
    """From the most probable to the dearest: same scale; any scale, widely spaced; turned a little; one side changed;
    closely spaced, for busy pictures, which bear hardly any displacement, then turned ones so; with a frame around."""
    yield _Pass([(1.0, 1.0)], orientations)
    yield _Pass(_alike(scales(height, width)), orientations)
    upright = [orientation for orientation in orientations if orientation == UPRIGHT]
    turned = [(scale, turn) for turn in _turns(height, width) for scale in _straightened(turn)] if upright else []
    turned_scales, turns = [scale for scale, _ in turned], [turn for _, turn in turned]
    yield _Pass(turned_scales, upright, turns=turns)
    yield _Pass(squeezed_scales(height, width), upright)
    fine, framed = scales(height, width, _SLACK / 2, fine=True), framed_scales(height, width)
    yield _Pass(_alike(scale for scale in fine if scale > _SMALLEST), upright, close=True)
    yield _Pass(turned_scales, upright, close=True, turns=turns)
    yield _Pass(_alike(scale for scale in framed if scale > _SMALLEST), upright)


def _alike(tried: Iterable[float]) -> list[Scale]:
    return [(scale, scale) for scale in tried]


def scales(height: int, width: int, slack: float = _SLACK, *, fine: bool = False) -> list[float]:
    """The scales that a suspect of this size may have: working pictures have limits, and little of one says nothing.

    slack: how far the suspect's edges may be off between two of them, working pixels. fine: by less where less is
    shown, and so little agreement to spare.
    """
    longer = max(height, width)
    least = min(LEAST_SHOWN, longer)
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


def _turns(height: int, width: int) -> Iterator[Turn]:
    """By how much a suspect may have been turned, from the least on."""
    step = math.degrees(4 * _SLACK / math.hypot(height, width))
    for number in range(1, math.ceil(_TURNED / step) + 1):
        for sign in (-1, 1):
            yield Turn.level(sign * number * step, (height, width), spare=step)


def _straightened(turn: Turn) -> Iterator[Scale]:
    """The scales that a turned suspect most probably has: its own; and, where a large picture was brought to its
    working size afterwards, those of programs that keep the largest part of its shape without corners, or all of it."""
    yield 1.0, 1.0
    for kept in (turn.inscribed(), turn.expanded()):
        yield 1 / kept, 1 / kept


def _candidates(pool: ThreadPoolExecutor, suspect: Suspect, secret: Secret, tried: _Pass) -> list[Candidate]:
    """The most promising placements, most promising first; not improved yet."""
    suspect.prepare(2 * math.sqrt(rows * columns) for rows, columns in tried.scales)
    for orientation in tried.orientations:
        reference(secret, orientation)

    def looked(scale: Scale, turn: Turn | None) -> list[tuple[Place, Turn | None]]:
        level = suspect if turn is None else suspect.turned_back(turn)
        places = best_places(level, secret, scale, tried.orientations, close=tried.close)
        return [(place, turn) for place in places]

    found = pool.map(looked, tried.scales, tried.turns or repeat(None))
    places = sorted((place for places in found for place in places), key=lambda place: -place[0].score)
    return [_placed(suspect, secret, *place) for place in places[: tried.tried] if place[0].score >= _PROMISING]


def _placed(suspect: Suspect, secret: Secret, place: Place, turn: Turn | None) -> Candidate:
    """A place in a placement's terms: somewhere in the first repetition of the pattern, which one is not known yet."""
    if place.orientation != UPRIGHT:
        # Once more in the picture as it was: there the first point is another one.
        upright = suspect.undone(place.orientation)
        (again,) = best_places(upright, secret, place.scale, [UPRIGHT], close=True)
        place = replace(again, orientation=place.orientation)
    top, left = (PITCH // 2 - at for at in (place.row, place.column))
    return Candidate(place.score, Placement(top, left, *place.scale, place.orientation, turn))


def promising(
    suspect: Suspect, secret: Secret, *, orientations: Sequence[Orientation] = ORIENTATIONS, passes: slice = ALL
) -> Iterator[Candidate]:
    """Improved candidates, the most promising ones of every pass first. passes: ALL, QUICK or THOROUGH."""
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads) as pool:
        for tried in islice(_passes(*suspect.shape, orientations), passes.start, passes.stop):
            candidates = _candidates(pool, suspect, secret, tried)
            # A few at a time: who has found what he looks for does not wait for the rest.
            for begin in range(0, len(candidates), threads):
                some = candidates[begin : begin + threads]
                for found in pool.map(lambda candidate: refined(suspect, candidate, secret), some):
                    if found.score >= SURE:
                        yield found
