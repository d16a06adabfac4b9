"""How rough each block is in the direction of each slot's frequency: the damage of blur and scaling goes with it.

What such attacks leave behind, even undone, is what the picture held in frequencies that they took away, and busy
blocks held more of it. JPEG and sensor noise spare no block.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.transform import BLOCK, SLOTS, Slots

# Rounding to whole grey levels, as it shows in differences of neighbours; grey levels squared.
_ROUNDING = 2.0


def log_roughness(plane: Tensor, slots: Slots = SLOTS) -> Tensor:
    """Natural logarithm of the mean square of neighbours' differences, down and across, as each of S slots weighs
    the two.

    plane: luma, N x 1 x H x W, grey levels. Returns N x S x H//8 x W//8.
    """
    down, across = (
        functional.avg_pool2d(functional.pad(plane.diff(dim=dim) ** 2, padding), BLOCK)
        for dim, padding in ((-2, (0, 0, 0, 1)), (-1, (0, 1, 0, 0)))
    )
    vertical = _vertical_shares(plane.device, slots)
    return torch.log(vertical * down + (1 - vertical) * across + _ROUNDING)


def with_neighbours(roughness: Tensor) -> Tensor:
    """The mean of what `log_roughness` says of each block and of the nine in and around it: a little of what resampling
    folded comes from next door, and nine blocks are told more exactly than one (docs/experiments.md, "Scaled and scaled
    back, and noise that is not even").

    roughness: N x S x rows x columns. Returns the same.
    """
    around = functional.avg_pool2d(functional.pad(roughness, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return (roughness + around) / 2


@lru_cache(maxsize=4)
def _vertical_shares(device: torch.device, slots: Slots) -> Tensor:
    """How far each slot's frequency lies in the vertical: S x 1 x 1, in [0, 1]."""
    return torch.tensor([row / (row + column) for row, column in slots], device=device)[:, None, None]
