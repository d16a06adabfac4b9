"""One step of training the paper's system: immunize, attack, verify, recover, and what everybody learns from it (P1
section 3, Figure 2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.attacks.layer import AttackLayer
from imuge_cli.models.imuge.family import ImugeNetworks, probability
from imuge_cli.networks.backbone import mask_at
from imuge_cli.networks.progressive import STAGES, ProgressiveDiscriminator
from imuge_cli.training import imuge_objectives as objectives
from imuge_cli.training.imuge_plan import Mechanisms, Phase


@dataclass(frozen=True)
class Players:
    """E, V and R, and who judges them: D_C of immunized pictures, D_S of recovered ones; None where left out."""

    networks: ImugeNetworks
    of_immunized: ProgressiveDiscriminator | None
    of_recovered: ProgressiveDiscriminator | None


@dataclass(frozen=True)
class Scene:
    """What a step is about. original, donors: N x 3 x H x W in [-1, 1]; masks: N x 1 x H x W, where to tamper."""

    original: Tensor
    donors: Tensor
    masks: Tensor


@dataclass(frozen=True)
class Played:
    """What happened, at the phase's resolution where it is smaller than the picture's.

    loss: Eq. 3, what E, V and R learn from. judges: the discriminators' own loss; None without any. told: the mask that
    R was given. values: for the log.
    """

    loss: Tensor
    judges: Tensor | None
    immunized: Tensor
    suspect: Tensor
    mask: Tensor
    told: Tensor
    raw: Tensor | None
    recovered: Tensor
    target: Tensor
    values: dict[str, float]


def play(
    players: Players,
    scene: Scene,
    phase: Phase,
    mechanisms: Mechanisms,
    weights: objectives.Weights,
    attacks: AttackLayer,
    generator: torch.Generator,
) -> Played:
    """Everything up to the losses; nothing is stepped. generator: on the CPU, for what the attack layer draws."""
    networks, original = players.networks, scene.original
    immunized = networks.immunize(original)
    # Whole grey levels do not survive short floats.
    with torch.autocast(original.device.type, enabled=False):
        attacked = attacks((immunized.float() + 1) / 2, (scene.donors + 1) / 2, scene.masks, generator)
    suspect, mask = attacked.picture * 2 - 1, attacked.mask
    raw, classification = None, None
    if phase.verifying:
        # Decoupled, V learns beside the others: what it would wish of E does not reach E.
        raw = networks.judge(suspect.detach() if phase.true_mask else suspect)
        classification = objectives.classification_loss(raw, mask)
    told = told_mask(mask, raw, phase, mechanisms)
    level = STAGES - phase.stage
    target, small = _smaller(original, level), _smaller(suspect, level)
    recovered = networks.recover(small, mask_at(told, level), phase.stage, phase.alpha)
    recovery = objectives.recovery_loss(target, recovered, mask_at(mask, level))
    reconstruction = objectives.reconstruction_loss(recovery, original, immunized, weights.gamma)
    adversarial = _objections(players, immunized, recovered, phase, weights)
    loss = objectives.total_loss(reconstruction, classification, adversarial, weights)
    judges = _judges(players, original, immunized, target, recovered, phase)
    named = {"loss": loss, "rec": recovery, "cls": classification, "dis": adversarial, "d": judges}
    return Played(
        loss=loss,
        judges=judges,
        immunized=immunized,
        suspect=suspect,
        mask=mask,
        told=told,
        raw=raw,
        recovered=recovered,
        target=target,
        values={name: float(value.detach()) for name, value in named.items() if value is not None},
    )


def told_mask(mask: Tensor, raw: Tensor | None, phase: Phase, mechanisms: Mechanisms) -> Tensor:
    """What R is told was tampered with: nothing without V, the truth while decoupled, then V's mask, binary as at
    inference.

    V learns nothing by it. Passed straight through, what R wishes of its mask outweighs V's own loss a hundred times
    (alpha, Eq. 3) and undoes V: see docs/paper.md.
    """
    if not mechanisms.verifier:
        return torch.zeros_like(mask)
    if phase.true_mask or raw is None:
        return mask
    return (probability(raw.detach()) > 0.5).to(mask.dtype)


def _smaller(picture: Tensor, level: int) -> Tensor:
    return functional.avg_pool2d(picture, 2**level) if level else picture


def _objections(
    players: Players, immunized: Tensor, recovered: Tensor, phase: Phase, weights: objectives.Weights
) -> Tensor | None:
    if players.of_recovered is None:
        return None
    judged = None if players.of_immunized is None else players.of_immunized(immunized)
    return objectives.adversarial_loss(players.of_recovered(recovered, phase.stage, phase.alpha), judged, weights.theta)


def _judges(
    players: Players, original: Tensor, immunized: Tensor, target: Tensor, recovered: Tensor, phase: Phase
) -> Tensor | None:
    losses = []
    if players.of_recovered is not None:
        stage, alpha = phase.stage, phase.alpha
        losses.append(
            objectives.discriminator_loss(
                players.of_recovered(target, stage, alpha), players.of_recovered(recovered.detach(), stage, alpha)
            )
        )
    if players.of_immunized is not None:
        losses.append(
            objectives.discriminator_loss(players.of_immunized(original), players.of_immunized(immunized.detach()))
        )
    return torch.stack(losses).sum() if losses else None
