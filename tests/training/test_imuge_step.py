"""One step of the paper's training: who is told what, and where gradients go."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from imuge_cli.attacks.layer import AttackLayer
from imuge_cli.models.imuge.family import ImugeNetworks, probability
from imuge_cli.networks.backbone import Style
from imuge_cli.networks.progressive import ProgressiveDiscriminator
from imuge_cli.training.imuge_objectives import Weights, recovery_loss
from imuge_cli.training.imuge_plan import ABLATION, Mechanisms, Phase, Schedule
from imuge_cli.training.imuge_step import Played, Players, Scene, play

SMALL = Style(width=8, convolutions=1, dilations=(1,))
ALL = Mechanisms()
DECOUPLED = Phase(4, 1.0, true_mask=True, verifying=True)
JOINT = Phase(4, 1.0, true_mask=False, verifying=True)


def players(seed: int = 0, *, judged: bool = True) -> Players:
    torch.manual_seed(seed)
    networks = ImugeNetworks(SMALL, SMALL, SMALL)
    judges = [ProgressiveDiscriminator((4, 4, 8, 8)) if judged else None for _ in range(2)]
    return Players(networks, judges[0], judges[1])


def scene(side: int = 64) -> Scene:
    torch.manual_seed(5)
    original = nn.functional.interpolate(torch.rand(2, 3, 8, 8), size=(side, side), mode="bicubic").clamp(0, 1) * 2 - 1
    masks = torch.zeros(2, 1, side, side)
    masks[:, :, 8:40, 16:48] = 1
    return Scene(original, original.flip(0), masks)


def played(who: Players, phase: Phase, mechanisms: Mechanisms = ALL, *, weights: Weights | None = None) -> Played:
    attacks = AttackLayer(("none",), skipped=0.0)
    return play(who, scene(), phase, mechanisms, weights or Weights(), attacks, torch.Generator().manual_seed(1))


def taught(network: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())


def test_decoupled_r_is_told_the_truth_and_v_learns_beside_it() -> None:
    who = players(judged=False)
    result = played(who, DECOUPLED)
    torch.testing.assert_close(result.told, result.mask, rtol=0, atol=0)
    assert result.raw is not None and result.judges is None
    (gradient,) = torch.autograd.grad(result.raw.sum(), result.immunized, allow_unused=True, retain_graph=True)
    assert gradient is None
    result.loss.backward()  # type: ignore[no-untyped-call]
    assert taught(who.networks.encoder) and taught(who.networks.verifier) and taught(who.networks.recoverer)


def test_jointly_r_is_told_what_v_says_and_v_learns_from_its_own_loss_alone() -> None:
    who = players(judged=False)
    result = played(who, JOINT, weights=Weights(alpha=0))
    assert result.raw is not None
    torch.testing.assert_close(result.told, (probability(result.raw) > 0.5).float())
    assert not result.told.requires_grad
    result.loss.backward()  # type: ignore[no-untyped-call]
    # V's own loss is weighted by nothing here, and R's does not reach it.
    assert taught(who.networks.recoverer) and not taught(who.networks.verifier)
    result = played(who, JOINT)
    result.loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    assert taught(who.networks.verifier) and result.raw is not None
    (gradient,) = torch.autograd.grad(result.raw.sum(), result.immunized)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_small_stages_recover_small_pictures_with_v_idle(stage: int) -> None:
    who = players()
    result = played(who, Phase(stage, 0.5, true_mask=True, verifying=False))
    side = 64 // 2 ** (4 - stage)
    assert result.recovered.shape == result.target.shape == (2, 3, side, side)
    torch.testing.assert_close(result.target.mean((2, 3)), scene().original.mean((2, 3)))
    assert result.raw is None and "cls" not in result.values
    result.loss.backward()  # type: ignore[no-untyped-call]
    assert taught(who.networks.encoder) and taught(who.networks.recoverer) and not taught(who.networks.verifier)


def test_lost_pixels_never_reach_r() -> None:
    who = players()
    first = played(who, DECOUPLED)
    other = dataclasses.replace(scene(), donors=-scene().donors)
    again = play(who, other, DECOUPLED, ALL, Weights(), AttackLayer(("none",), 0.0), torch.Generator().manual_seed(1))
    torch.testing.assert_close(first.recovered, again.recovered)


def test_the_loss_is_equation_3() -> None:
    who = players()
    result = played(who, JOINT)
    assert who.of_recovered is not None and who.of_immunized is not None and result.raw is not None
    original = scene().original
    recovered = recovery_loss(original, result.recovered, result.mask)
    seen = recovered + 0.5 * ((original - result.immunized) ** 2).mean()
    bce = nn.functional.binary_cross_entropy(probability(result.raw), result.mask)
    fooled = ((who.of_recovered(result.recovered) - 1) ** 2).mean()
    fooled = fooled + 0.5 * ((who.of_immunized(result.immunized) - 1) ** 2).mean()
    torch.testing.assert_close(result.loss, seen + 0.01 * bce + 0.005 * fooled)


def test_judges_learn_without_teaching_those_they_judge() -> None:
    who = players()
    result = played(who, DECOUPLED)
    assert result.judges is not None and who.of_immunized is not None and who.of_recovered is not None
    result.judges.backward()  # type: ignore[no-untyped-call]
    assert taught(who.of_immunized) and taught(who.of_recovered) and not taught(who.networks)


def test_nothing_tampered_is_what_v_has_to_say() -> None:
    attacks = AttackLayer(skipped=1.0)
    result = play(players(), scene(), JOINT, ALL, Weights(), attacks, torch.Generator().manual_seed(1))
    assert not result.mask.any()
    assert (result.suspect - result.immunized).abs().max() < 1.01 / 255


@pytest.mark.parametrize("row", ABLATION)
def test_every_row_of_the_ablation_can_be_played(row: str) -> None:
    mechanisms = ABLATION[row]
    torch.manual_seed(0)
    networks = ImugeNetworks(SMALL, SMALL, SMALL, (0, 1) if mechanisms.sharing else ())
    judges = [ProgressiveDiscriminator((4, 4, 8, 8)) if mechanisms.discriminators else None for _ in range(2)]
    who, schedule = Players(networks, judges[0], judges[1]), Schedule(10, mechanisms)
    for step in range(10):
        result = played(who, schedule.phase(step), mechanisms)
        assert torch.isfinite(result.loss)
        assert (result.judges is not None) == mechanisms.discriminators
        if not mechanisms.verifier:
            assert not result.told.any() and result.raw is None


def test_a_few_steps_make_the_loss_smaller() -> None:
    who = players(judged=False)
    optimizer = torch.optim.Adam(who.networks.parameters(), lr=2e-3)
    losses: list[Tensor] = []
    for _ in range(25):
        result = played(who, DECOUPLED)
        optimizer.zero_grad()
        result.loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(result.loss.detach())
    assert losses[-1] < 0.6 * losses[0]
