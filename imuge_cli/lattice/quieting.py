"""Noise that each colour channel has of its own, taken out of luma as far as known phases say that it helps.

Luma leans on green, and so has more of such noise than the mean of the channels. What photographs show in the
frequencies of the lattice is mostly grey: there the two differ by little but noise, which is that of luma as well
(minimum mean square error, for equal noise in the channels). Where the picture is coloured they differ by what it
shows, and luma counts.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.transform import LUMA, analyse

# Standard deviations of the noise that are tried, grey levels.
_LEVELS = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0)
# By how much known phases must agree better (mean cosine), and in all.
_SHARE, _TOTAL = 0.004, 5.0
# Blocks on a side, over which it is told how coloured the picture is at a frequency.
_AROUND = 3


def without_noise(
    pictures: Tensor, coefficients: Tensor, order: Tensor, phases: Tensor, known: Tensor, step: float
) -> Tensor:
    """Slot coefficients of luma with less of the noise that each channel has of its own, N x 14 x rows x columns.

    pictures: N x 3 x H x W, grey levels. coefficients: of their luma. order, phases: N or 1 x K x rows x columns, the
    slots that carry known phases, and these (cells). known: N x 1 x rows x columns, 1 in blocks that count. step: of
    the lattice, grey levels.
    """
    apart = analyse(pictures.mean(1, keepdim=True)) - coefficients
    power = _around(apart**2 * known) / _around(known).clamp_min(1e-6)
    slots = order.expand(len(pictures), -1, -1, -1)
    told, off, around = (torch.gather(t, 1, slots) for t in (coefficients, apart, power))
    scores = torch.stack(
        [known_agreement(told + _share(around, level) * off, phases, known, step) for level in (0.0, *_LEVELS)]
    )
    best = scores.argmax(0)
    gained = scores.max(0).values - scores[0]
    levels = torch.where(is_worth_it(gained, known, order.shape[1]), scores.new_tensor((0.0, *_LEVELS))[best], 0.0)
    return coefficients + _share(power, levels.view(-1, 1, 1, 1)) * apart


def known_agreement(coefficients: Tensor, phases: Tensor, known: Tensor, step: float) -> Tensor:
    """How well coefficients N x K x rows x columns (grey levels) agree with known phases (cells): sum of the cosines of
    what they lie off, N. known: N x 1 x rows x columns, 1 in blocks that count."""
    return (torch.cos(2 * math.pi * (coefficients / step - phases)) * known).sum((1, 2, 3))


def is_worth_it(gained: Tensor, known: Tensor, count: int) -> Tensor:
    """Whether so much better an agreement is no chance, N of bool. count: known phases in a block."""
    return gained > (_SHARE * known.sum((1, 2, 3)) * count).clamp_min(_TOTAL)


def _share(power: Tensor, level: Tensor | float) -> Tensor:
    """How much of what the mean of the channels has beyond luma is noise. level: its standard deviation."""
    # Of independent noise in three channels, in the mean and in luma; both are correlated by the former.
    noise = (sum(weight**2 for weight in LUMA) - 1 / 3) * level**2
    return (noise / power.clamp_min(1e-6)).clamp_max(1)


def _around(values: Tensor) -> Tensor:
    return functional.avg_pool2d(values, _AROUND, 1, _AROUND // 2)
