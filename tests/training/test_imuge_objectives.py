"""The paper's losses against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from imuge_cli.models.imuge.family import probability
from imuge_cli.training.imuge_objectives import (
    Weights,
    adversarial_loss,
    classification_loss,
    deception_loss,
    discriminator_loss,
    reconstruction_loss,
    recovery_loss,
    total_loss,
)


def test_equation_5() -> None:
    original, recovered = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    recovered[..., 0, 0], recovered[..., 1, 1] = 0.5, 0.2
    mask = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    # All pixels: (.25 + .04) / 4. Of the two tampered ones: .25 / 2.
    assert float(recovery_loss(original, recovered, mask)) == pytest.approx(0.0725 + 0.125)
    assert float(recovery_loss(original, recovered, torch.zeros_like(mask))) == pytest.approx(0.0725)


def test_equation_6() -> None:
    original, immunized = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.1)
    assert float(reconstruction_loss(torch.tensor(0.3), original, immunized, 0.5)) == pytest.approx(0.305)


def test_equation_4_punishes_the_wrong_answer() -> None:
    raw, mask = torch.tensor([[[[0.0, 1.0, -2.0]]]]), torch.tensor([[[[1.0, 1.0, 1.0]]]])
    by_hand = -sum(math.log((math.tanh(x) + 1) / 2) for x in (0.0, 1.0, -2.0)) / 3
    assert float(classification_loss(raw, mask)) == pytest.approx(by_hand, rel=1e-5)
    assert classification_loss(raw + 3, mask) < classification_loss(raw, mask) < classification_loss(raw - 3, mask)
    torch.testing.assert_close(probability(raw), (torch.tanh(raw) + 1) / 2)


def test_equations_7_to_9() -> None:
    genuine, made = torch.tensor([[[[1.0, 0.5]]]]), torch.tensor([[[[0.0, 0.5]]]])
    assert float(discriminator_loss(genuine, made)) == pytest.approx((0.125 + 0.125) / 2)
    assert float(deception_loss(made)) == pytest.approx((1 + 0.25) / 2)
    assert float(adversarial_loss(made, genuine, 0.5)) == pytest.approx(0.625 + 0.5 * 0.125)
    assert float(adversarial_loss(made, None, 0.5)) == pytest.approx(0.625)


def test_equation_3_with_the_papers_weights() -> None:
    assert Weights() == Weights(alpha=0.01, beta=0.005, gamma=0.5, theta=0.5)
    one, two, three = (torch.tensor(float(n)) for n in (1, 2, 3))
    assert float(total_loss(one, two, three, Weights())) == pytest.approx(1 + 0.02 + 0.015)
    assert float(total_loss(one, None, three, Weights())) == pytest.approx(1.015)
    assert float(total_loss(one, None, None, Weights())) == 1
    with pytest.raises(ValueError, match="negative"):
        Weights(beta=-1)
