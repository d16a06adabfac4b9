"""The channel's noise as pilots and header chips show it, and what single phases say of tampering."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.layout import ROBUST_SLOTS, SLOT_COUNT
from imuge_cli.lattice.transform import FINE_SLOTS
from imuge_cli.models.lattice.carrier import FINE_STEP, Carrier
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.payload.unwrap import log_likelihood_ratio, variance_of

# Rounding to 8 bits and the solver's own inaccuracy: no phase is trusted beyond this variance (cells squared).
NOISE_FLOOR = 0.0012
# A phase with more noise says nothing.
LOUDEST = 0.2
# Fine slots that would have more are left out.
_FINE_NOISE = 0.15
# By which power of roughness noise may rise. 0: JPEG, sensor noise; about 1: what blur and scaling leave.
_POWERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
# Unevenness must explain the pilots better by so much (natural logarithm of likelihood) to be believed.
_EVIDENCE = 6.0
_OUTLIERS = 0.05


@dataclass(frozen=True)
class Noise:
    """Phase noise. by_slot: N x 14, variance in cells squared of a block of middling roughness. factor: N x 14 x rows x
    columns by slot: by what that differs from block to block; 1 where the noise is even. power, middle: N x 1 x 1 x 1,
    the factor is exp(power * (roughness - middle)). With fine slots 38 instead of 14 (`with_fine`)."""

    by_slot: Tensor
    factor: Tensor
    power: Tensor
    middle: Tensor

    @property
    def everywhere(self) -> Tensor:
        """By slot and block, N x 14 x rows x columns, cells squared."""
        return (self.by_slot[:, :, None, None] * self.factor).clamp(NOISE_FLOOR, LOUDEST)

    @property
    def mean(self) -> Tensor:
        """By slot, on average: N x 14, cells squared."""
        return self.everywhere.mean((2, 3))


def with_fine(noise: Noise, reception: Reception) -> Noise | None:
    """The noise with that of fine slots, which is taken for as loud in grey levels as the loudest robust slot's until
    data symbols tell better; None where they would say next to nothing in any picture."""
    if reception.fine is None:
        return None
    loudest = (noise.by_slot[:, :ROBUST_SLOTS].max(1, keepdim=True).values - NOISE_FLOOR) / FINE_STEP**2 + NOISE_FLOOR
    if bool((loudest > _FINE_NOISE).all()):
        return None
    factor = torch.exp(noise.power * (reception.fine.roughness - noise.middle))
    by_slot = torch.cat([noise.by_slot, loudest.clamp_max(LOUDEST).expand(-1, len(FINE_SLOTS))], 1)
    return replace(noise, by_slot=by_slot, factor=torch.cat([noise.factor, factor], 1))


def capacity(variance: Tensor) -> Tensor:
    """Bits that a phase carries at most over noise of some variance (cells squared), for a sender that uses the whole
    cell: the negative entropy of the wrapped noise."""
    known = torch.logspace(-4, -0.5, 48, device=variance.device)
    error = (torch.arange(1024, device=variance.device) + 0.5) / 1024 - 0.5
    turns = torch.arange(-2, 3, device=variance.device)
    exponent = -((error[:, None] + turns) ** 2) / (2 * known.view(-1, 1, 1))
    density = torch.exp(exponent).sum(2) / (2 * math.pi * known[:, None]).sqrt()
    bits = (density * torch.log2(density.clamp_min(1e-30))).mean(1).clamp_min(0)
    place = (torch.log(variance.clamp(1e-4, 0.3)) - math.log(1e-4)) / (0.5 * math.log(10) * 7 / 47)
    below = place.floor().clamp(0, len(known) - 2)
    share, index = place - below, below.long()
    return bits[index] * (1 - share) + bits[index + 1] * share


def pilot_noise(carrier: Carrier, reception: Reception, trust: Tensor) -> Noise:
    """From pilots and header chips; trust: N x 1 x rows x columns in [0, 1].

    The slots that carry neither get the worst robust slot's noise until the data symbols tell better.
    """
    count = trust.shape[0]
    slots = carrier.order[:, :2].expand(count, -1, -1, -1)
    weights = (trust * reception.known).expand(-1, 2, -1, -1)
    of_slot = [weights * (slots == slot) for slot in range(ROBUST_SLOTS)]
    total = weights.sum((1, 2, 3), keepdim=True).clamp_min(1e-6)
    rough = torch.gather(reception.roughness, 1, slots)
    middle = (rough * weights).sum((1, 2, 3), keepdim=True) / total
    cosine = torch.cos(2 * math.pi * reception.errors)
    found, likely = [], []
    for power in _POWERS:
        factor = torch.exp(power * (rough - middle))
        # Rougher blocks count less: where little is left of a phase its cosine says little of how little.
        shares = [weight / factor for weight in of_slot]
        sums = torch.stack([share.sum((1, 2, 3)) for share in shares], 1).clamp_min(1e-6)
        mean_cosine = torch.stack([(cosine * share).sum((1, 2, 3)) for share in shares], 1) / sums
        typical = torch.stack([weight.sum((1, 2, 3)) for weight in of_slot], 1) / sums
        robust = variance_of(mean_cosine) / typical.clamp_min(1e-6)
        found.append(robust)
        variance = (torch.gather(robust, 1, slots.flatten(1)).view_as(factor) * factor).clamp(NOISE_FLOOR, LOUDEST)
        density = torch.exp(-log_likelihood_ratio(reception.errors, variance))
        likely.append((torch.log(density * (1 - _OUTLIERS) + _OUTLIERS) * weights).sum((1, 2, 3)))
    gained = torch.stack(likely, 1)
    gained[:, 1:] -= _EVIDENCE
    best = gained.argmax(1)
    chosen = torch.tensor(_POWERS, device=trust.device)[best].view(-1, 1, 1, 1)
    robust = torch.stack(found, 1)[torch.arange(count, device=trust.device), best]
    worst = robust.max(1, keepdim=True).values
    by_slot = torch.cat([robust, worst.expand(-1, SLOT_COUNT - ROBUST_SLOTS)], 1) + NOISE_FLOOR
    return Noise(by_slot, torch.exp(chosen * (reception.roughness - middle)), chosen, middle)


def block_ratios(carrier: Carrier, reception: Reception, noise: Noise) -> Tensor:
    """Log likelihood ratios of pilot and header chip, by slot (zero elsewhere): N x 14 x rows x columns."""
    ratios = pilot_ratios(carrier, reception, noise) * reception.known
    return carrier.by_slot(functional.pad(ratios, (0, 0, 0, 0, 0, SLOT_COUNT - 2)))


def pilot_ratios(carrier: Carrier, reception: Reception, noise: Noise) -> Tensor:
    """Log likelihood ratios of pilots and header chips, N x 2 x rows x columns."""
    slots = carrier.order[:, :2].expand(len(noise.by_slot), -1, -1, -1)
    variance = torch.gather(noise.everywhere, 1, slots)
    half, jitter = (
        torch.gather(t, 1, slots.flatten(1)).view_as(variance) for t in (reception.halves, reception.jitter)
    )
    return log_likelihood_ratio(reception.errors, torch.where(half > 0, jitter + NOISE_FLOOR, variance), half)


def agreement(reception: Reception, trust: Tensor) -> Tensor:
    """The mean cosine of the phase errors of pilots and header chips, N. trust: N x 1 x rows x columns in [0, 1]."""
    weight = trust * reception.known
    cosine = torch.cos(2 * math.pi * reception.errors).mean(1, keepdim=True)
    mean: Tensor = (cosine * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp_min(1e-6)
    return mean


def channel_noise(carrier: Carrier, reception: Reception) -> Tensor:
    """Noise of a coefficient by the robust slots of an untampered picture, N, grey levels squared."""
    return grey_noise(reception, pilot_noise(carrier, reception, torch.ones_like(reception.known))).mean((1, 2, 3))


def grey_noise(reception: Reception, noise: Noise) -> Tensor:
    """Noise of a coefficient by the robust slots, N x 1 x rows x columns, grey levels squared."""
    return noise.everywhere[:, :ROBUST_SLOTS].mean(1, keepdim=True) * reception.step**2
