"""Suspects as they were before they were blurred, resampled, sharpened or brightened, as far as that can be told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from imuge_cli.lattice.balance import fit_balance
from imuge_cli.lattice.quieting import is_worth_it, known_agreement
from imuge_cli.lattice.transform import BLOCK, analyse, luma
from imuge_cli.lattice.undoing import Undoing, find_undoing
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.clipping import at_limits, uncut_blocks
from imuge_cli.models.lattice.resolving import affordable_looks, resolve
from imuge_cli.networks.resolver import Resolver

# Blocks on a side; a narrower frame says too little.
_FEWEST = 4


@dataclass(frozen=True)
class Equalized:
    """pictures: N x 3 x H x W, grey levels, not limited to 0..255; whole ones become fractions where something was
    undone. gain, shift: N x 3 by channel: by what levels were divided (all channels alike), and what was added then,
    grey levels, for means to be where they were. balance: N x 3, by what each channel seems to have been multiplied
    besides, which was not undone."""

    pictures: Tensor
    gain: Tensor
    shift: Tensor
    balance: Tensor


def equalized(
    carrier: Carrier, pictures: Tensor, code: Tensor, inside: Tensor, step: float, resolver: Resolver | None = None
) -> Equalized:
    """Each picture with its response undone; what lies outside the suspect's frame stays.

    pictures: N x 3 x H x W on the carrier's canvas, grey levels. code: N x 264 bits of the header. inside: N x 1 x H x
    W, 1 in the suspect's frame, a rectangle. resolver: S, asked where pictures were resampled, and believed where known
    phases agree better then.
    """
    slots = carrier.order[0, :2]
    dither = carrier.by_order(carrier.dither)[0, :2]
    chips = carrier.chip_phases(code)[:, 0]
    parts = [
        _one(
            picture[None],
            inside[number, 0] > 0,
            slots,
            torch.stack([dither[0], dither[1] + chips[number]]),
            step,
            resolver,
        )
        for number, picture in enumerate(pictures)
    ]
    return Equalized(
        pictures=torch.cat([part.pictures for part in parts]),
        gain=torch.cat([part.gain for part in parts]),
        shift=torch.cat([part.shift for part in parts]),
        balance=torch.cat([part.balance for part in parts]),
    )


def _one(
    picture: Tensor, inside: Tensor, slots: Tensor, phases: Tensor, step: float, resolver: Resolver | None
) -> Equalized:
    """The same for one picture, 1 x 3 x H x W."""
    ones = picture.new_ones(1, 3)
    result = Equalized(picture, gain=ones, shift=torch.zeros_like(ones), balance=ones)
    rows, columns = _span(inside.any(1)), _span(inside.any(0))
    frame = picture[..., rows, columns]
    top, left = -(-rows.start // BLOCK), -(-columns.start // BLOCK)
    bottom = min(rows.stop // BLOCK, slots.shape[-2])
    right = min(columns.stop // BLOCK, slots.shape[-1])
    if min(bottom - top, right - left) < _FEWEST:
        return result
    whole = (..., slice(top, bottom), slice(left, right))
    origin = (top * BLOCK - rows.start, left * BLOCK - columns.start)
    legible = uncut_blocks(at_limits(picture))[0, 0][whole[1:]]
    found = find_undoing(luma(frame), origin, slots[whole], phases[whole], (step,), legible)
    if not found.is_plain:
        result = _undone(picture, (rows, columns), found, found.undo(frame))
    blocks = (..., slice(top * BLOCK, bottom * BLOCK), slice(left * BLOCK, right * BLOCK))
    resampling = found.resampling or found.perhaps
    if resolver is not None and resampling is not None:
        found = replace(found, resampling=resampling)
        looks = affordable_looks(*frame.shape[-2:])
        resolved = _undone(picture, (rows, columns), found, resolve(resolver, frame, resampling, looks=looks))
        # After JPEG, and where little was folded, S goes too far in some pictures.
        halfway = replace(result, pictures=(result.pictures + resolved.pictures) / 2)
        without, half, full = (
            _agreement(of.pictures[blocks], slots[whole], phases[whole], legible, step)
            for of in (result, halfway, resolved)
        )

        def is_better(one: Tensor, other: Tensor) -> bool:
            return bool(is_worth_it(one - other, legible[None, None], len(slots)))

        if is_better(torch.maximum(half, full), without):
            result = halfway if is_better(half, full) else resolved
    planes = result.pictures[blocks]
    telling = legible if int(legible.sum()) >= _FEWEST**2 else None
    return replace(result, balance=fit_balance(planes, slots[whole], phases[whole], step, telling)[None])


def _agreement(planes: Tensor, slots: Tensor, phases: Tensor, legible: Tensor, step: float) -> Tensor:
    """How well known phases agree in whole blocks of a picture, 1 x 3 x H x W: see `known_agreement`."""
    told = torch.gather(analyse(luma(planes)), 1, slots[None])
    return known_agreement(told, phases[None], legible[None, None], step)


def _undone(picture: Tensor, box: tuple[slice, slice], found: Undoing, undone: Tensor) -> Equalized:
    """box: rows and columns of the frame. undone: the frame, as it was before."""
    result, frame = picture.clone(), picture[(..., *box)]
    mean = frame.mean((2, 3), keepdim=True)
    # Levels that were divided by less than 1 reach farther; beyond that is what the inverse of a filter overshoots by.
    darkest, lightest = (((end - mean) / found.gain + mean) for end in (0.0, 255.0))
    result[(..., *box)] = undone.clamp(darkest.clamp_max(0), lightest.clamp_min(255))
    gain = torch.full_like(mean[:, :, 0, 0], found.gain)
    return Equalized(result, gain=gain, shift=mean[:, :, 0, 0] * (1 - 1 / gain), balance=torch.ones_like(gain))


def _span(used: Tensor) -> slice:
    """From the first place that is used to the last."""
    places = used.nonzero()[:, 0]
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)
