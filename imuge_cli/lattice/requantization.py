"""Traces of JPEG: the steps to which a suspect's coefficients were rounded.

After JPEG on the lattice's own block grid every coefficient is a multiple of its quantization step, and the error it
made is uniform over that step: known limits instead of a mere variance. Whoever knows them decodes more of a strongly
compressed picture.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LARGEST = 60
_FEWEST = 40
# Mean resultant length above which coefficients count as multiples of a step (1 = exactly; chance is near 0).
_AGREEMENT = 0.6
# Variance that rounding to 8 bits adds at the least, grey levels squared.
_BLUR = 0.02


def rounding_steps(coefficients: Tensor) -> tuple[Tensor, Tensor]:
    """Quantization step of each slot (grey levels, 0 = none seen) and the variance around its multiples.

    coefficients: N x 14 x h x w, grey levels. Returns N x 14 and N x 14 (grey levels squared). Of the whole steps that
    coefficients beyond half of them keep to, the most probable one; what rounds to zero would agree with any step and
    is left out.
    """
    count, slots = coefficients.shape[:2]
    values = coefficients.flatten(2)
    step, spread = values.new_zeros(count, slots), values.new_zeros(count, slots)
    best = torch.full_like(step, -torch.inf)
    fewest = max(_FEWEST, values.shape[2] // 50)
    for candidate in range(2, _LARGEST + 1):
        beyond = (values.abs() > candidate / 2).float()
        number = beyond.sum(2)
        agreement = (torch.cos(2 * torch.pi * values / candidate) * beyond).sum(2) / number.clamp_min(1)
        variance = -2 * torch.log(agreement.clamp(1e-3, 0.9999)) * (candidate / (2 * torch.pi)) ** 2
        # Log likelihood of a comb of this spacing and sharpness. Multiples of a step are multiples of its divisors
        # too; the wider spacing explains them better.
        score = math.log(candidate) - torch.log(variance + _BLUR) / 2
        better = (agreement > _AGREEMENT) & (number >= fewest) & (score > best)
        best = torch.where(better, score, best)
        step = torch.where(better, torch.full_like(step, candidate), step)
        spread = torch.where(better, variance, spread)
    return step, spread
