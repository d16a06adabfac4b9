"""What is lost, continued from around it."""

from __future__ import annotations

import pytest
import torch
from photographs import photograph, to_tensor

from imuge_cli.payload.filling import filled


def hole(height: int, width: int) -> torch.Tensor:
    weight = torch.ones(1, 1, height, width)
    weight[..., height // 4 : height // 2, width // 3 : width // 3 * 2] = 0
    return weight


@pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 77), (3, 5), (1, 9)])
def test_what_is_known_stays_and_a_constant_continues(height: int, width: int) -> None:
    weight = hole(height, width)
    level = torch.full((2, 3, height, width), 40.0)
    torch.testing.assert_close(filled(level * weight, weight.expand(2, -1, -1, -1)), level)


def test_a_photograph_keeps_what_is_known() -> None:
    picture = to_tensor(photograph("coffee", 60, 200)) - 128
    weight = hole(*picture.shape[-2:])
    result = filled(picture * weight, weight)
    torch.testing.assert_close(result * weight, picture * weight)
    # Nearer to the truth than grey is.
    gap = 1 - weight
    assert float((((result - picture) * gap) ** 2).sum()) < 0.7 * float(((picture * gap) ** 2).sum())


def test_a_ramp_is_continued_without_a_step() -> None:
    ramp = torch.linspace(-60, 60, 96).expand(1, 1, 64, 96)
    weight = hole(64, 96)
    assert float((filled(ramp * weight, weight) - ramp).abs().max()) < 20


def test_where_nothing_is_known_zeros_come_back() -> None:
    nothing = torch.zeros(1, 1, 24, 40)
    assert float(filled(torch.rand(1, 3, 24, 40), nothing).abs().max()) == 0


def test_a_doubtful_pixel_is_mixed_with_its_surroundings() -> None:
    picture, weight = torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 32, 32)
    picture[..., 12, 12], weight[..., 12, 12] = 100, 0.1
    assert 10 < float(filled(picture, weight)[..., 12, 12]) < 30
