"""Noise of the channels: less of it in luma where channels have their own, nothing changed where they have not."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from photographs import photograph, to_pixels, to_tensor
from PIL import Image
from torch import Tensor

from imuge_cli.lattice.modulation import embed, wrap
from imuge_cli.lattice.quieting import without_noise
from imuge_cli.lattice.transform import analyse, luma

STEP = 19.7
NAMES = ("astronaut", "coffee")
PHASES = torch.rand(1, 14, 32, 32, generator=torch.Generator().manual_seed(1))
ORDER = torch.arange(14)[None, :, None, None].expand(1, 14, 32, 32)
EVERYWHERE = torch.ones(1, 1, 32, 32)


def sent(name: str) -> Tensor:
    return embed(to_tensor(photograph(name, 0, 100)), PHASES, torch.tensor(STEP), torch.ones(1)).round().clamp(0, 255)


def noisy(picture: Tensor, deviation: float, *, common: bool = False) -> Tensor:
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(2))
    noise = noise[:, :1].expand_as(picture) if common else noise
    return (picture + deviation * noise).round().clamp(0, 255)


def quieted(picture: Tensor, known: Tensor = EVERYWHERE, told: int = 2) -> Tensor:
    """With the first of the slots known."""
    coefficients = analyse(luma(picture))
    return without_noise(picture, coefficients, ORDER[:, :told], PHASES[:, :told], known, STEP)


def agreement(coefficients: Tensor, where: Tensor = EVERYWHERE) -> float:
    """Mean cosine of what the phases of the slots that were not known lie off."""
    off = wrap(coefficients[:, 2:] / STEP - PHASES[:, 2:])
    return float((torch.cos(2 * math.pi * off) * where).mean() / where.mean())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("deviation", [3.0, 5.0])
def test_phases_that_were_not_known_agree_better_where_channels_have_noise(name: str, deviation: float) -> None:
    suspect = noisy(sent(name), deviation)
    assert 1 - agreement(quieted(suspect)) < 0.93 * (1 - agreement(analyse(luma(suspect))))


@pytest.mark.parametrize("name", NAMES)
def test_coloured_parts_are_not_harmed(name: str) -> None:
    picture = sent(name)
    suspect = noisy(picture, 5.0)
    colour = (analyse(picture.mean(1, keepdim=True)) - analyse(luma(picture))).square().mean(1, keepdim=True)
    coloured = (colour > torch.quantile(colour, 0.9)).float()
    assert agreement(quieted(suspect), coloured) > agreement(analyse(luma(suspect)), coloured) - 0.01


@pytest.mark.parametrize("name", NAMES)
def test_what_has_no_noise_or_the_same_in_all_channels_stays_to_the_bit(name: str) -> None:
    picture = sent(name)
    for suspect in (picture, noisy(picture, 5.0, common=True)):
        assert torch.equal(quieted(suspect), analyse(luma(suspect)))


@pytest.mark.parametrize("quality", [50, 90])
def test_jpeg_is_not_taken_for_noise(quality: int) -> None:
    stream = io.BytesIO()
    Image.fromarray(to_pixels(sent("astronaut"))).save(stream, "jpeg", quality=quality)
    suspect = to_tensor(np.array(Image.open(stream)))
    assert torch.equal(quieted(suspect), analyse(luma(suspect)))


def test_phases_of_another_picture_change_nothing() -> None:
    suspect = noisy(to_tensor(photograph("coffee", 0, 100)), 5.0)
    assert torch.equal(quieted(suspect), analyse(luma(suspect)))


def test_blocks_that_do_not_count_are_not_looked_at() -> None:
    suspect = noisy(sent("astronaut"), 5.0)
    left = EVERYWHERE.clone()
    left[..., 16:] = 0
    other = suspect.clone()
    other[..., 128:] = 128
    assert torch.allclose(quieted(suspect, left)[..., :16], quieted(other, left)[..., :16])


def test_each_picture_of_a_batch_by_itself() -> None:
    clean, loud = sent("astronaut"), noisy(sent("coffee"), 5.0)
    both = torch.cat([clean, loud])
    together = without_noise(
        both,
        analyse(luma(both)),
        ORDER[:, :2],
        PHASES[:, :2].expand(2, -1, -1, -1),
        EVERYWHERE.expand(2, -1, -1, -1),
        STEP,
    )
    assert torch.allclose(together, torch.cat([quieted(clean), quieted(loud)]))
