"""What the networks are trained for."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.models.lattice.receiver import SURER, Draft, draw
from imuge_cli.models.lattice.sender import coefficients_of
from imuge_cli.training.batches import Batch
from imuge_cli.training.examples import Examples

# Share of the loss that the whole picture gets beside the tampered area (P1 Eq. 5 has them equal; the surroundings
# are nearly known, so most of the gradient should come from inside).
WHOLE_PICTURE = 0.3
# An error this small (43 dB) is as good as none.
FLOOR = 2e-4


def verifier_loss(networks: LatticeNetworks, shown: Examples, rng: np.random.Generator) -> Tensor:
    """Binary cross-entropy (P1 Eq. 4) over the pixels inside the suspect's frame: first look, and second or third."""
    suspect = shown.suspect.float() / 255
    first = networks.verifier(suspect, suspect, shown.first.float())
    number = int(rng.integers(2))
    later = networks.verifier(suspect, shown.drafts[:, number].float() / 255, shown.later[:, number].float())
    return _cross_entropy(first, shown) + _cross_entropy(later, shown)


def _cross_entropy(logits: Tensor, shown: Examples) -> Tensor:
    loss = functional.binary_cross_entropy_with_logits(logits.float(), shown.mask.float(), reduction="none")
    return (loss * shown.known).sum() / shown.known.sum()


def recovered_by(
    networks: LatticeNetworks, shown: Examples, drafted: Tensor | None = None, *, again: bool = False
) -> Tensor:
    """R's answers, N x 3 x H x W, nominally in [0, 1].

    drafted: the drafts, N x 3 x H x W in grey levels, where a gradient shall pass through them. again: given the drafts
    in which R had its say.
    """
    drafted = shown.recovery_drafts[:, int(again)].float() if drafted is None else drafted.clamp(0, 255)
    suspect, told = shown.suspect.float() / 255, shown.told.float()
    doubt = shown.doubt * SURER if again else shown.doubt
    recovered: Tensor = networks.recoverer(suspect, told, drafted / 255, shown.noise, doubt).float()
    return recovered


def recoverer_loss(recovered: Tensor, shown: Examples) -> Tensor:
    """P1 Eq. 5, squared error over the picture and, by itself, inside what was lost, in logarithms.

    The logarithm of each picture's error is its PSNR up to a factor. Without it the few pictures of which little
    arrived have nearly all of the gradient, and R learns to spoil what arrived well.
    """
    told = shown.told.float()
    error = (2 * (recovered - shown.original.float() / 255)) ** 2
    whole = error.mean((1, 2, 3))
    inside = (error * told).sum((1, 2, 3)) / (3 * told.sum((1, 2, 3))).clamp_min(1)
    loss: Tensor = (WHOLE_PICTURE * torch.log(whole + FLOOR) + torch.log(inside + FLOOR)).mean()
    return loss


def through_channel(networks: LatticeNetworks, carrier: Carrier, batch: Batch, solution: Draft) -> Tensor:
    """The draft as a function of E: what was sent plus the channel's error, the latter a constant."""
    sent = coefficients_of(carrier, batch.original, networks.encoder)
    arrived = sent + (solution.coefficients - sent).detach()
    return draw(carrier, arrived)


def told_mask(batch: Batch, rng: np.random.Generator) -> Tensor:
    """What R is told was lost: the true mask, often a little enlarged, as V's will be, and all outside the frame."""
    mask = batch.mask
    size = int(rng.integers(0, 4))
    if size:
        mask = functional.max_pool2d(mask, 2 * size + 1, 1, size)
    return torch.maximum(mask, 1 - batch.known)


def local_psnr(recovered: Tensor, original: Tensor, mask: Tensor) -> Tensor:
    """PSNR inside the mask, dB, per picture; both pictures in grey levels."""
    error = ((recovered.clamp(0, 255) - original) ** 2 * mask).sum((1, 2, 3)) / (3 * mask.sum((1, 2, 3))).clamp_min(1)
    return 10 * torch.log10(255**2 / error.clamp_min(1e-6))


def draft_quality(solution: Draft, batch: Batch) -> float:
    """Mean local PSNR of the draft alone, dB."""
    return float(local_psnr(solution.picture, batch.original, batch.mask).mean())
