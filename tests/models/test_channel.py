"""What a phase carries over noise."""

from __future__ import annotations

import math

import pytest
import torch

from imuge_cli.lattice.modulation import wrap
from imuge_cli.models.lattice.channel import capacity


def test_little_noise_is_that_of_an_unwrapped_gaussian() -> None:
    variance = torch.tensor([0.0002, 0.001, 0.004])
    expected = -0.5 * torch.log2(2 * math.pi * math.e * variance)
    assert capacity(variance).tolist() == pytest.approx(expected.tolist(), abs=0.005)


def test_much_noise_carries_nothing_and_shapes_are_kept() -> None:
    assert float(capacity(torch.tensor(5.0))) < 0.01
    by_block = capacity(torch.linspace(0.001, 0.2, 60).view(3, 4, 5))
    assert by_block.shape == (3, 4, 5) and (by_block.flatten().diff() < 0).all()


def test_wrapped_noise_has_the_entropy_that_is_said() -> None:
    noise = wrap(torch.randn(2_000_000, generator=torch.Generator().manual_seed(1)) * 0.06**0.5)
    share = torch.histc(noise, 100, -0.5, 0.5) / len(noise)
    assert float(capacity(torch.tensor(0.06))) == pytest.approx(
        float((share * torch.log2(share * 100)).sum()), abs=0.003
    )
