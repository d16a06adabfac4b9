"""How rough blocks are told to be."""

from __future__ import annotations

import math

import pytest
import torch

from imuge_cli.lattice.roughness import _ROUNDING, log_roughness, with_neighbours
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


def test_only_the_rough_block_is_rough() -> None:
    rough = log_roughness(striped(True))[0]
    calm = torch.full((len(SLOTS),), math.log(_ROUNDING))
    assert rough.shape == (len(SLOTS), 5, 5)
    assert torch.allclose(rough[:, 1, 1], calm) and bool((rough[:, 2, 2] > calm + 3).all())


def test_neighbours_count_for_half() -> None:
    roughness = torch.zeros(1, 2, 4, 5)
    roughness[0, 0, 1, 1] = 9.0
    roughness[0, 1, 3, 4] = 9.0
    told = with_neighbours(roughness)
    expected = torch.zeros(1, 2, 4, 5)
    expected[0, 0, 0:3, 0:3] = 0.5
    expected[0, 0, 1, 1] = 5.0
    # At the edge the outermost blocks stand for those beyond.
    expected[0, 1, 2, 3], expected[0, 1, 2, 4], expected[0, 1, 3, 3], expected[0, 1, 3, 4] = 0.5, 1.0, 1.0, 6.5
    torch.testing.assert_close(told, expected)
