"""How far slots are pulled: less in calm blocks, and by rules that sender and receiver share."""

from __future__ import annotations

import pytest
import torch
from photographs import photograph, to_tensor

from imuge_cli.lattice.gates import BUSY, CALM, HALF_WAY, activity, gates, pulled
from imuge_cli.lattice.modulation import embed, wrap
from imuge_cli.lattice.transform import analyse, luma

STEP = 20.5
PHASES = torch.rand(1, 14, 32, 32, generator=torch.Generator().manual_seed(2))
ADDED = 14 / 64 / 12 * CALM**2 * STEP**2


def grain(deviation: float, height: int = 64, width: int = 64) -> torch.Tensor:
    noise = torch.randn(1, 1, height, width, generator=torch.Generator().manual_seed(1))
    return 128 + deviation * noise


def test_flat_blocks_are_gated_most_and_busy_ones_least() -> None:
    flat, middle, busy = (float(gates(activity(grain(d))).mean()) for d in (0.0, HALF_WAY**0.5, 60.0))
    assert flat == pytest.approx(CALM)
    assert middle == pytest.approx((CALM + BUSY) / 2, abs=0.02)
    assert busy == pytest.approx(BUSY, abs=0.02)


def test_a_slope_within_a_block_is_activity_but_its_brightness_is_not() -> None:
    steps = torch.arange(8.0).repeat(4)[None, None, None].expand(1, 1, 32, 32)
    torch.testing.assert_close(gates(activity(steps * 0 + 200)), gates(activity(steps * 0 + 20)))
    assert float(gates(activity(steps * 8)).min()) > CALM + 0.1


def test_partial_blocks_have_no_gate() -> None:
    assert activity(grain(5.0, 20, 31)).shape == gates(activity(grain(5.0, 20, 31))).shape == (1, 1, 2, 3)


def test_a_still_block_comes_back_as_if_it_had_been_pulled_all_the_way() -> None:
    still = torch.zeros(1, 1, 4, 4)
    factor, left = pulled(still, STEP)
    assert factor.shape == left.shape == (1, 14, 4, 4)
    assert float(factor.mean()) == pytest.approx(1 / CALM, rel=0.05)
    assert float(left.max()) < 0.1 * (1 - CALM) ** 2 / 12


def test_what_is_left_never_exceeds_what_the_gate_left() -> None:
    active = torch.logspace(-2, 4, 50).view(1, 1, 5, 10)
    factor, left = pulled(active, STEP)
    plain = (1 - gates(active)) ** 2 / 12
    assert bool((left <= plain + 1e-9).all())
    assert bool((factor >= 1).all())


def test_a_receiver_lies_nearer_to_the_lattice_than_what_was_sent() -> None:
    rgb = to_tensor(photograph("coffee", 60, 200))
    sent = embed(rgb, PHASES, torch.tensor(STEP), gates(activity(luma(rgb))))
    factor, left = pulled(activity(luma(sent), received=ADDED), STEP)
    plain = wrap(analyse(luma(sent)) / STEP - PHASES).square().mean()
    undone = wrap(analyse(luma(sent)) * factor / STEP - PHASES).square().mean()
    assert float(undone) < 0.75 * float(plain)
    assert float(undone) == pytest.approx(float(left.mean()), rel=0.5)


def test_the_receiver_guesses_the_senders_gates() -> None:
    rgb = to_tensor(photograph("coffee", 60, 200))
    gate = gates(activity(luma(rgb)))
    sent = embed(rgb, PHASES, torch.tensor(STEP), gate).round()
    guessed = gates(activity(luma(sent), received=ADDED))
    assert float((guessed - gate).abs().mean()) < 0.025


def test_gates_spare_calm_areas() -> None:
    rgb = grain(1.0).expand(1, 3, -1, -1)
    phases = PHASES[..., :8, :8]
    whole = embed(rgb, phases, torch.tensor(STEP), torch.ones(1)) - rgb
    spared = embed(rgb, phases, torch.tensor(STEP), gates(activity(luma(rgb)))) - rgb
    assert float((spared**2).mean() / (whole**2).mean()) == pytest.approx(CALM**2, rel=0.05)
