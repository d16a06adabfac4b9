"""The default family behind the protocol of `models`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imuge_cli.errors import InputError, RecoveryError
from imuge_cli.image.turn import LONGEST
from imuge_cli.image.working_size import (
    LIMIT,
    MULTIPLE_BEFORE,
    carry_residual,
    resize_plane,
    to_working,
    working_size,
)
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import STRENGTHS, Header, encode_header
from imuge_cli.lattice.interpolation import INTERPOLATIONS, undo_interpolation
from imuge_cli.lattice.synchronise import (
    Fix,
    Placed,
    lies_beside,
    pilot_agreement,
    pilots_at,
    synchronise_anywhere,
    synchronise_at,
    synchronise_direct,
    synchronise_level,
    synchronise_near,
    synchronise_search,
)
from imuge_cli.lattice.transform import BLOCK, luma
from imuge_cli.models.lattice.carrier import MIDDLE_LEVEL, STEPS, Carrier, make_carrier
from imuge_cli.models.lattice.channel import agreement
from imuge_cli.models.lattice.contradiction import (
    contradicting,
    different,
    disagreement,
    fits,
    fits_nothing,
    on_picture,
)
from imuge_cli.models.lattice.evidence import block_probability
from imuge_cli.models.lattice.family import FAMILY, LatticeNetworks, first_evidence
from imuge_cli.models.lattice.framing import (
    foreign,
    fractions,
    in_frame,
    plane_in_frame,
    plane_in_suspect,
    visible,
)
from imuge_cli.models.lattice.receiver import QUICK, Draft
from imuge_cli.models.lattice.reception import Reception, receive
from imuge_cli.models.lattice.sender import describe, immunize_working, power_levels
from imuge_cli.models.protocol import MINIMUM_SIDE, Frame, Immunized, Mask, Pixels, Recovered, Verified, require_size
from imuge_cli.networks.verifier import MULTIPLE

_MARGIN = 48
# Where V's probability stays below, there is nothing to look at again.
_SUSPICION = 0.05
# Of looking for what symbols contradict.
_ROUNDS = 8
# Mean cosine of the pilots' phase errors, from which on a suspect can not have been turned; working pixels of its
# shorter side, below which there is next to no whole block in one that was.
_UNDOUBTED, _TURNABLE = 0.85, 64
# By how much a scale may differ from 1 where it does not matter.
_UNSCALED = 5e-3
# A header is read where single blocks say next to nothing. V then flags what is untouched, or calls intact what is not,
# where phases agree less than this (docs/experiments.md), unless symbols and draft fit all the same, as after JPEG.
_LEAST_AGREEMENT, _LITTLE_DOUBT = 0.2, 0.1
_ALL_STEPS = tuple(STEPS[s] for s in ("balanced", "subtle", "strong"))


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
        self.weights_sha256 = weights_sha256

    @torch.no_grad()
    def immunize(self, pixels: Pixels, header: Header) -> Immunized:
        """See Model.immunize."""
        height, width = pixels.shape[:2]
        require_size(height, width)
        size = working_size(height, width)
        working = _to_tensor(np.clip(to_working(pixels, size), 0, 255), self._device)
        carrier = make_carrier(self._secret, *size, self._device)
        symbols = describe(carrier, working, self._networks.encoder)
        levels = power_levels(symbols)
        header = replace(header, level=int(levels))
        code = torch.from_numpy(encode_header(header))[None].to(self._device)
        sent = immunize_working(carrier, working, code, symbols, levels, STEPS[STRENGTHS[header.strength]])
        if size != (height, width):
            result = carry_residual(pixels, luma(sent - working)[0, 0].cpu().numpy())
        else:
            result = _add(pixels, _to_array(sent - working))
        self._check(result, size, header)
        return Immunized(pixels=result, working_size=size)

    def _check(self, pixels: Pixels, size: tuple[int, int], header: Header) -> None:
        """What was written must be found again: a picture that is saturated nearly everywhere has no room."""
        fix = synchronise_direct(self._plane(pixels, size), self._secret, (STEPS[STRENGTHS[header.strength]],))
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
        found = self._synchronise(pixels)
        if found is None:
            return Verified(frame=None, header=None, probability=nothing)
        frame, fix = found
        if frame.placement is not None and fix.header is None:
            # Which symbols lie where depends on the original's size, which the header tells.
            return Verified(frame=frame, header=None, probability=nothing, legible=False)
        carrier = make_carrier(self._secret, *frame.canvas, self._device)
        reception = self._receive(pixels, carrier, frame, fix)
        networks = self._networks
        first = torch.sigmoid(networks.first_look(reception, first_evidence(carrier, reception)))
        solution = networks.solve(carrier, reception, first, QUICK)
        if not _tells(carrier, reception, first, solution):
            return Verified(frame=frame, header=fix.header, probability=nothing, legible=False)
        probability = torch.sigmoid(networks.second_look(reception, solution))
        # Each look sharpens the draft that the next one compares with; a third still pays, a fourth does not.
        box = _look_again(probability)
        if box is not None:
            solution = networks.solve(carrier, reception, probability, QUICK, before=solution)
            probability[(..., *box)] = torch.sigmoid(networks.second_look(reception, solution, box))
        # Without a header it is not known how large symbols are; and an encoder describes what it likes.
        if fix.header is not None and networks.encoder is None:
            probability = self._contradicted(carrier, reception, probability, solution)
        inside = probability[0, 0, frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
        shown = np.clip(plane_in_suspect(inside.cpu().numpy(), frame, (height, width)), 0, 1)
        around = foreign(frame, (height, width))
        if around is not None:
            shown[around] = 1
        return Verified(
            frame=frame,
            header=fix.header,
            probability=shown,
            evidence=_Evidence(carrier, reception, probability),
        )

    def _contradicted(self, carrier: Carrier, reception: Reception, probability: Tensor, solution: Draft) -> Tensor:
        """The probability with what the symbols contradict, whatever pilots say, as tampered with."""
        marked = torch.zeros(carrier.grid.rows, carrier.grid.columns, dtype=torch.bool, device=self._device)
        doubted, lost = probability, fits_nothing(solution, probability)
        for _ in range(_ROUNDS):
            lost = lost and not fits(solution)
            found = contradicting(disagreement(carrier, reception, solution, doubted), marked, lost=lost)
            if not bool(found.any()):
                break
            marked |= found
            doubted = torch.maximum(probability, on_picture(marked, carrier))
            solution = self._networks.solve(carrier, reception, doubted, QUICK)
        if lost and not fits(solution):
            # Not to be told where: what the symbols describe is not this picture.
            return torch.ones_like(probability)
        if not bool(marked.any()):
            return probability
        return torch.maximum(probability, different(reception, solution, on_picture(marked, carrier)))

    def _synchronise(self, pixels: Pixels) -> tuple[Frame, Fix] | None:
        """The lattice's place: tried as the suspect lies, then as a crop by the pilots, then at any scale, place and
        orientation by the template."""
        height, width = pixels.shape[:2]
        if min(height, width) < MINIMUM_SIDE // 2:
            return None
        # As it is, or as the whole of a picture of more than LIMIT pixels.
        sizes = list(
            dict.fromkeys(
                working_size(height * factor, width * factor, multiple=multiple)
                for multiple in (1, MULTIPLE_BEFORE)
                for factor in (1, LIMIT)
            )
        )
        for size in sizes:
            fix = synchronise_direct(self._plane(pixels, size), self._secret, _ALL_STEPS)
            if fix is not None:
                return self._settled(pixels, fix, size)
        plane = self._plane(pixels, sizes[0])
        fix = synchronise_search(plane, self._secret, _ALL_STEPS, limit=LIMIT)
        if fix is not None and _fits(fix, sizes[0]):
            return self._settled(pixels, fix, sizes[0])
        placed = synchronise_anywhere(plane[0, 0].cpu().numpy(), self._secret, _ALL_STEPS)
        if placed is None:
            return None
        place = None if placed.fix.header is None else placed.placement.whole_pixels(*sizes[0])
        fix = None if place is None else synchronise_at(plane, self._secret, _ALL_STEPS, *place)
        if fix is not None and _fits(fix, sizes[0]):
            return self._settled(pixels, fix, sizes[0])
        return self._placed_frame(placed, sizes[0], (height, width))

    def _settled(self, pixels: Pixels, fix: Fix, size: tuple[int, int]) -> tuple[Frame, Fix] | None:
        """The frame that fits best near where the pilots agree, and most often a header was read, which may be up to
        two pixels beside the true place: a suspect of another size than its header tells was cropped or scaled, or
        both, and any may have been shifted, or turned by a fraction of a degree."""
        suspect = (int(pixels.shape[0]), int(pixels.shape[1]))
        fix, size = self._settle(pixels, fix, size)
        searched = working_size(*suspect)
        plane = self._plane(pixels, searched)
        if pilot_agreement(fix, size) < _UNDOUBTED and min(searched) >= _TURNABLE:
            scale = searched[0] / size[0], searched[1] / size[1]
            level = synchronise_level(plane, self._secret, fix, scale)
            if level is not None and (fix.header is None or level.fix.z_score > fix.z_score):
                return self._placed_frame(level, searched, suspect)
        header = fix.header
        if header is None:
            return self._frame(fix, size, suspect)
        canvas = _canvas(header)
        if (header.height, header.width) == suspect and not lies_beside(plane, self._secret, fix):
            return self._frame(fix, size, suspect)
        # What a crop that was not scaled takes of a working pixel.
        unscaled = [
            own / whole * at / now
            for own, whole, at, now in zip((header.height, header.width), canvas, searched, suspect, strict=True)
        ]
        near = synchronise_near(plane, self._secret, header, fix, (unscaled[0], unscaled[1]))
        if near is None or near.fix.z_score <= fix.z_score:
            return self._frame(fix, size, suspect)
        if near.placement.whole_pixels(*searched) == (near.fix.top, near.fix.left) and _fits(near.fix, searched):
            return self._frame(near.fix, searched, suspect)
        return self._placed_frame(near, searched, suspect)

    def _placed_frame(
        self, placed: Placed, size: tuple[int, int], suspect: tuple[int, int]
    ) -> tuple[Frame, Fix] | None:
        """size: at which the suspect was searched."""
        fix, header = placed.fix, placed.fix.header
        ratio = (suspect[0] / size[0], suspect[1] / size[1])
        place = placed.placement.at_ratio(ratio, suspect)
        rows, columns = place.box(*place.upright_shape(suspect))
        canvas = (rows.stop, columns.stop) if header is None else _canvas(header)
        rows, columns = slice(rows.start, min(rows.stop, canvas[0])), slice(columns.start, min(columns.stop, canvas[1]))
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if min(height, width) < BLOCK:
            return None
        if place.turn is not None and (min(size) < _TURNABLE or max(place.turn.canvas) > LONGEST):
            return None
        frame = Frame(rows.start, columns.start, height, width, canvas, place.scale, fix.z_score, place)
        if header is not None:
            fix = replace(fix, step=STEPS[STRENGTHS[header.strength]])
        return frame, fix

    def _settle(self, pixels: Pixels, fix: Fix, size: tuple[int, int]) -> tuple[Fix, tuple[int, int]]:
        """What the header says overrules what was tried: the step, and the size where that fits better."""
        if fix.header is None:
            return fix, size
        step = STEPS[STRENGTHS[fix.header.strength]]
        canvas = _canvas(fix.header)
        if canvas != size:
            whole = synchronise_direct(self._plane(pixels, canvas), self._secret, (step,))
            if whole is not None and whole.header == fix.header and whole.z_score > fix.z_score:
                return whole, canvas
        return replace(fix, step=step), size

    def _plane(self, pixels: Pixels, size: tuple[int, int]) -> Tensor:
        return luma(_to_tensor(to_working(pixels, size), self._device))

    def _frame(self, fix: Fix, size: tuple[int, int], suspect: tuple[int, int]) -> tuple[Frame, Fix]:
        canvas = size if fix.header is None else _canvas(fix.header)
        canvas = (max(canvas[0], fix.top + size[0]), max(canvas[1], fix.left + size[1]))
        frame = Frame(
            top=fix.top,
            left=fix.left,
            height=size[0],
            width=size[1],
            canvas=canvas,
            scale=math.sqrt(suspect[0] / size[0] * suspect[1] / size[1]),
            z_score=fix.z_score,
        )
        return frame, fix

    def _receive(self, pixels: Pixels, carrier: Carrier, frame: Frame, fix: Fix) -> Reception:
        canvas = torch.full((1, 3, *frame.canvas), 128.0, device=self._device)
        known = torch.zeros(1, 1, *frame.canvas, device=self._device)
        rows, columns = (
            slice(frame.top, frame.top + frame.height),
            slice(frame.left, frame.left + frame.width),
        )
        canvas[..., rows, columns] = _to_tensor(self._in_frame(pixels, frame, fix), self._device)
        known[..., rows, columns] = torch.from_numpy(visible(frame)).float().to(self._device)
        code = torch.from_numpy(fix.code)[None].to(self._device)
        level = MIDDLE_LEVEL if fix.header is None else fix.header.level
        levels = torch.tensor([level], device=self._device)
        return receive(carrier, canvas.clamp(0, 255), code, levels, known, fix.step)

    def _in_frame(self, pixels: Pixels, frame: Frame, fix: Fix) -> NDArray[np.float32]:
        """The suspect's pixels in the frame's box, grey levels; what was lost by turning them made good."""
        levels, place, header = in_frame(pixels, frame), frame.placement, fix.header
        if place is None or place.turn is None or header is None or frame.canvas != (header.height, header.width):
            return levels
        # Where a picture was immunized at its own size, and not scaled since, its pixels were turned, not smaller ones.
        if max(abs(1 - place.rows_scale), abs(1 - place.columns_scale)) > _UNSCALED:
            return levels
        between = fractions(frame)
        plane = luma(_to_tensor(levels, torch.device("cpu")))[0, 0].numpy()

        def agreed(name: str | None) -> float:
            undone = plane if name is None else undo_interpolation(plane, between, name)
            return pilots_at(torch.from_numpy(undone)[None, None], self._secret, fix.step, frame.top, frame.left)

        best = max((None, *INTERPOLATIONS), key=agreed)
        return levels if best is None else undo_interpolation(levels, between, best)

    @torch.no_grad()
    def recover(
        self, pixels: Pixels, verified: Verified, mask: Mask, *, own_mask: bool, restore_canvas: bool
    ) -> Recovered:
        """See Model.recover."""
        evidence, frame = verified.evidence, verified.frame
        if not isinstance(evidence, _Evidence) or frame is None:
            raise RecoveryError("nothing to recover from: no immunization was found in this picture")
        rows, columns = (
            slice(frame.top, frame.top + frame.height),
            slice(frame.left, frame.left + frame.width),
        )
        lost = torch.ones(1, 1, *frame.canvas, device=self._device)
        small = (plane_in_frame(mask, frame) > 0.01) | ~visible(frame)
        lost[0, 0, rows, columns] = torch.from_numpy(small).float().to(self._device)
        if float(lost.mean()) > 0.97:
            raise RecoveryError("nearly the whole picture is missing or tampered with; nothing is left to recover from")
        # What V suspects without flagging it must not be believed either, unless a person drew the mask.
        doubted = torch.maximum(lost, evidence.probability) if own_mask else lost
        solution = self._networks.solve(evidence.carrier, evidence.reception, doubted)
        wanted = lost if restore_canvas else lost * _box(lost, rows, columns)
        box = _bounding_box(wanted[0, 0], _MARGIN)
        recovered = evidence.reception.picture.clone()
        if box is not None:
            window = self._networks.recover_window(evidence.reception, lost, solution, box)
            recovered[(..., *box)] = window * 255
        whole = _to_array(recovered.clamp(0, 255))
        information = float(solution.information)
        if restore_canvas:
            return Recovered(_restored(pixels, whole, mask, frame, verified.header), information)
        # What lies around the picture never was part of it, and stays.
        around = foreign(frame, (int(pixels.shape[0]), int(pixels.shape[1])))
        inside = mask if around is None else mask & ~around
        return Recovered(_paste(pixels, whole[rows, columns], inside, frame), information, inside)


def _tells(carrier: Carrier, reception: Reception, probability: Tensor, solution: Draft) -> bool:
    """Whether what is left of the lattice tells tampered blocks from others, where a header can still be read."""
    agreed = agreement(reception, 1 - block_probability(probability, carrier))
    return bool(agreed >= _LEAST_AGREEMENT) or bool(solution.doubt <= _LITTLE_DOUBT)


def _canvas(header: Header) -> tuple[int, int]:
    """The working size of the picture that a header tells of."""
    return working_size(header.height, header.width, multiple=MULTIPLE_BEFORE if header.version == 2 else 1)


def _fits(fix: Fix, size: tuple[int, int]) -> bool:
    """Whether all of a suspect lies inside the picture that its header tells of."""
    if fix.header is None or min(fix.top, fix.left) < 0:
        return False
    canvas = _canvas(fix.header)
    return fix.top + size[0] <= canvas[0] and fix.left + size[1] <= canvas[1]


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


def _to_tensor(pixels: NDArray[np.float32], device: torch.device) -> Tensor:
    """H x W x 3 to 1 x 3 x H x W, float32, grey levels."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].to(device)


def _to_array(picture: Tensor) -> NDArray[np.float32]:
    """1 x 3 x H x W to H x W x 3."""
    array: NDArray[np.float32] = picture[0].permute(1, 2, 0).cpu().numpy()
    return array


def _add(pixels: Pixels, residual: NDArray[np.float32]) -> Pixels:
    """Pixels plus a residual in grey levels, rounded, in the pixels' own depth."""
    top = np.iinfo(pixels.dtype).max
    wanted = pixels.astype(np.float32) + residual * (top / 255)
    return cast(Pixels, np.clip(np.rint(wanted), 0, top).astype(pixels.dtype))


def _levels(picture: NDArray[np.float32], size: tuple[int, int], like: Pixels) -> Pixels:
    """A working picture brought to a size and a depth."""
    top = np.iinfo(like.dtype).max
    result = np.empty((*size, 3), like.dtype)
    for channel in range(3):  # one at a time: at full size a plane of floats is larger than the picture
        plane = resize_plane(np.ascontiguousarray(picture[..., channel]), size)
        plane *= top / 255
        np.rint(plane, out=plane)
        result[..., channel] = np.clip(plane, 0, top, out=plane)
    return cast(Pixels, result)


def _paste(pixels: Pixels, recovered: NDArray[np.float32], mask: Mask, frame: Frame) -> Pixels:
    """The suspect with the mask's pixels replaced; every other pixel stays exactly as it was."""
    result = pixels.copy()
    top, shape = np.iinfo(pixels.dtype).max, (int(pixels.shape[0]), int(pixels.shape[1]))
    for channel in range(3):  # one at a time: at full size a plane of floats is larger than the picture
        plane = plane_in_suspect(np.ascontiguousarray(recovered[..., channel]), frame, shape)[mask]
        result[..., channel][mask] = np.clip(np.rint(plane * (top / 255)), 0, top)
    return result


def _restored(pixels: Pixels, whole: NDArray[np.float32], mask: Mask, frame: Frame, header: Header | None) -> Pixels:
    """The original frame at the original's size: rebuilt around the suspect, the suspect itself inside."""
    size = (header.height, header.width) if header is not None else frame.canvas
    result = _levels(whole, size, pixels)
    if frame.placement is not None:
        # The suspect's own pixels are on another grid: what is shown there comes from its working pixels.
        return result
    scale = (size[0] / frame.canvas[0], size[1] / frame.canvas[1])
    top, left = round(frame.top * scale[0]), round(frame.left * scale[1])
    height, width = pixels.shape[:2]
    if (height, width) == (round(frame.height * scale[0]), round(frame.width * scale[1])):
        part = result[top : top + height, left : left + width]
        keep = ~mask[: part.shape[0], : part.shape[1]]
        part[keep] = pixels[: part.shape[0], : part.shape[1]][keep]
    return result
