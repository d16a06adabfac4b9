"""The default family behind the protocol of `models`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from imuge_cli.errors import InputError, RecoveryError
from imuge_cli.image.working_size import carry_residual, to_working, working_size
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import FINE_SINCE, STRENGTHS, Header, encode_header
from imuge_cli.lattice.synchronise import Fix, synchronise_direct
from imuge_cli.lattice.transform import luma
from imuge_cli.models.lattice.boxes import ones_in
from imuge_cli.models.lattice.carrier import MIDDLE_LEVEL, STEPS, Carrier, make_carrier
from imuge_cli.models.lattice.contradiction import SEEN, contradicted
from imuge_cli.models.lattice.family import FAMILY, LatticeNetworks
from imuge_cli.models.lattice.framing import box_of, foreign, plane_in_frame, plane_in_suspect, visible
from imuge_cli.models.lattice.levelling import levels_in_frame
from imuge_cli.models.lattice.levels import as_suspect, tone
from imuge_cli.models.lattice.locating import Locator
from imuge_cli.models.lattice.looking import MISSED, look_further, squared_difference
from imuge_cli.models.lattice.pixels import added, pasted, restored, to_array, to_tensor
from imuge_cli.models.lattice.reception import Reception, receive
from imuge_cli.models.lattice.recovering import CERTAIN, Recovery, settled
from imuge_cli.models.lattice.seeing import see, suspicion, tells, to_look_at, unexplained
from imuge_cli.models.lattice.sender import describe, immunize_working, power_levels
from imuge_cli.models.lattice.toning import is_toned, ramp_of, without_colours
from imuge_cli.models.protocol import Frame, Immunized, Mask, Pixels, Recovered, Verified, require_size

# Where brightness tells all colours, and a draft leaves more doubt than the first, they may have been taken away; they
# were where a draft that supposes so leaves less than the second of the doubt.
_COLOURED, _BETTER = 0.03, 0.8

# What V suspects beside its mask is replaced where its probability by a draft that was not shown it, times the square
# of how far the two lie apart, is more than the square of about what a draft errs by, grey levels
# (docs/experiments.md).
_DRAFTED_ERROR = 16.0

# Where more of the picture is lost than this, nothing is left to recover from.
_NEARLY_ALL_LOST = 0.97


@dataclass(frozen=True)
class _Evidence:
    """What verify keeps for recover."""

    carrier: Carrier
    reception: Reception
    probability: Tensor


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
        carrier = make_carrier(self._secret, *size, self._device, header.version)
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
        # Without a header nothing is known of the symbols, and no fine slots are asked.
        version = FINE_SINCE - 1 if fix.header is None else fix.header.version
        carrier = make_carrier(self._secret, *frame.canvas, self._device, version)
        networks = self._networks
        # Without a header it is not known how large symbols are; and an encoder describes what it likes.
        described = fix.header is not None and networks.encoder is None
        canvas, known = self._canvas(pixels, frame, fix)
        seen = see(networks, carrier, self._receive(carrier, canvas, known, fix), described=described)
        if described and float(seen.draft.doubt) > _COLOURED and is_toned(canvas, known):
            grey = self._receive(carrier, without_colours(canvas), known, fix)
            grey = replace(grey, ramp=ramp_of(grey.picture, canvas, known))
            toned = see(networks, carrier, grey, described=True)
            if float(toned.draft.doubt) < _BETTER * float(seen.draft.doubt):
                received = replace(toned.reception, ramp=ramp_of(toned.reception.picture, canvas, known))
                seen = replace(toned, reception=received)
        reception, probability, calmest = seen.reception, seen.probability, seen.calmest
        if not tells(carrier, seen):
            return Verified(frame=frame, header=fix.header, probability=nothing, legible=False)
        doubt, in_vain = float(seen.draft.doubt), False
        if doubt > MISSED:
            further, drafted = look_further(networks, carrier, reception, probability, seen.draft)
            in_vain = unexplained(carrier, reception, min(doubt, float(drafted.doubt)))
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
            unexplained=in_vain,
            evidence=_Evidence(carrier, reception, probability),
            foreign=around,
            tone=tone(reception),
        )

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
        box = to_look_at(lost * ones_in(lost, place))
        if box is None or float(lost.mean()) > _NEARLY_ALL_LOST:
            return np.zeros_like(suspected)
        reception = evidence.reception
        doubted = torch.maximum(lost, suspicion(evidence.probability))
        solution = settled(self._networks, evidence.carrier, reception, doubted)
        probability = torch.zeros_like(lost)
        probability[(..., *box)] = torch.sigmoid(self._networks.second_look(reception, solution, box))
        worth = probability * squared_difference(reception, solution)
        shown = plane_in_suspect(worth[(0, 0, *place)].cpu().numpy(), frame, suspected.shape)
        return suspected & (shown > _DRAFTED_ERROR**2)

    @torch.no_grad()
    def recover(
        self, pixels: Pixels, verified: Verified, mask: Mask, *, doubted: Mask | None, restore_canvas: bool
    ) -> Recovered:
        """See Model.recover."""
        evidence, frame = _found(verified)
        rows, columns = box_of(frame)
        lost = self._lost(mask, frame)
        if float(lost.mean()) > _NEARLY_ALL_LOST:
            raise RecoveryError("nearly the whole picture is missing or tampered with; nothing is left to recover from")
        # What V suspects without flagging it must not be believed either, unless a person drew the mask.
        disbelieved, certain = lost, None
        if doubted is not None:
            disbelieved = torch.maximum(self._lost(doubted, frame), suspicion(evidence.probability))
            certain = torch.maximum(self._lost(np.zeros_like(mask), frame), (evidence.probability > CERTAIN).float())
        wanted = lost if restore_canvas else lost * ones_in(lost, (rows, columns))
        reception = evidence.reception.told_by_neighbours()
        recovery = Recovery(self._networks, evidence.carrier, reception, lost, certain)
        recovered, information = recovery.run(disbelieved, wanted)
        whole = to_array(as_suspect(evidence.reception, recovered).clamp(0, 255))
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


def _found(verified: Verified) -> tuple[_Evidence, Frame]:
    evidence, frame = verified.evidence, verified.frame
    if not isinstance(evidence, _Evidence) or frame is None:
        raise RecoveryError("nothing to recover from: no immunization was found in this picture")
    return evidence, frame
