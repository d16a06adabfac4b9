"""Expectation propagation through the modulo channel of the lattice.

A symbol y (standard units) is sent as the phase gain * y, in cells, and arrives as r = wrap(gain * y + noise).
With a Gaussian idea of y (mean, variance: what everything but this symbol says), the posterior is a mixture over
the possible numbers of whole cells, plus one outlier hypothesis (the symbol was overwritten and says nothing).
The Gaussian message that would move the prior to that posterior's mean and variance is what the linear solver
gets (Minka 2001).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_TURNS = (-2.0, -1.0, 0.0, 1.0, 2.0)


def unwrap(
    received: Tensor, mean: Tensor, variance: Tensor, noise: Tensor, outlier: Tensor, gain: Tensor
) -> tuple[Tensor, Tensor]:
    """Value and precision (one over variance) of the message a received phase sends about its symbol.

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
    precision = (1 / posterior_variance - 1 / spread).clamp_min(0)
    value = (posterior / posterior_variance - expected / spread) / precision.clamp_min(1e-6)
    value = torch.where(precision > 1e-6, value, posterior)
    return value / gain, precision * gain * gain


def log_likelihood_ratio(error: Tensor, variance: Tensor) -> Tensor:
    """Log of how much likelier a phase error is under `overwritten` (uniform) than under wrapped Gaussian noise.

    error: cells, in [-0.5, 0.5). variance: cells squared. Natural logarithm; near 0 where the noise is large.
    """
    density = torch.zeros_like(error)
    for turn in (-1.0, 0.0, 1.0):
        density = density + torch.exp(-((error + turn) ** 2) / (2 * variance))
    return -torch.log(density / torch.sqrt(2 * math.pi * variance) + 1e-4)


def circular_variance(errors: Tensor, weights: Tensor, dim: tuple[int, ...]) -> Tensor:
    """Variance (cells squared) of wrapped phase errors, by their mean resultant length: -ln R / (2 pi^2).

    R is lowered to what the number of errors can tell from chance, so that a few samples do not claim precision.
    """
    total = weights.sum(dim).clamp_min(1e-6)
    cosine = (torch.cos(2 * math.pi * errors) * weights).sum(dim) / total
    resultant = cosine.clamp(0.02, 0.99999)
    return -torch.log(resultant) / (2 * math.pi**2)
