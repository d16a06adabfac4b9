"""Channels that were stretched each by itself: by how much is found from known phases, and where they tell nothing."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from photographs import photograph, to_pixels, to_tensor
from PIL import Image
from torch import Tensor

from imuge_cli.lattice.balance import balanced_luma, fit_balance
from imuge_cli.lattice.modulation import embed, wrap
from imuge_cli.lattice.transform import analyse, luma

STEP = 19.7
NAMES = ("astronaut", "coffee")
PHASES = torch.rand(1, 14, 32, 32, generator=torch.Generator().manual_seed(1))
ORDER = torch.arange(2)[:, None, None].expand(2, 32, 32)
ONES = torch.ones(3)


def sent(name: str) -> Tensor:
    return embed(to_tensor(photograph(name, 0, 100)), PHASES, torch.tensor(STEP), torch.ones(1)).round().clamp(0, 255)


def stretched(picture: Tensor, gains: tuple[float, ...], offsets: tuple[float, ...] = (0, 0, 0)) -> Tensor:
    by, added = (torch.tensor(values)[None, :, None, None] for values in (gains, offsets))
    return (picture * by + added).round().clamp(0, 255)


def jpeg(picture: Tensor, quality: int) -> Tensor:
    stream = io.BytesIO()
    Image.fromarray(to_pixels(picture)).save(stream, "jpeg", quality=quality)
    return to_tensor(np.array(Image.open(stream)))


def found(picture: Tensor, counts: Tensor | None = None) -> Tensor:
    return fit_balance(picture, ORDER, PHASES[0, :2], STEP, counts)


def agreement(plane: Tensor) -> float:
    """Mean cosine of what the phases that were not known lie off."""
    return float(torch.cos(2 * math.pi * wrap(analyse(plane)[:, 2:] / STEP - PHASES[:, 2:])).mean())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("gains", "offsets"),
    [((1.12, 1.0, 0.88), (0, 0, 0)), ((0.85, 1.0, 1.15), (0, 0, 0)), ((1.05, 0.9, 1.0), (-10, 20, 5))],
)
def test_what_channels_were_multiplied_by_is_found(
    name: str, gains: tuple[float, ...], offsets: tuple[float, ...]
) -> None:
    suspect = stretched(sent(name), gains, offsets)
    # What was cut off at white says nothing.
    uncut = (suspect > 2).all(1, keepdim=True) & (suspect < 253).all(1, keepdim=True)
    counts = -torch.nn.functional.max_pool2d(-uncut.float(), 8)[0, 0] > 0
    balance = found(suspect, counts)
    assert torch.allclose(balance, torch.tensor(gains), atol=0.03)
    assert agreement(balanced_luma(suspect, balance[None])) > agreement(luma(suspect)) + 0.01


@pytest.mark.parametrize("name", NAMES)
def test_it_is_found_after_jpeg(name: str) -> None:
    assert torch.allclose(
        found(jpeg(stretched(sent(name), (1.1, 1.0, 0.9)), 90)), torch.tensor((1.1, 1.0, 0.9)), atol=0.06
    )


@pytest.mark.parametrize("name", NAMES)
def test_channels_that_were_left_alone_are_found_to_be(name: str) -> None:
    for suspect in (sent(name), jpeg(sent(name), 90)):
        assert torch.allclose(found(suspect), ONES, atol=0.03)


def test_a_part_that_was_recoloured_does_not_count_for_the_whole() -> None:
    picture = sent("astronaut")
    suspect = picture.clone()
    suspect[..., 40:140, 60:160] = stretched(picture[..., 40:140, 60:160], (1.3, 1.0, 0.7))
    assert torch.allclose(found(suspect), ONES, atol=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_known_phases_of_another_picture_tell_nothing_possible_or_little(name: str) -> None:
    balance = found(to_tensor(photograph(name, 0, 100)))
    assert bool(((balance >= 0.5) & (balance <= 2.5)).all())


def test_a_picture_of_one_level_tells_nothing() -> None:
    flat = torch.full((1, 3, 256, 256), 90.0)
    assert torch.equal(found(flat), ONES)


def test_luma_of_balanced_channels_is_luma_of_each_divided() -> None:
    picture, balance = sent("coffee"), torch.tensor([[1.2, 1.0, 0.8]])
    assert torch.allclose(balanced_luma(picture, balance), luma(picture / balance[..., None, None]), atol=1e-3)
    assert torch.allclose(balanced_luma(picture, ONES[None]), luma(picture), atol=1e-3)
