"""What the networks are trained for: the losses and how a batch reaches them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.models.lattice.receiver import QUICK, Draft, draw
from imuge_cli.models.lattice.sender import coefficients_of
from imuge_cli.training.batches import Batch
from imuge_cli.training.replay import Examples

# Share of the loss that the whole picture gets beside the tampered area (P1 Eq. 5 has them equal; the surroundings
# are nearly known, so most of the gradient should come from inside).
WHOLE_PICTURE = 0.3
WINDOW = 160
# An error this small (43 dB) is as good as none.
FLOOR = 2e-4


def verifier_loss(networks: LatticeNetworks, carrier: Carrier, batch: Batch) -> Tensor:
    """Binary cross-entropy (P1 Eq. 4) of both looks, over the pixels inside the suspect's frame."""
    first = networks.first_look(carrier, batch.reception)
    with torch.no_grad():
        probability = torch.sigmoid(first.float())
        solution = networks.solve(carrier, batch.reception, probability, QUICK)
    second = networks.second_look(batch.reception, solution)
    return _cross_entropy(first, batch) + _cross_entropy(second, batch)


def replayed_verifier_loss(networks: LatticeNetworks, shown: Examples, rng: np.random.Generator) -> Tensor:
    """`verifier_loss` of prepared examples: the first look, and the second or the third."""
    suspect = shown.suspect.float() / 255
    first = networks.verifier(suspect, suspect, shown.first.float())
    number = int(rng.integers(2))
    later = networks.verifier(suspect, shown.drafts[:, number].float() / 255, shown.later[:, number].float())
    return _cross_entropy(first, shown) + _cross_entropy(later, shown)


def _cross_entropy(logits: Tensor, batch: Batch | Examples) -> Tensor:
    loss = functional.binary_cross_entropy_with_logits(logits.float(), batch.mask.float(), reduction="none")
    return (loss * batch.known).sum() / batch.known.sum()


def recoverer_loss(
    networks: LatticeNetworks, carrier: Carrier, batch: Batch, mask: Tensor, rng: np.random.Generator
) -> Tensor:
    """P1 Eq. 5, squared error over the picture and, by itself, inside the mask, in logarithms.

    The logarithm of each picture's error is its PSNR up to a factor. Without it the few pictures of which little
    arrived have nearly all of the gradient, and R learns to spoil what arrived well.

    mask: N x 1 x H x W, what R is told was lost. R sees a window of 160 x 160 pixels around a lost pixel of each
    picture: what is far from the mask teaches it nothing, and windows are 2.5 times cheaper.
    """
    with torch.no_grad():
        solution = networks.solve(carrier, batch.reception, mask, QUICK)
    if networks.encoder is not None:
        solution = _through_channel(networks, carrier, batch, solution)
    windows = [_window(m, rng) for m in mask]
    suspect, told, drafted, original = (
        torch.stack([t[i][(slice(None), *w)] for i, w in enumerate(windows)])
        for t in (batch.suspect / 255, mask, solution.picture.clamp(0, 255) / 255, batch.original / 255)
    )
    recovered = networks.recoverer(suspect, told, drafted, solution.noise.mean(1), solution.doubt).float()
    return _log_errors(recovered, original, told)


def replayed_recoverer_loss(networks: LatticeNetworks, shown: Examples) -> Tensor:
    """`recoverer_loss` of prepared examples."""
    suspect, drafted, original = (t.float() / 255 for t in (shown.suspect, shown.drafts[:, -1], shown.original))
    told = shown.told.float()
    recovered = networks.recoverer(suspect, told, drafted, shown.noise, shown.doubt).float()
    return _log_errors(recovered, original, told)


def _log_errors(recovered: Tensor, original: Tensor, told: Tensor) -> Tensor:
    error = (2 * (recovered - original)) ** 2
    whole = error.mean((1, 2, 3))
    inside = (error * told).sum((1, 2, 3)) / (3 * told.sum((1, 2, 3))).clamp_min(1)
    loss: Tensor = (WHOLE_PICTURE * torch.log(whole + FLOOR) + torch.log(inside + FLOOR)).mean()
    return loss


def _through_channel(networks: LatticeNetworks, carrier: Carrier, batch: Batch, solution: Draft) -> Draft:
    """The draft as a function of E: what was sent plus the channel's error, the latter a constant."""
    sent = coefficients_of(carrier, batch.original, networks.encoder)
    arrived = sent + (solution.coefficients - sent).detach()
    return replace(solution, picture=draw(carrier, arrived))


def _window(mask: Tensor, rng: np.random.Generator) -> tuple[slice, slice]:
    """A window around a random pixel of a 1 x H x W mask (around any pixel where it is empty)."""
    height, width = mask.shape[-2:]
    places = mask[0].flatten().nonzero()[:, 0]
    number = int(rng.integers(0, max(1, len(places))))
    place = int(places[number]) if len(places) else int(rng.integers(0, height * width))
    shift_rows, shift_columns = (int(v) for v in rng.integers(WINDOW // 4, 3 * WINDOW // 4, 2))
    top = min(max(place // width - shift_rows, 0), height - WINDOW)
    left = min(max(place % width - shift_columns, 0), width - WINDOW)
    return slice(top, top + WINDOW), slice(left, left + WINDOW)


def told_mask(batch: Batch, rng: np.random.Generator, *, borrow: bool = True) -> Tensor:
    """The true mask, often a little enlarged, as V's mask will be; pixels outside the frame are lost too.

    borrow: untampered pictures get the mask of another picture, for R must know what to do anywhere; only where the
    draft is then solved without those pixels.
    """
    mask = batch.mask
    if borrow:
        empty = (mask.sum((1, 2, 3)) == 0).view(-1, 1, 1, 1)
        mask = torch.where(empty, mask.roll(1, 0), mask)
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
