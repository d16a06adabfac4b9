"""Suspects as they were before they were blurred, resampled, sharpened or brightened, as far as that can be told."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from imuge_cli.lattice.transform import BLOCK, luma
from imuge_cli.lattice.undoing import find_undoing
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.clipping import at_limits, uncut_blocks

# Blocks on a side; a narrower frame says too little.
_FEWEST = 4


@dataclass(frozen=True)
class Equalized:
    """pictures: N x 3 x H x W, grey levels, not limited to 0..255; whole ones become fractions where something was
    undone. gain, shift: N, and N x 3 by channel: by what levels were divided, and what was added then, grey levels, for
    means to be where they were."""

    pictures: Tensor
    gain: Tensor
    shift: Tensor


def equalized(carrier: Carrier, pictures: Tensor, code: Tensor, inside: Tensor, step: float) -> Equalized:
    """Each picture with its response undone; what lies outside the suspect's frame stays.

    pictures: N x 3 x H x W on the carrier's canvas, grey levels. code: N x 264 bits of the header. inside: N x 1 x H x
    W, 1 in the suspect's frame, a rectangle.
    """
    slots = carrier.order[0, :2]
    dither = carrier.by_order(carrier.dither)[0, :2]
    chips = carrier.chip_phases(code)[:, 0]
    results = []
    for number, picture in enumerate(pictures):
        phases = torch.stack([dither[0], dither[1] + chips[number]])
        results.append(_one(picture[None], inside[number, 0] > 0, slots, phases, step))
    gains = pictures.new_tensor([gain for _, gain, _ in results])
    return Equalized(torch.cat([result for result, _, _ in results]), gains, torch.stack([by for _, _, by in results]))


def _one(picture: Tensor, inside: Tensor, slots: Tensor, phases: Tensor, step: float) -> tuple[Tensor, float, Tensor]:
    """The picture, its gain and what was added."""
    rows, columns = _span(inside.any(1)), _span(inside.any(0))
    frame = picture[..., rows, columns]
    top, left = -(-rows.start // BLOCK), -(-columns.start // BLOCK)
    bottom = min(rows.stop // BLOCK, slots.shape[-2])
    right = min(columns.stop // BLOCK, slots.shape[-1])
    if min(bottom - top, right - left) < _FEWEST:
        return picture, 1.0, picture.new_zeros(3)
    whole = (..., slice(top, bottom), slice(left, right))
    origin = (top * BLOCK - rows.start, left * BLOCK - columns.start)
    legible = uncut_blocks(at_limits(picture))[0, 0]
    found = find_undoing(luma(frame), origin, slots[whole], phases[whole], (step,), legible[whole[1:]])
    if found.is_plain:
        return picture, 1.0, picture.new_zeros(3)
    result = picture.clone()
    mean = frame.mean((2, 3), keepdim=True)
    # Levels that were divided by less than 1 reach farther; beyond that is what the inverse of a filter overshoots by.
    darkest, lightest = (((end - mean) / found.gain + mean) for end in (0.0, 255.0))
    result[..., rows, columns] = found.undo(frame).clamp(darkest.clamp_max(0), lightest.clamp_min(255))
    return result, found.gain, mean[0, :, 0, 0] * (1 - 1 / found.gain)


def _span(used: Tensor) -> slice:
    """From the first place that is used to the last."""
    places = used.nonzero()[:, 0]
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)
