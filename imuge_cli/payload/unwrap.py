"""Expectation propagation through the modulo channel of the lattice.

A symbol y (standard units) is sent as the phase gain * y, in cells, and arrives as r = wrap(gain * y + noise).
With a Gaussian idea of y (mean, variance: what everything but this symbol says), the posterior is a mixture over
the possible numbers of whole cells, plus one outlier hypothesis (the symbol was overwritten and says nothing).
The Gaussian message that would move the prior to that posterior's mean and variance is what the linear solver
gets (Minka 2001).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

# A phase that takes away less of the variance is left out.
_LEAST_TOLD = 0.005
_TURNS = (-2.0, -1.0, 0.0, 1.0, 2.0)


def unwrap(
    received: Tensor, mean: Tensor, variance: Tensor, noise: Tensor, outlier: Tensor, gain: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean and variance (cells, cells squared) of the phase before it was wrapped, given the received one.

    received: cells in [-0.5, 0.5). mean, variance: of the symbol, from elsewhere. noise: variance in cells squared.
    outlier: probability in (0, 1) that the symbol was overwritten. gain: cells per standard deviation. All
    broadcast to received's shape.
    """
    expected, spread = gain * mean, variance * gain * gain
    total = spread + noise
    nearest = received + torch.round(expected - received)
    log_prior = torch.log1p(-outlier) - 0.5 * torch.log(2 * math.pi * total)
    share = spread / total
    weights, means = [torch.log(outlier).expand_as(received)], [expected]
    for turn in _TURNS:
        candidate = nearest + turn
        weights.append(log_prior - (candidate - expected) ** 2 / (2 * total))
        means.append(expected + share * (candidate - expected))
    weight = torch.softmax(torch.stack(weights), 0)
    stacked = torch.stack(means)
    posterior = (weight * stacked).sum(0)
    within = weight[0] * spread + (1 - weight[0]) * (share * noise)
    posterior_variance = (within + (weight * (stacked - posterior) ** 2).sum(0)).clamp_min(1e-9)
    return posterior, posterior_variance


def unwrap_rounded(
    received: Tensor, mean: Tensor, variance: Tensor, noise: Tensor, half: Tensor, outlier: Tensor, gain: Tensor
) -> tuple[Tensor, Tensor]:
    """`unwrap` for an error that is uniform within +-half (cells) plus Gaussian noise (variance, cells squared).

    The phase before rounding, x = gain * y + noise, has a Gaussian prior and lies in one of the intervals
    received + k +- half; its truncated moments are exact (Johnson, Kotz & Balakrishnan 1994, section 10.1).
    """
    expected, spread = gain * mean, variance * gain * gain
    total = spread + noise
    sigma = total.sqrt()
    nearest = received + torch.round(expected - received)
    chances, firsts, seconds = [], [], []
    for turn in _TURNS:
        low, high = (nearest + turn - half - expected) / sigma, (nearest + turn + half - expected) / sigma
        chance = (torch.special.ndtr(high) - torch.special.ndtr(low)).clamp_min(1e-12)
        density_low, density_high = _normal(low), _normal(high)
        first = ((density_low - density_high) / chance).clamp(low, high)
        second = 1 + (low * density_low - high * density_high) / chance - first**2
        # Far in the tail the difference of two small numbers says nothing; the interval itself still does.
        middle = (low + high) / 2
        far = chance <= 1e-9
        firsts.append(torch.where(far, torch.where(middle > 0, low, high), first))
        seconds.append(torch.where(far, torch.zeros_like(second), second.clamp(0, 1)))
        chances.append(chance / (2 * half))
    weights = torch.stack([c * (1 - outlier) for c in chances] + [outlier.expand_as(received)])
    weights = weights / weights.sum(0)
    zero, one = torch.zeros_like(received), torch.ones_like(received)
    first, second = torch.stack([*firsts, zero]), torch.stack([*seconds, one])
    standard = (weights * first).sum(0)
    standard_variance = (weights * (second + first**2)).sum(0) - standard**2
    share = spread / total
    posterior = expected + share * sigma * standard
    posterior_variance = (share * noise + share**2 * total * standard_variance).clamp_min(1e-9)
    return posterior, posterior_variance


def _normal(x: Tensor) -> Tensor:
    return torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def message(
    posterior: Tensor,
    variance: Tensor,
    expected: Tensor,
    spread: Tensor,
    gain: Tensor,
    alike: Callable[[Tensor], Tensor] = lambda share: share,
) -> tuple[Tensor, Tensor]:
    """Value and precision (one over variance) of what received phases say of their symbols, in the symbols' units.

    posterior, variance: of the phase, from `unwrap`; expected, spread: its mean and variance without the received one.
    cells, cells squared. alike: puts in place of each variance's share of its spread the mean over alike symbols. A
    phase that leaves no less variance than there was says nothing: precision 0.
    """
    share = alike(variance / spread)
    told = (1 - share).clamp_min(_LEAST_TOLD)
    precision = torch.where(
        1 - share > _LEAST_TOLD, told / (1 - told).clamp_min(1e-4) / spread, torch.zeros_like(share)
    )
    value = expected + (posterior - expected) / told
    return value / gain, precision * gain * gain


def log_likelihood_ratio(error: Tensor, variance: Tensor, half: Tensor | None = None) -> Tensor:
    """Log of how much likelier a phase error is under `overwritten` (uniform) than under the channel's noise.

    error: cells, in [-0.5, 0.5). variance: of Gaussian noise, cells squared. half: half the width (cells) of a uniform
    error that comes on top of it; None or 0 = none. Natural logarithm; near 0 where the noise is large.
    """
    half = torch.zeros_like(error) if half is None else half
    sigma, width = variance.sqrt(), half.clamp_min(1e-3)
    gaussian, uniform = torch.zeros_like(error), torch.zeros_like(error)
    for turn in (-1.0, 0.0, 1.0):
        distance = error + turn
        gaussian = gaussian + _normal(distance / sigma) / sigma
        span = torch.special.ndtr((distance + width) / sigma) - torch.special.ndtr((distance - width) / sigma)
        uniform = uniform + span / (2 * width)
    density = torch.where(half > 1e-3, uniform, gaussian)
    return -torch.log(density + 1e-4)


def circular_variance(errors: Tensor, weights: Tensor, dim: tuple[int, ...]) -> Tensor:
    """Variance (cells squared) of wrapped phase errors, by their mean resultant length: -ln R / (2 pi^2).

    R is lowered to what the number of errors can tell from chance, so that a few samples do not claim precision.
    """
    total = weights.sum(dim).clamp_min(1e-6)
    return variance_of((torch.cos(2 * math.pi * errors) * weights).sum(dim) / total)


def variance_of(cosine: Tensor) -> Tensor:
    """Variance (cells squared) of phase errors with that mean cosine, as `circular_variance` takes it."""
    resultant: Tensor = -torch.log(cosine.clamp(0.02, 0.99999)) / (2 * math.pi**2)
    return resultant
