"""Where a suspect lies in the picture that was immunized: a frame, and the header that was read there."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from imuge_cli.image.turn import LONGEST
from imuge_cli.image.working_size import LIMIT, MULTIPLE_BEFORE, to_working, working_size
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import STRENGTHS, Header
from imuge_cli.lattice.placement import ORIENTATIONS, Placement
from imuge_cli.lattice.placing import (
    DOUBTFUL,
    Placed,
    synchronise_anywhere,
    synchronise_beside,
    synchronise_elsewhere,
    synchronise_level,
    synchronise_near,
)
from imuge_cli.lattice.synchronise import (
    Fix,
    lies_beside,
    pilot_agreement,
    synchronise_at,
    synchronise_direct,
    synchronise_search,
)
from imuge_cli.lattice.transform import BLOCK, luma
from imuge_cli.lattice.whole import synchronise_whole
from imuge_cli.models.lattice.carrier import STEPS
from imuge_cli.models.lattice.pixels import to_tensor
from imuge_cli.models.protocol import MINIMUM_SIDE, Frame, Pixels

# Mean cosine of the pilots' phase errors, from which on a suspect can not have been turned; working pixels of its
# shorter side, below which there is next to no whole block in one that was.
_UNDOUBTED, _TURNABLE = 0.85, 64
# Working pixels by which a turn has to move a suspect's corners to be one.
_TURNED = 0.25
_ALL_STEPS = tuple(STEPS[s] for s in ("balanced", "subtle", "strong"))


class Locator:
    """Finds suspects for one secret."""

    def __init__(self, secret: Secret, device: torch.device) -> None:
        self._secret, self._device = secret, device

    def locate(self, pixels: Pixels) -> tuple[Frame, Fix] | None:
        """The lattice's place: tried as the suspect lies, then as a crop and as the whole of a small picture by the
        pilots, then at any scale, place and orientation by the template."""
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
            fix = synchronise_direct(self.plane(pixels, size), self._secret, _ALL_STEPS)
            if fix is not None:
                return self._settled(pixels, fix, size)
        plane = self.plane(pixels, sizes[0])
        fix = synchronise_search(plane, self._secret, _ALL_STEPS, limit=LIMIT)
        if fix is not None and _fits(fix, sizes[0]):
            return self._settled(pixels, fix, sizes[0])
        upright = plane[0, 0].cpu().numpy()
        placed = synchronise_whole(upright, self._secret, _ALL_STEPS)
        if placed is None:
            placed = synchronise_anywhere(upright, self._secret, _ALL_STEPS)
        if placed is None:
            # Far less probable, and several times as long.
            placed = synchronise_whole(upright, self._secret, _ALL_STEPS, ORIENTATIONS[1:])
        if placed is None:
            return None
        place = None if placed.fix.header is None else placed.placement.whole_pixels(*sizes[0])
        fix = None if place is None else synchronise_at(plane, self._secret, _ALL_STEPS, *place)
        if fix is not None and _fits(fix, sizes[0]):
            return self._settled(pixels, fix, sizes[0])
        return self._placed(placed, sizes[0], (height, width))

    def _settled(self, pixels: Pixels, fix: Fix, size: tuple[int, int]) -> tuple[Frame, Fix] | None:
        """The frame that fits best near where the pilots agree, and most often a header was read, which may be up to
        two pixels beside the true place: a suspect of another size than its header tells was cropped or scaled, or
        both, and any may have been shifted, or turned by a fraction of a degree."""
        suspect = (int(pixels.shape[0]), int(pixels.shape[1]))
        fix, size = self._settle(pixels, fix, size)
        searched = working_size(*suspect)
        plane = self.plane(pixels, searched)
        better = self._level(plane, fix, size) or self._near(plane, fix, suspect)
        known = fix if better is None else better.fix
        if pilot_agreement(known, size) < DOUBTFUL and min(searched) >= _TURNABLE:
            other = synchronise_elsewhere(plane, self._secret, _ALL_STEPS, known)
            # The same place once more, turned by nothing, may fit a little better by chance.
            if other is not None and (better is None or _is_turned(other, searched)):
                better = other
        if better is None:
            return self._frame(fix, size, suspect)
        if better.placement.whole_pixels(*searched) == (better.fix.top, better.fix.left) and _fits(
            better.fix, searched
        ):
            return self._frame(better.fix, searched, suspect)
        return self._placed(better, searched, suspect)

    def _level(self, plane: Tensor, fix: Fix, size: tuple[int, int]) -> Placed | None:
        """The place in a suspect that was turned by a fraction of a degree, where pilots agree better so."""
        height, width = plane.shape[-2:]
        if pilot_agreement(fix, size) >= _UNDOUBTED or min(height, width) < _TURNABLE:
            return None
        level = synchronise_level(plane, self._secret, fix, (height / size[0], width / size[1]))
        return level if level is not None and (fix.header is None or level.fix.z_score > fix.z_score) else None

    def _near(self, plane: Tensor, fix: Fix, suspect: tuple[int, int]) -> Placed | None:
        """The place up to two pixels beside one that was found, where pilots agree better there."""
        header = fix.header
        if header is None:
            beside = synchronise_beside(plane, self._secret, fix)
            if beside is None or beside.fix.header is None or beside.fix.z_score <= fix.z_score:
                return None
            return beside
        if (header.height, header.width) == suspect and not lies_beside(plane, self._secret, fix):
            return None
        searched = int(plane.shape[-2]), int(plane.shape[-1])
        # What a crop that was not scaled takes of a working pixel.
        unscaled = [
            own / whole * at / now
            for own, whole, at, now in zip(
                (header.height, header.width), canvas_of(header), searched, suspect, strict=True
            )
        ]
        near = synchronise_near(plane, self._secret, header, fix, (unscaled[0], unscaled[1]))
        return near if near is not None and near.fix.z_score > fix.z_score else None

    def _placed(self, placed: Placed, size: tuple[int, int], suspect: tuple[int, int]) -> tuple[Frame, Fix] | None:
        """size: at which the suspect was searched."""
        fix, header = placed.fix, placed.fix.header
        ratio = (suspect[0] / size[0], suspect[1] / size[1])
        place = placed.placement.at_ratio(ratio, suspect)
        rows, columns = place.box(*place.upright_shape(suspect))
        canvas = (rows.stop, columns.stop) if header is None else canvas_of(header)
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
        canvas = canvas_of(fix.header)
        if canvas != size:
            whole = synchronise_direct(self.plane(pixels, canvas), self._secret, (step,))
            if whole is not None and whole.header == fix.header and whole.z_score > fix.z_score:
                return whole, canvas
        return replace(fix, step=step), size

    def plane(self, pixels: Pixels, size: tuple[int, int]) -> Tensor:
        """Luma of H x W x 3 pixels brought to a size, 1 x 1 x height x width, grey levels."""
        return luma(to_tensor(to_working(pixels, size), self._device))

    def _frame(self, fix: Fix, size: tuple[int, int], suspect: tuple[int, int]) -> tuple[Frame, Fix] | None:
        if fix.header is not None and not _fits(fix, size):
            # More than the picture: rows or columns were added below it, or on its right.
            return self._placed(Placed(fix, Placement(fix.top, fix.left, 1.0, 1.0)), size, suspect)
        canvas = size if fix.header is None else canvas_of(fix.header)
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


def _is_turned(placed: Placed, size: tuple[int, int]) -> bool:
    """Whether a place that was found for a turned suspect of a size is another than for one that was not."""
    turn = placed.placement.turn
    return turn is None or math.radians(abs(turn.degrees)) * math.hypot(*size) / 2 > _TURNED


def canvas_of(header: Header) -> tuple[int, int]:
    """The working size of the picture that a header tells of."""
    return working_size(header.height, header.width, multiple=MULTIPLE_BEFORE if header.version == 2 else 1)


def _fits(fix: Fix, size: tuple[int, int]) -> bool:
    """Whether all of a suspect lies inside the picture that its header tells of."""
    if fix.header is None or min(fix.top, fix.left) < 0:
        return False
    canvas = canvas_of(fix.header)
    return fix.top + size[0] <= canvas[0] and fix.left + size[1] <= canvas[1]
