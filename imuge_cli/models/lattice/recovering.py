"""What the original showed where a suspect was tampered with: drafts and R, as often as each helps the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from imuge_cli.models.lattice.boxes import Box, bounding_box, ones_in
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.models.lattice.receiver import PERSISTENT, Draft, consistent, redraft
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.models.lattice.seeing import MARGIN

# A solution that leaves more doubt than this has not settled: wraps were taken wrongly, and another way of getting
# there is tried (docs/experiments.md).
_UNSETTLED = 0.15
# Where a draft leaves more doubt than the first, R has its say in the wraps; where it goes on leaving more than the
# second, twice more (docs/experiments.md).
_DOUBTED, _MUCH_DOUBTED, _ROUNDS = 0.01, 0.03, 3
# With V's mask a round that leaves so much more doubt trusts what V missed.
_TOLERATED = 0.01
# Where more of the picture is lost than the first, drafts take long to settle: then R has its say up to so many times,
# as long as more doubt than the second is left, or a round leaves less than a share of it (docs/experiments.md).
_MUCH_LOST, _FAR, _SETTLING, _MOST_ROUNDS = 0.3, 0.2, 0.8, 8
# What leaves more than this after all rounds does not settle: symbols held against it mislead, and R's picture of the
# first draft is as good as that of the last (docs/experiments.md).
_NEVER_SETTLED = 0.5
# Where symbols arrive with no more noise than the first, cells squared, and nothing settles, drafts may settle that
# trust what V is less certain of than the second (docs/experiments.md).
_QUIET, CERTAIN = 0.02, 0.95
# R costs little where it looks at what was tampered with alone (docs/experiments.md).
_LOOKS = 4
# As often where that is no more than so many pixels.
_LOOKS_AT_LITTLE, _LITTLE = 8, 2**16
# How often what was held against the symbols is given to R again: once, and where that is little twice
# (docs/experiments.md).
_AGAIN, _AGAIN_AT_LITTLE = 1, 2


def settled(networks: LatticeNetworks, carrier: Carrier, reception: Reception, doubted: Tensor) -> Draft:
    """The draft that leaves least doubt. doubted: 1 x 1 x H x W, that a pixel was tampered with."""
    solution = networks.solve(carrier, reception, doubted)
    if float(solution.doubt) <= _UNSETTLED:
        return solution
    other = networks.solve(carrier, reception, doubted, PERSISTENT, before=solution)
    return other if float(other.doubt) < float(solution.doubt) else solution


@dataclass(frozen=True)
class _Drawn:
    """What R made of a draft (`Recovery._drawn`): 1 x 3 x H x W."""

    draft: Draft
    picture: Tensor


@dataclass(frozen=True)
class _Course:
    """How drafts went. drawn: what R made of those on the way (`Recovery._improved`)."""

    first: Draft
    last: Draft
    drawn: list[_Drawn]

    @property
    def doubt(self) -> float:
        return float(self.last.doubt)


@dataclass(frozen=True)
class Recovery:
    """One suspect's recovery.

    lost: 1 x 1 x H x W, where nothing is believed. certain: 1 x 1 x H x W, where V is certain of that, for when nothing
    settles otherwise; None where a person said what is lost.
    """

    networks: LatticeNetworks
    carrier: Carrier
    reception: Reception
    lost: Tensor
    certain: Tensor | None

    def run(self, doubted: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        """The suspect with what was lost recovered where that is wanted, 1 x 3 x H x W, grey levels, not clipped; and
        the bits that the symbols that were left can carry.

        doubted, wanted: 1 x 1 x H x W, that a pixel was tampered with, and positive where it is wanted.
        """
        course = self._course(settled(self.networks, self.carrier, self.reception, doubted))
        if self.certain is not None and self._never_settled(course) and float(course.first.noise.mean()) <= _QUIET:
            course = self._settled_trusting(self.certain, course)
        box = bounding_box(wanted[0, 0], MARGIN)
        first, last, drawn = course.first, course.last, course.drawn
        information = float(last.information)
        if self._never_settled(course):
            ends = [first] if first is last else [first, last]
            return torch.stack([self._drawn(draft, box).picture for draft in ends]).mean(0), information
        if not drawn or drawn[-1].draft is not last:
            drawn = [*drawn, self._drawn(last, box)]
        return self._finished(last, _joined(drawn), box), information

    def _course(self, first: Draft) -> _Course:
        return _Course(first, *self._improved(first))

    def _never_settled(self, course: _Course) -> bool:
        return self._much_lost and course.doubt > _NEVER_SETTLED

    def _settled_trusting(self, certain: Tensor, before: _Course) -> _Course:
        """The course that leaves least doubt of that before, one of drafts that trust all that is not certainly lost,
        and, where that one does not settle either, one to which it has shown the way. That before, if none settles."""
        trusting = replace(self, lost=certain)
        other = trusting._course(settled(self.networks, self.carrier, self.reception, certain))
        # R drew less than is lost.
        courses = [before, replace(other, drawn=[])]
        if _UNSETTLED < other.doubt < before.doubt:
            made = self._drawn(other.last, bounding_box(self.lost[0, 0], MARGIN))
            courses.append(self._course(redraft(before.first, self._in_suspect(made.picture))))
        best = min(courses, key=lambda course: course.doubt)
        return before if self._never_settled(best) else best

    @property
    def _much_lost(self) -> bool:
        return float(self.lost.mean()) > _MUCH_LOST

    def _improved(self, solution: Draft) -> tuple[Draft, list[_Drawn]]:
        """The draft with wraps told by what R makes of it, as far as that can matter; and what R made of the drafts on
        the way, of that one too where it looked in all ways and the next did not count."""
        box = bounding_box(self.lost[0, 0], MARGIN)
        # Of a crop R draws all that was cut away as well, which takes long.
        looks = None if bool(self.reception.known.all()) else 1
        drawn: list[_Drawn] = []
        slow = self._much_lost
        latest, settling = solution, False
        for number in range(_MOST_ROUNDS if slow else _ROUNDS):
            if box is None or (float(latest.doubt) < _worth_a_round(number) and not settling):
                break
            made = self._drawn(latest, box, looks)
            other = redraft(latest, self._in_suspect(made.picture))
            if number >= _ROUNDS:
                counts = float(other.doubt) < float(solution.doubt)
            else:
                # What V missed counts as shown, and a draft that trusts it further is worse, which its doubt tells.
                counts = self.certain is None or float(other.doubt) < float(solution.doubt) + _TOLERATED
            if latest is solution and (counts or looks is None):
                drawn.append(made)
            if counts:
                solution = other
            elif latest is not solution or not slow or float(other.doubt) < _FAR:
                break
            settling = number >= _ROUNDS - 1 and float(other.doubt) < _SETTLING * float(latest.doubt)
            # Even one that does not count: a draft far from settled may leave more doubt before it leaves less.
            latest = other
        return solution, drawn

    def _finished(self, solution: Draft, recovered: Tensor, box: Box | None) -> Tensor:
        """What R made of a draft, held against the symbols, given to R once or twice more, and held each time."""
        if box is None:
            return recovered
        within = ones_in(self.lost, box) > 0

        def held(recovered: Tensor) -> Draft:
            # What R did not draw is left as the draft has it: symbols tell of all that is lost at once.
            picture = torch.where(within, recovered, solution.picture)
            return consistent(solution, self._in_suspect(picture))

        latest = held(recovered)
        pictures = [latest.picture]
        for _ in range(_AGAIN_AT_LITTLE if self._is_little(box) else _AGAIN):
            latest = held(self._drawn(latest, box).picture)
            pictures.append(latest.picture)
        # All err, not everywhere alike; each errs less than the one before.
        weights = range(1, len(pictures) + 1)
        return torch.stack([weight * x for weight, x in zip(weights, pictures, strict=True)]).sum(0) / sum(weights)

    def _in_suspect(self, picture: Tensor) -> Tensor:
        """A picture where that is lost, and the suspect around it."""
        return torch.where(self.lost > 0, picture, self.reception.picture)

    def _is_little(self, box: Box) -> bool:
        """Whether R costs so little there that it may look as often as anything is won."""
        return self.lost[(..., *box)].numel() <= _LITTLE

    def _drawn(self, solution: Draft, box: Box | None, looks: int | None = None) -> _Drawn:
        """The suspect with R's picture in a box, grey levels, not clipped. looks: as many as pay."""
        picture = self.reception.picture.clone()
        if box is not None:
            if looks is None:
                looks = _LOOKS_AT_LITTLE if self._is_little(box) else _LOOKS
            window = self.networks.recover_window(self.reception, self.lost, solution, box, looks=looks)
            picture[(..., *box)] = window * 255
        return _Drawn(solution, picture)


def _worth_a_round(number: int) -> float:
    """The doubt a draft has to leave for R to have its say in the wraps once more, by how often it had."""
    return _FAR if number >= _ROUNDS else (_MUCH_DOUBTED if number else _DOUBTED)


def _joined(drawn: list[_Drawn]) -> Tensor:
    """The mean of what R made of the last draft and of the one before, since two drafts err in different places and so
    does R on them; each counts the more the less doubt its draft leaves, and the last, mostly better, twice."""
    if len(drawn) == 1:
        return drawn[0].picture
    former, last = drawn[-2:]
    share = float(last.draft.doubt) / (float(last.draft.doubt) + 2 * float(former.draft.doubt))
    return share * former.picture + (1 - share) * last.picture
