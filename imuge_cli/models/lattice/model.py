"""The default family behind the protocol of `models`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from imuge_cli.errors import InputError, RecoveryError
from imuge_cli.image.working_size import carry_residual, to_working, working_size
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import STRENGTHS, Header, encode_header
from imuge_cli.lattice.synchronise import Fix, synchronise_direct
from imuge_cli.lattice.transform import luma
from imuge_cli.models.lattice.carrier import MIDDLE_LEVEL, STEPS, Carrier, make_carrier
from imuge_cli.models.lattice.contradiction import SEEN, contradicted
from imuge_cli.models.lattice.evidence import agreement_if_tampered
from imuge_cli.models.lattice.family import FAMILY, LatticeNetworks, first_evidence
from imuge_cli.models.lattice.framing import box_of, foreign, plane_in_frame, plane_in_suspect, visible
from imuge_cli.models.lattice.levelling import levels_in_frame
from imuge_cli.models.lattice.levels import as_suspect, levelled, tone
from imuge_cli.models.lattice.locating import Locator
from imuge_cli.models.lattice.looking import (
    MISSED,
    look_behind_white,
    look_further,
    shows_nearly_all,
    squared_difference,
)
from imuge_cli.models.lattice.pixels import added, pasted, restored, to_array, to_tensor
from imuge_cli.models.lattice.receiver import PERSISTENT, QUICK, THOROUGH, Draft, consistent, redraft
from imuge_cli.models.lattice.reception import Reception, receive
from imuge_cli.models.lattice.sender import describe, immunize_working, power_levels
from imuge_cli.models.lattice.toning import is_toned, ramp_of, without_colours
from imuge_cli.models.protocol import Frame, Immunized, Mask, Pixels, Recovered, Verified, require_size
from imuge_cli.networks.verifier import MULTIPLE
from imuge_cli.payload.source import SOURCE_BLOCK

_MARGIN = 48
# Where V's probability stays below, there is nothing to look at again.
_SUSPICION = 0.05
# A header is read where single blocks say next to nothing. V then flags what is untouched, or calls intact what is not,
# where phases agree less than this (docs/experiments.md), unless symbols and draft fit all the same, as after JPEG.
_LEAST_AGREEMENT, _LITTLE_DOUBT = 0.2, 0.1
# Where drafts leave so much before and after those looks something was changed, even if V does not see what; but what
# is left of the symbols in a crop leaves as much, and so do strips narrower than a source block.
_UNEXPLAINED = 0.4
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

# Where brightness tells all colours, and a draft leaves more doubt than the first, they may have been taken away; they
# were where a draft that supposes so leaves less than the second of the doubt.
_COLOURED, _BETTER = 0.03, 0.8

# What V gives no more than this says next to nothing of a place, but over a whole picture it takes away more of the
# symbols than V missed (docs/experiments.md).
_WAVERING = 0.25

# Where V's draft leaves more doubt than this, V looks once more, at one that takes longer (docs/experiments.md).
_OPEN = 0.03

# What V suspects beside its mask is replaced where its probability by a draft that was not shown it, times the square
# of how far the two lie apart, is more than the square of about what a draft errs by, grey levels
# (docs/experiments.md).
_DRAFTED_ERROR = 16.0

# Where more of the picture is lost than this, nothing is left to recover from.
_NEARLY_ALL_LOST = 0.97

# R costs little where it looks at what was tampered with alone (docs/experiments.md).
_LOOKS = 4
# As often where that is no more than so many pixels.
_LOOKS_AT_LITTLE, _LITTLE = 8, 2**16


@dataclass(frozen=True)
class _Evidence:
    """What verify keeps for recover."""

    carrier: Carrier
    reception: Reception
    probability: Tensor


@dataclass(frozen=True)
class _Seen:
    """What V saw: the reception, its probability without a draft and with drafts (1 x 1 x H x W), and the last one or
    two of those."""

    reception: Reception
    first: Tensor
    probability: Tensor
    drafts: tuple[Draft, ...]

    @property
    def draft(self) -> Draft:
        """The last one."""
        return self.drafts[-1]

    @property
    def calmest(self) -> Draft:
        """The one that leaves less doubt: one that takes longer trusts pixels further, too far where they were damaged
        more than pilots tell."""
        return min(self.drafts, key=lambda draft: float(draft.doubt))


class LatticeModel:
    """E, V and R over a keyed lattice, for one secret."""

    name = FAMILY

    def __init__(self, networks: LatticeNetworks, secret: Secret, device: torch.device, weights_sha256: str | None):
        placed: LatticeNetworks = networks.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._networks = placed.eval().requires_grad_(False)
        self._secret = secret
        self._device = device
        self._locator = Locator(secret, device)
        self.weights_sha256 = weights_sha256

    @torch.no_grad()
    def immunize(self, pixels: Pixels, header: Header) -> Immunized:
        """See Model.immunize."""
        height, width = pixels.shape[:2]
        require_size(height, width)
        size = working_size(height, width)
        working = to_tensor(np.clip(to_working(pixels, size), 0, 255), self._device)
        carrier = make_carrier(self._secret, *size, self._device)
        symbols = describe(carrier, working, self._networks.encoder)
        levels = power_levels(symbols)
        header = replace(header, level=int(levels))
        code = torch.from_numpy(encode_header(header))[None].to(self._device)
        sent = immunize_working(carrier, working, code, symbols, levels, STEPS[STRENGTHS[header.strength]])
        if size != (height, width):
            result = carry_residual(pixels, luma(sent - working)[0, 0].cpu().numpy())
        else:
            result = added(pixels, to_array(sent - working))
        self._check(result, size, header)
        return Immunized(pixels=result, working_size=size)

    def _check(self, pixels: Pixels, size: tuple[int, int], header: Header) -> None:
        """What was written must be found again: a picture that is saturated nearly everywhere has no room."""
        fix = synchronise_direct(self._locator.plane(pixels, size), self._secret, (STEPS[STRENGTHS[header.strength]],))
        if fix is None or fix.header != header:
            raise InputError(
                "this picture has no room for the immunization (nearly all of it is saturated, or one side is far "
                "too short for the other); use a larger or less extreme picture, or --strength strong"
            )

    @torch.no_grad()
    def verify(self, pixels: Pixels) -> Verified:
        """See Model.verify."""
        height, width = pixels.shape[:2]
        nothing = np.zeros((height, width), np.float32)
        found = self._locator.locate(pixels)
        if found is None:
            return Verified(frame=None, header=None, probability=nothing)
        frame, fix = found
        if frame.placement is not None and fix.header is None:
            # Which symbols lie where depends on the original's size, which the header tells.
            return Verified(frame=frame, header=None, probability=nothing, legible=False)
        carrier = make_carrier(self._secret, *frame.canvas, self._device)
        networks = self._networks
        # Without a header it is not known how large symbols are; and an encoder describes what it likes.
        described = fix.header is not None and networks.encoder is None
        canvas, known = self._canvas(pixels, frame, fix)
        seen = self._seen(carrier, self._receive(carrier, canvas, known, fix), described=described)
        if described and float(seen.draft.doubt) > _COLOURED and is_toned(canvas, known):
            grey = self._receive(carrier, without_colours(canvas), known, fix)
            grey = replace(grey, ramp=ramp_of(grey.picture, canvas, known))
            toned = self._seen(carrier, grey, described=True)
            if float(toned.draft.doubt) < _BETTER * float(seen.draft.doubt):
                received = replace(toned.reception, ramp=ramp_of(toned.reception.picture, canvas, known))
                seen = replace(toned, reception=received)
        reception, probability, calmest = seen.reception, seen.probability, seen.calmest
        if not _tells(carrier, reception, seen.first, seen.draft):
            return Verified(frame=frame, header=fix.header, probability=nothing, legible=False)
        doubt, unexplained = float(seen.draft.doubt), False
        if doubt > MISSED:
            further, drafted = look_further(networks, carrier, reception, probability, seen.draft)
            unexplained = _unexplained(carrier, reception, min(doubt, float(drafted.doubt)))
            # Otherwise what symbols contradict is left to them.
            if float((further > 0.5).float().mean()) > SEEN:
                probability, calmest = further, drafted
        if described:
            probability = contradicted(networks, carrier, reception, probability, calmest)
        inside = probability[(0, 0, *box_of(frame))]
        shown = np.clip(plane_in_suspect(inside.cpu().numpy(), frame, (height, width)), 0, 1)
        around = foreign(frame, (height, width))
        if around is not None:
            shown[around] = 1
        return Verified(
            frame=frame,
            header=fix.header,
            probability=shown,
            forewarned=doubt > MISSED,
            unexplained=unexplained,
            evidence=_Evidence(carrier, reception, probability),
            foreign=around,
            tone=tone(reception),
        )

    def _seen(self, carrier: Carrier, reception: Reception, *, described: bool) -> _Seen:
        """What V sees once levels are where they were. described: whether symbols describe the picture in a way that is
        known."""
        networks = self._networks
        first = torch.sigmoid(networks.first_look(reception, first_evidence(carrier, reception)))
        if described:
            received, reception = reception, levelled(carrier, reception, first)
            if reception.errors is not received.errors:
                first = torch.sigmoid(networks.first_look(reception, first_evidence(carrier, reception)))
        probability, drafts = self._looked(carrier, reception, first)
        behind = look_behind_white(networks, carrier, reception, first, probability, drafts[-1]) if described else None
        if behind is not None:
            first = behind
            probability, drafts = self._looked(carrier, reception, first, drafts[-1])
        return _Seen(reception, first, probability, drafts)

    def _looked(
        self, carrier: Carrier, reception: Reception, first: Tensor, before: Draft | None = None
    ) -> tuple[Tensor, tuple[Draft, ...]]:
        """V's probability with drafts, 1 x 1 x H x W, and the last one or two of them. first: V's probability without
        one."""
        networks = self._networks
        solution = networks.solve(carrier, reception, first, QUICK, before=before)
        probability = torch.sigmoid(networks.second_look(reception, solution))
        # Each look sharpens the draft that the next one compares with; another still pays, and where that leaves doubt
        # one more, at a draft that takes longer and does not hold what V wavers over against all of the picture.
        box = _look_again(probability)
        if box is None:
            return probability, (solution,)
        solution = networks.solve(carrier, reception, probability, QUICK, before=solution)
        probability[(..., *box)] = torch.sigmoid(networks.second_look(reception, solution, box))
        if float(solution.doubt) > _OPEN:
            longer = networks.solve(carrier, reception, _suspected(probability), THOROUGH, before=solution)
            probability[(..., *box)] = torch.sigmoid(networks.second_look(reception, longer, box))
            return probability, (solution, longer)
        return probability, (solution,)

    def _canvas(self, pixels: Pixels, frame: Frame, fix: Fix) -> tuple[Tensor, Tensor]:
        """The suspect in the working picture's frame, 1 x 3 x H x W, grey levels, and where that is, 1 x 1 x H x W."""
        canvas = torch.full((1, 3, *frame.canvas), 128.0, device=self._device)
        known = torch.zeros(1, 1, *frame.canvas, device=self._device)
        rows, columns = box_of(frame)
        canvas[..., rows, columns] = to_tensor(levels_in_frame(pixels, frame, fix, self._secret), self._device)
        known[..., rows, columns] = torch.from_numpy(visible(frame)).float().to(self._device)
        return canvas.clamp(0, 255), known

    def _receive(self, carrier: Carrier, canvas: Tensor, known: Tensor, fix: Fix) -> Reception:
        code = torch.from_numpy(fix.code)[None].to(self._device)
        level = MIDDLE_LEVEL if fix.header is None else fix.header.level
        levels = torch.tensor([level], device=self._device)
        return receive(carrier, canvas, code, levels, known, fix.step, self._networks.resolver)

    @torch.no_grad()
    def confirmed(self, verified: Verified, suspected: Mask) -> Mask:
        """See Model.confirmed."""
        evidence, frame = _found(verified)
        place = box_of(frame)
        lost = self._lost(suspected, frame)
        box = _look_again(lost * _box(lost, *place))
        if box is None or float(lost.mean()) > _NEARLY_ALL_LOST:
            return np.zeros_like(suspected)
        reception = evidence.reception
        solution = self._settled(evidence, torch.maximum(lost, _suspected(evidence.probability)))
        probability = torch.zeros_like(lost)
        probability[(..., *box)] = torch.sigmoid(self._networks.second_look(reception, solution, box))
        worth = probability * squared_difference(reception, solution)
        shown = plane_in_suspect(worth[(0, 0, *place)].cpu().numpy(), frame, suspected.shape)
        return suspected & (shown > _DRAFTED_ERROR**2)

    @torch.no_grad()
    def recover(
        self, pixels: Pixels, verified: Verified, mask: Mask, *, own_mask: bool, restore_canvas: bool
    ) -> Recovered:
        """See Model.recover."""
        evidence, frame = _found(verified)
        rows, columns = box_of(frame)
        lost = self._lost(mask, frame)
        if float(lost.mean()) > _NEARLY_ALL_LOST:
            raise RecoveryError("nearly the whole picture is missing or tampered with; nothing is left to recover from")
        # What V suspects without flagging it must not be believed either, unless a person drew the mask.
        doubted = torch.maximum(lost, _suspected(evidence.probability)) if own_mask else lost
        first = self._settled(evidence, doubted)
        solution, seen = self._improved(evidence, lost, first, own_mask=own_mask)
        wanted = lost if restore_canvas else lost * _box(lost, rows, columns)
        box = _bounding_box(wanted[0, 0], _MARGIN)
        if float(lost.mean()) > _MUCH_LOST and float(solution.doubt) > _NEVER_SETTLED:
            ends = [first] if first is solution else [first, solution]
            recovered = torch.stack([self._recovered(evidence, lost, draft, box) for draft in ends]).mean(0)
        else:
            if not seen or seen[-1][0] is not solution:
                seen.append((solution, self._recovered(evidence, lost, solution, box)))
            recovered = self._finished(evidence, lost, solution, _joined(seen), box)
        whole = to_array(as_suspect(evidence.reception, recovered).clamp(0, 255))
        information = float(solution.information)
        # What lies around the picture never was part of it, and stays, or is left out.
        inside = mask if verified.foreign is None else mask & ~verified.foreign
        if restore_canvas:
            return Recovered(restored(pixels, whole, mask, frame, verified.header), information, inside)
        return Recovered(pasted(pixels, whole[rows, columns], inside, frame), information, inside)

    def _lost(self, mask: Mask, frame: Frame) -> Tensor:
        """Where nothing is believed, 1 x 1 x H x W: under a suspect's mask, and where the suspect shows nothing."""
        lost = torch.ones(1, 1, *frame.canvas, device=self._device)
        small = (plane_in_frame(mask, frame) > 0.01) | ~visible(frame)
        lost[(0, 0, *box_of(frame))] = torch.from_numpy(small).float().to(self._device)
        return lost

    def _settled(self, evidence: _Evidence, doubted: Tensor) -> Draft:
        """The draft that leaves least doubt. doubted: 1 x 1 x H x W, that a pixel was tampered with."""
        solution = self._networks.solve(evidence.carrier, evidence.reception, doubted)
        if float(solution.doubt) <= _UNSETTLED:
            return solution
        other = self._networks.solve(evidence.carrier, evidence.reception, doubted, PERSISTENT, before=solution)
        return other if float(other.doubt) < float(solution.doubt) else solution

    def _improved(
        self, evidence: _Evidence, lost: Tensor, solution: Draft, *, own_mask: bool
    ) -> tuple[Draft, list[tuple[Draft, Tensor]]]:
        """The draft with wraps told by what R makes of it, as far as that can matter; and what R made (`_recovered`) of
        the drafts on the way, of that one too where it looked in all ways and the next did not count.

        own_mask: what V missed counts as shown, and a draft that trusts it further is worse, which its doubt tells.
        """
        box = _bounding_box(lost[0, 0], _MARGIN)
        # Of a crop R draws all that was cut away as well, which takes long.
        looks = None if bool(evidence.reception.known.all()) else 1
        seen: list[tuple[Draft, Tensor]] = []
        slow = float(lost.mean()) > _MUCH_LOST
        latest, settling = solution, False
        for number in range(_MOST_ROUNDS if slow else _ROUNDS):
            if box is None or (float(latest.doubt) < _worth_a_round(number) and not settling):
                break
            recovered = self._recovered(evidence, lost, latest, box, looks)
            other = redraft(latest, torch.where(lost > 0, recovered, evidence.reception.picture))
            if number >= _ROUNDS:
                counts = float(other.doubt) < float(solution.doubt)
            else:
                counts = not own_mask or float(other.doubt) < float(solution.doubt) + _TOLERATED
            if latest is solution and (counts or looks is None):
                seen.append((solution, recovered))
            if counts:
                solution = other
            elif latest is not solution or not slow or float(other.doubt) < _FAR:
                break
            settling = number >= _ROUNDS - 1 and float(other.doubt) < _SETTLING * float(latest.doubt)
            # Even one that does not count: a draft far from settled may leave more doubt before it leaves less.
            latest = other
        return solution, seen

    def _finished(
        self, evidence: _Evidence, lost: Tensor, solution: Draft, recovered: Tensor, box: tuple[slice, slice] | None
    ) -> Tensor:
        """What R made of a draft, held against the symbols, given to R once more, and held against them again."""
        if box is None:
            return recovered
        drawn = _box(lost, *box) > 0

        def held(recovered: Tensor) -> Draft:
            # What R did not draw is left as the draft has it: symbols tell of all that is lost at once.
            picture = torch.where(drawn, recovered, solution.picture)
            return consistent(solution, torch.where(lost > 0, picture, evidence.reception.picture))

        once = held(recovered)
        twice = held(self._recovered(evidence, lost, once, box))
        # Both err, not everywhere alike; the second errs less.
        return (once.picture + 2 * twice.picture) / 3

    def _recovered(
        self,
        evidence: _Evidence,
        lost: Tensor,
        solution: Draft,
        box: tuple[slice, slice] | None,
        looks: int | None = None,
    ) -> Tensor:
        """The suspect with R's picture in a box: 1 x 3 x H x W, grey levels, not clipped. looks: as many as pay."""
        recovered = evidence.reception.picture.clone()
        if box is not None:
            if looks is None:
                looks = _LOOKS_AT_LITTLE if lost[(..., *box)].numel() <= _LITTLE else _LOOKS
            window = self._networks.recover_window(evidence.reception, lost, solution, box, looks=looks)
            recovered[(..., *box)] = window * 255
        return recovered


def _found(verified: Verified) -> tuple[_Evidence, Frame]:
    evidence, frame = verified.evidence, verified.frame
    if not isinstance(evidence, _Evidence) or frame is None:
        raise RecoveryError("nothing to recover from: no immunization was found in this picture")
    return evidence, frame


def _worth_a_round(number: int) -> float:
    """The doubt a draft has to leave for R to have its say in the wraps once more, by how often it had."""
    return _FAR if number >= _ROUNDS else (_MUCH_DOUBTED if number else _DOUBTED)


def _suspected(probability: Tensor) -> Tensor:
    """V's probability where it says something of a place, and nothing where it only wavers."""
    return torch.where(probability > _WAVERING, probability, 0)


def _joined(seen: list[tuple[Draft, Tensor]]) -> Tensor:
    """The mean of what R made of the last draft and of the one before, since two drafts err in different places and so
    does R on them; each counts the more the less doubt its draft leaves, and the last, mostly better, twice."""
    if len(seen) == 1:
        return seen[0][1]
    (former, earlier), (draft, recovered) = seen[-2:]
    share = float(draft.doubt) / (float(draft.doubt) + 2 * float(former.doubt))
    return share * earlier + (1 - share) * recovered


def _tells(carrier: Carrier, reception: Reception, probability: Tensor, solution: Draft) -> bool:
    """Whether what is left of the lattice tells tampered blocks from others, where a header can still be read."""
    agreed = agreement_if_tampered(carrier, reception, probability)
    return bool(agreed >= _LEAST_AGREEMENT) or bool(solution.doubt <= _LITTLE_DOUBT)


def _unexplained(carrier: Carrier, reception: Reception, doubt: float) -> bool:
    """Whether so much doubt can only mean that something was changed."""
    whole = shows_nearly_all(reception) and min(carrier.height, carrier.width) >= SOURCE_BLOCK
    return whole and doubt > _UNEXPLAINED


def _box(like: Tensor, rows: slice, columns: slice) -> Tensor:
    box = torch.zeros_like(like)
    box[..., rows, columns] = 1
    return box


def _look_again(probability: Tensor) -> tuple[slice, slice] | None:
    """The rows and columns, multiples of V's own, where V saw anything (N = 1); None where it saw nothing."""
    box = _bounding_box((probability[0, 0] > _SUSPICION).float(), _MARGIN)
    if box is None:
        return None
    height, width = probability.shape[-2:]
    return _widened(box[0], height), _widened(box[1], width)


def _widened(part: slice, side: int) -> slice:
    """To multiples of V's own, or to the end of the side."""
    return slice(part.start // MULTIPLE * MULTIPLE, min(-(-part.stop // MULTIPLE) * MULTIPLE, side))


def _bounding_box(plane: Tensor, margin: int) -> tuple[slice, slice] | None:
    """The rows and columns where a plane is positive, with a margin, within the plane."""
    rows, columns = (plane > 0).any(1).nonzero(), (plane > 0).any(0).nonzero()
    if not len(rows):
        return None
    top, bottom = max(0, int(rows[0]) - margin), min(plane.shape[0], int(rows[-1]) + 1 + margin)
    left, right = max(0, int(columns[0]) - margin), min(plane.shape[1], int(columns[-1]) + 1 + margin)
    return slice(top, bottom), slice(left, right)
