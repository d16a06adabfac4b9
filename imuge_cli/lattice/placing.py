"""Where the lattice lies in a suspect of any scale and place, or turned by some degrees: by the template, and the
header that is read there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imuge_cli.keys import Secret
from imuge_cli.lattice.header import CODE_BITS, Header
from imuge_cli.lattice.placement import ORIENTATIONS, UPRIGHT, Orientation, Placement
from imuge_cli.lattice.refine import SURE, Candidate, converged, refined
from imuge_cli.lattice.search import QUICK, THOROUGH, promising
from imuge_cli.lattice.synchronise import Fix, agreement_undone, pilot_agreement, pilots_at, synchronise_at
from imuge_cli.lattice.view import Suspect

TEMPLATE_THRESHOLD_ALONE = 8.0
"""Tens of millions of places and scales are tried, and the best improved: docs/geometry.md says how far chance goes."""
DOUBTFUL = 0.35
"""Mean cosine of the pilots' phase errors, below which a header may have been read where only a part of the suspect
lies as it is taken to. JPEG 50 leaves .4."""

# How far beside its place, working pixels, a picture's header can be read.
_BESIDE = 2
# By which share of its pixels a suspect of 1,024 may be scaled, and still lie pixel on pixel.
_PIXEL_ON_PIXEL = 2e-4
# By how many degrees a suspect may have been turned that was found as if it had not been; and by how many working
# pixels its corners are off where that is worth an interpolation.
_TURNED, _LEVEL = 1.0, 0.2
# A score of the template from which on a place is near the true one.
_NEAR = 12.0
# By which factor pilots have to agree better elsewhere.
_BETTER = 1.5


@dataclass(frozen=True)
class Placed:
    """fix: as for the box of working pixels that the suspect shows in whole. placement: of the suspect."""

    fix: Fix
    placement: Placement


def synchronise_near(
    plane: Tensor, secret: Secret, header: Header, fix: Fix, scale: tuple[float, float]
) -> Placed | None:
    """The best place of a suspect whose header was read at `fix` or near it: pixel on pixel by the pilots, and, were it
    cropped or scaled, in between by the template. None where the header is read in none.

    plane: luma, 1 x 1 x H x W, grey levels. scale: of rows and columns, of the suspect's pixels to working ones, were
    it cropped alone.
    """
    found = []
    if max(abs(1 - scale[0]), abs(1 - scale[1])) < _PIXEL_ON_PIXEL:
        whole = synchronise_beside(plane, secret, fix)
        if whole is not None:
            found.append(whole)
    if plane.shape[-2:] != (header.height, header.width):
        upright = plane[0, 0].cpu().numpy()
        suspect = Suspect(upright)
        for down, right in product((0, _BESIDE), repeat=2):
            start = Placement(fix.top + down, fix.left + right, *scale)
            candidate = converged(suspect, Candidate(0.0, start), secret)
            if candidate.score >= SURE:
                found.append(read_at(upright, secret, (fix.step,), candidate, thorough=False))
    read = [placed for placed in found if placed.fix.header == header]
    return max(read, key=lambda placed: placed.fix.z_score, default=None)


def synchronise_beside(plane: Tensor, secret: Secret, fix: Fix) -> Placed | None:
    """The best place pixel on pixel, by the pilots, within two pixels of one that was found; None where no lattice is.

    plane: luma, 1 x 1 x H x W, grey levels.
    """
    steps = range(-_BESIDE, _BESIDE + 1)
    places = [(fix.top + down, fix.left + right) for down, right in product(steps, repeat=2)]
    top, left = max(places, key=lambda place: pilots_at(plane, secret, fix.step, *place))
    whole = synchronise_at(plane, secret, (fix.step,), top, left)
    return None if whole is None else Placed(whole, Placement(top, left, 1.0, 1.0))


def synchronise_level(plane: Tensor, secret: Secret, fix: Fix, scale: tuple[float, float]) -> Placed | None:
    """The place of a suspect that was turned by a fraction of a degree, from one that was found for it as it lies; None
    where it was not, or a header is read there that is not that of `fix`, or none.

    plane: luma, 1 x 1 x H x W, grey levels. scale: of rows and columns, of the suspect's pixels to working ones.
    """
    upright = plane[0, 0].cpu().numpy()
    start = Candidate(0.0, Placement(fix.top, fix.left, *scale))
    candidate = _levelled(Suspect(upright), start, secret)
    if candidate.placement.turn is None or candidate.score < SURE:
        return None
    placed = read_at(upright, secret, (fix.step,), candidate, thorough=False)
    found = placed.fix.header
    return placed if found is not None and fix.header in (None, found) else None


def synchronise_anywhere(plane: NDArray[np.float32], secret: Secret, steps: tuple[float, ...]) -> Placed | None:
    """Try every scale, offset and orientation by the template (see `search`).

    plane: luma, H x W grey levels. The fix has no header, and says nothing but the place and the template's score,
    where the template alone is beyond doubt.
    """
    best: _Found | None = None
    suspect = Suspect(plane)
    for passes in (QUICK, THOROUGH):
        for found in _found(suspect, secret, steps, ORIENTATIONS, passes):
            if found.settled(suspect):
                return found.placed
            if best is None or found.score > best.score:
                best = found
        # The slow passes are for what the quick ones did not find.
        if best is not None and best.certain and best.placed.fix.header is not None:
            break
    return None if best is None else best.placed


def synchronise_elsewhere(plane: Tensor, secret: Secret, steps: tuple[float, ...], fix: Fix) -> Placed | None:
    """A place, upright or turned by a few degrees, at which pilots agree much better than at one where they agree so
    little that only a part of the suspect may lie so; None where there is none, or another picture's.

    plane: luma, 1 x 1 x H x W, grey levels. Only the quick passes of the search are tried. `fix` is taken with
    blur and the like undone, as places are where no header is read otherwise; if pilots agree well so, none is tried.
    """
    fix = replace(fix, z_score=agreement_undone(plane, secret, fix))
    if pilot_agreement(fix, (plane.shape[-2], plane.shape[-1])) >= DOUBTFUL:
        return None
    suspect = Suspect(plane[0, 0].cpu().numpy())
    read = [
        found.placed
        for found in _found(suspect, secret, steps, (UPRIGHT,), QUICK)
        if found.placed.fix.header is not None and fix.header in (None, found.placed.fix.header)
    ]
    best = max(read, key=lambda placed: placed.fix.z_score, default=None)
    return best if best is not None and best.fix.z_score > _BETTER * fix.z_score else None


@dataclass(frozen=True)
class _Found:
    """What is believed of a candidate. certain: by the template alone. score: the template's."""

    placed: Placed
    certain: bool
    score: float

    def settled(self, suspect: Suspect) -> bool:
        """Whether nothing else has to be looked at."""
        if self.placed.fix.header is None or not self.certain:
            return False
        placement = self.placed.placement
        shown = int(suspect.shape[0] / placement.rows_scale), int(suspect.shape[1] / placement.columns_scale)
        return pilot_agreement(self.placed.fix, shown) >= DOUBTFUL


def _found(
    suspect: Suspect, secret: Secret, steps: tuple[float, ...], orientations: Sequence[Orientation], passes: slice
) -> Iterator[_Found]:
    for candidate in promising(suspect, secret, orientations=orientations, passes=passes):
        certain = candidate.score >= TEMPLATE_THRESHOLD_ALONE
        if certain:
            candidate = exact(suspect, candidate, secret)
        # To find out what was done to the frequencies takes long: only where the template is certain.
        placed = read_at(suspect.plane, secret, steps, candidate, thorough=certain)
        # A header can be read a little beside the true place too, where nothing else can.
        if certain or placed.fix.header is not None:
            yield _Found(placed, certain, candidate.score)


def exact(suspect: Suspect, candidate: Candidate, secret: Secret) -> Candidate:
    """A candidate at the place where the template agrees best near it, turned by a fraction of a degree or not."""
    return _levelled(suspect, converged(suspect, candidate, secret), secret)


def _levelled(suspect: Suspect, candidate: Candidate, secret: Secret) -> Candidate:
    """The candidate, or what it becomes where the template agrees better with a suspect made level."""
    placement = candidate.placement
    if placement.orientation != UPRIGHT or placement.turn is not None:
        return candidate
    start = replace(candidate, placement=placement.turnable(suspect.shape, _TURNED))
    level = refined(suspect, start, secret)
    if level.score < _NEAR or _corners_off(level.placement, suspect) > _LEVEL / 2:
        level = converged(suspect, max(start, level, key=lambda one: one.score), secret)
    return level if level is not start and _corners_off(level.placement, suspect) > _LEVEL else candidate


def _corners_off(placement: Placement, suspect: Suspect) -> float:
    """By how many working pixels a turn moves the corners."""
    degrees = 0.0 if placement.turn is None else placement.turn.degrees
    return math.radians(abs(degrees)) * math.hypot(*suspect.shape) / 2 / placement.scale


def read_at(
    plane: NDArray[np.float32], secret: Secret, steps: tuple[float, ...], candidate: Candidate, *, thorough: bool
) -> Placed:
    """A candidate with the header that is read there, if any. thorough: see `synchronise_at`."""
    placement = candidate.placement.aligned()
    upright = placement.upright(plane)
    rows, columns = placement.box(*upright.shape)
    shown = torch.from_numpy(placement.shown(upright, rows, columns))[None, None]
    fix = synchronise_at(shown, secret, steps, rows.start, columns.start, thorough=thorough)
    if fix is None:
        code = np.zeros(CODE_BITS, np.uint8)
        fix = Fix(rows.start, columns.start, candidate.score, steps[0], None, code)
    return Placed(fix, placement)
