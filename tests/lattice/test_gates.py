"""How far slots are pulled: less in calm blocks, and by rules that sender and receiver share."""

from __future__ import annotations

import pytest
import torch
from photographs import photograph, to_tensor

from imuge_cli.lattice.gates import BUSY, CALM, HALF_WAY, gates, self_noise
from imuge_cli.lattice.modulation import embed, wrap
from imuge_cli.lattice.transform import analyse, luma

STEP = torch.tensor(21.7)


def grain(deviation: float, height: int = 64, width: int = 64) -> torch.Tensor:
    noise = torch.randn(1, 1, height, width, generator=torch.Generator().manual_seed(1))
    return 128 + deviation * noise


def test_flat_blocks_are_gated_most_and_busy_ones_least() -> None:
    flat, middle, busy = (float(gates(grain(d)).mean()) for d in (0.0, HALF_WAY**0.5, 60.0))
    assert flat == pytest.approx(CALM)
    assert middle == pytest.approx((CALM + BUSY) / 2, abs=0.02)
    assert busy == pytest.approx(BUSY, abs=0.02)


def test_a_slope_within_a_block_is_activity_but_its_brightness_is_not() -> None:
    steps = torch.arange(8.0).repeat(4)[None, None, None].expand(1, 1, 32, 32)
    torch.testing.assert_close(gates(steps * 0 + 200), gates(steps * 0 + 20))
    assert float(gates(steps * 8).min()) > CALM + 0.1


def test_partial_blocks_have_no_gate() -> None:
    assert gates(grain(5.0, 20, 31)).shape == (1, 1, 2, 3)


def test_what_a_gate_leaves_has_the_variance_that_is_claimed() -> None:
    rgb = to_tensor(photograph("coffee", 60, 200))
    phases = torch.rand(1, 14, 32, 32, generator=torch.Generator().manual_seed(2))
    for gate in (0.6, 0.9):
        sent = embed(rgb, phases, STEP, torch.tensor(gate))
        error = wrap(analyse(luma(sent)) / STEP - phases)
        assert float((error**2).mean()) == pytest.approx(float(self_noise(torch.tensor(gate))), rel=0.05)


def test_the_receiver_guesses_the_senders_gates() -> None:
    rgb = to_tensor(photograph("coffee", 60, 200))
    gate = gates(luma(rgb))
    phases = torch.rand(1, 14, 32, 32, generator=torch.Generator().manual_seed(2))
    sent = embed(rgb, phases, STEP, gate).round()
    added = 14 / 64 / 12 * CALM**2 * float(STEP) ** 2
    guessed = gates(luma(sent), received=added)
    assert float((guessed - gate).abs().mean()) < 0.015


def test_gates_spare_calm_areas() -> None:
    rgb = grain(1.0).expand(1, 3, -1, -1)
    phases = torch.rand(1, 14, 8, 8, generator=torch.Generator().manual_seed(2))
    whole = embed(rgb, phases, STEP, torch.ones(1)) - rgb
    spared = embed(rgb, phases, STEP, gates(luma(rgb))) - rgb
    assert float((spared**2).mean() / (whole**2).mean()) == pytest.approx(CALM**2, rel=0.03)
