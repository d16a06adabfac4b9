"""V's further looks, where what was sent contradicts what a suspect shows and V does not say why.

A draft takes the pixels of what V missed for the original's, and so agrees with them: a patch of another picture under
the same key, whose pilots fit, is hidden by the very draft that V is given (docs/experiments.md).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.transform import BLOCK, luma
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.clipping import uncut_blocks
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.models.lattice.receiver import QUICK, Draft
from imuge_cli.models.lattice.reception import Reception

MISSED = 0.12
"""Doubt, standard deviations squared of a symbol: a draft that leaves more does not explain the symbols (of untouched
pictures it leaves .01 to .03), and V missed something."""
# How often V looks at drafts that count what it suspects even a little; how little; and by how much its probability
# has to change on average to go on.
_LOOKS, _CREDULITY = 6, 0.5
_CHANGED = 5e-4
# Where nearly all symbols are there (crops of a half leave as much doubt) it then looks at what drafts were not shown,
# and so often at what follows from it; which counts where it leaves less than a share of the doubt that there was.
_LOOKS_AFTER, _EXPLAINED = 4, 0.5
# So much of a picture is nearly all of it.
_NEARLY_ALL = 0.8
# Source blocks are hidden in so many turns along rows and columns each; for how surely tampered with they are taken.
_TURNS, _HIDDEN = 2, 0.95
# Pixels along a side over which a suspect is compared with a draft.
_AROUND = 9
# V suspects what it gives more than that.
_SUSPECTED = 0.5


def look_further(
    networks: LatticeNetworks, carrier: Carrier, reception: Reception, probability: Tensor, solution: Draft
) -> tuple[Tensor, Draft]:
    """V's probability, 1 x 1 x H x W, by the way to look that explains the doubt, and the draft that it was given last.

    probability: V's own, 1 x 1 x H x W. solution: the draft that it was given.
    """
    found = _credulous(networks, carrier, reception, probability, solution)
    before, left = float(solution.doubt), float(found[1].doubt)
    if left <= MISSED or not shows_nearly_all(reception):
        return found
    other = _crossed(networks, carrier, reception, probability, solution)
    if float(other[1].doubt) >= min(left, _EXPLAINED * before):
        return found
    # Each may have missed a part that the other found; and where most of it is known, more is found in the same way.
    probability = torch.maximum(found[0], other[0])
    again = _crossed(networks, carrier, reception, probability, other[1])
    return torch.maximum(probability, again[0]), again[1]


def look_behind_white(
    networks: LatticeNetworks,
    carrier: Carrier,
    reception: Reception,
    first: Tensor,
    probability: Tensor,
    solution: Draft,
) -> Tensor | None:
    """V's probability without a draft, 1 x 1 x H x W, and where levels were cut off what V says with one; None where
    it suspects nothing there.

    Nothing is left there of the lattice, as where somebody painted, and where it is much of a picture no draft comes
    out without its pixels either. So each part of it is drafted as if the others were what they seem to be, and not
    shown itself: symbols elsewhere say what was there, and V whether that may have become white, or black.
    first, probability: V's without a draft and with `solution`, 1 x 1 x H x W.
    """
    cut = _in_cut_blocks(reception)
    if not bool((cut & (probability > _SUSPECTED)).any()):
        return None
    return _part_by_part(networks, carrier, reception, torch.where(cut, 0, first), solution, cut)


def _in_cut_blocks(reception: Reception) -> Tensor:
    """Pixels of blocks that lost more than a little to white or black, 1 x 1 x H x W of False and True."""
    blocks = ~uncut_blocks(reception.clipped)
    height, width = reception.picture.shape[-2:]
    whole = functional.interpolate(blocks.float(), scale_factor=BLOCK, mode="nearest") > 0
    return functional.pad(whole, (0, width - whole.shape[-1], 0, height - whole.shape[-2]))


def shows_nearly_all(reception: Reception) -> bool:
    """Whether next to nothing of the picture was cut away (N = 1)."""
    return float(reception.known.mean()) > _NEARLY_ALL


def squared_difference(reception: Reception, solution: Draft) -> Tensor:
    """How far a suspect lies from a draft around each pixel, 1 x 1 x H x W, grey levels squared: a draft has no
    texture, so only what is left of the difference on average counts."""
    difference = reception.picture - solution.picture.clamp(0, 255)
    if reception.ramp is not None:
        # Of a suspect without colours nothing but brightness can be compared.
        difference = luma(difference)
    around = functional.avg_pool2d(difference, _AROUND, 1, _AROUND // 2, count_include_pad=False)
    return (around**2).mean(1, keepdim=True)


def _look(
    networks: LatticeNetworks, carrier: Carrier, reception: Reception, probability: Tensor, solution: Draft
) -> tuple[Tensor, Draft]:
    """V's probability at the draft under one, and that draft. solution: the draft before, which saves work."""
    solution = networks.solve(carrier, reception, probability, QUICK, before=solution)
    return torch.sigmoid(networks.second_look(reception, solution)), solution


def _credulous(
    networks: LatticeNetworks, carrier: Carrier, reception: Reception, probability: Tensor, solution: Draft
) -> tuple[Tensor, Draft]:
    """Looks at drafts that count what V suspects even a little, until it changes no more."""
    for _ in range(_LOOKS):
        before = probability
        probability, solution = _look(networks, carrier, reception, before**_CREDULITY, solution)
        if float((probability - before).abs().mean()) < _CHANGED:
            break
    return probability, solution


def _crossed(
    networks: LatticeNetworks, carrier: Carrier, reception: Reception, probability: Tensor, solution: Draft
) -> tuple[Tensor, Draft]:
    """Every part of the picture by a draft that was not shown it, as in cross-validation, then looks as ever."""
    everywhere = torch.ones_like(probability, dtype=torch.bool)
    probability = _part_by_part(networks, carrier, reception, probability, solution, everywhere)
    for _ in range(_LOOKS_AFTER):
        probability, solution = _look(networks, carrier, reception, probability, solution)
    return probability, solution


def _part_by_part(
    networks: LatticeNetworks,
    carrier: Carrier,
    reception: Reception,
    probability: Tensor,
    solution: Draft,
    within: Tensor,
) -> Tensor:
    """V's probability of each part of the picture within an area, 1 x 1 x H x W of False and True, by a draft that was
    not shown that part; elsewhere as it was."""
    apart = probability
    for part in _parts(carrier):
        hidden = part & within
        if bool(hidden.any()):
            unseen = torch.where(hidden, probability.clamp_min(_HIDDEN), probability)
            seen, _ = _look(networks, carrier, reception, unseen, solution)
            apart = torch.where(hidden, seen, apart)
    return apart


def _parts(carrier: Carrier) -> list[Tensor]:
    """Source blocks that lie apart from each other, 1 x 1 x H x W of False and True: all of them in _TURNS^2 parts."""
    rows, columns = (
        torch.arange(side, device=carrier.device) % _TURNS for side in (carrier.grid.rows, carrier.grid.columns)
    )
    of = (_TURNS * rows[:, None] + columns)[None, None].float()
    # Every pixel in one part alone; by `contradiction.on_picture` some are in none where the grid has another size.
    by_pixel = functional.interpolate(of, size=(carrier.height, carrier.width), mode="nearest-exact")
    return [by_pixel == part for part in range(_TURNS**2) if bool((of == part).any())]
