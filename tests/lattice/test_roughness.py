"""How rough blocks are told to be."""

from __future__ import annotations

import math

import pytest
import torch

from imuge_cli.lattice.roughness import _ROUNDING, log_roughness
from imuge_cli.lattice.transform import SLOTS


def striped(across: bool) -> torch.Tensor:
    """A grey plane of 5 x 5 blocks, the middle one striped from 100 to 140 and back with each pixel."""
    plane = torch.full((1, 1, 40, 40), 120.0)
    stripes = torch.where(torch.arange(8) % 2 == 0, 100.0, 140.0).expand(8, 8)
    plane[0, 0, 16:24, 16:24] = stripes if across else stripes.T
    return plane


@pytest.mark.parametrize("across", [False, True])
def test_stripes_are_rough_for_frequencies_that_cross_them(across: bool) -> None:
    middle = log_roughness(striped(across))[0, :, 2, 2]
    steepest = [row / (row + column) for row, column in SLOTS]
    order = sorted(range(len(SLOTS)), key=lambda slot: steepest[slot], reverse=across)
    told = [float(middle[slot]) for slot in order]
    assert told == sorted(told) and told[-1] > told[0]


def test_a_block_is_told_by_its_neighbours_as_well() -> None:
    rough = log_roughness(striped(True))[0]
    calm = math.log(_ROUNDING)
    assert rough.shape == (len(SLOTS), 5, 5)
    # One of nine counts for half of it.
    corner, beside, middle = rough[:, 0, 0], rough[:, 1, 1], rough[:, 2, 2]
    assert torch.allclose(corner, torch.full_like(corner, calm))
    assert bool((beside > calm + 0.1).all()) and bool((middle > beside + 1).all())
