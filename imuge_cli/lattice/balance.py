"""Channels that were stretched each by itself, as by white balance or auto-levels, found out from known phases.

Luma of what arrives then is another mixture of the channels than luma of what was sent. By which mixture known phases
agree best is a matter of least squares.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from imuge_cli.lattice.modulation import wrap
from imuge_cli.lattice.transform import BLOCK, LUMA, analyse

# Least squares over wrapped phases settle within so many steps, or not at all; by less than that.
_STEPS, _SETTLED = 20, 1e-4
# Of the mean square of coefficients: where channels are all but the same they stay as they are.
_RIDGE = 1e-4
# Where they differ by less of it, in a picture without colours, a gain would pass for one of each.
_ALIKE = 1e-4
# No program changes a channel by more, as against the others.
_LEAST, _MOST = 0.5, 2.5


def fit_balance(planes: Tensor, order: Tensor, phases: Tensor, step: float, counts: Tensor | None = None) -> Tensor:
    """By what each channel was multiplied, 3 values, as far as known phases tell; 1 where they tell nothing.

    planes: 1 x 3 x H x W, grey levels, its first pixel that of a block. order, phases: see `equalizer.fit`. counts:
    rows x columns of bool, the blocks that count; None: all of them.
    """
    rows, columns = order.shape[-2:]
    cells = torch.gather(analyse(planes[0, :, None, : rows * BLOCK, : columns * BLOCK]), 1, order.expand(3, -1, -1, -1))
    used = slice(None) if counts is None else counts.expand(order.shape).flatten()
    cells, known = cells.flatten(1)[:, used] / step, phases.flatten()[used]
    plain = cells.new_tensor(LUMA)
    if bool((cells - cells.mean(0)).square().sum() <= _ALIKE * cells.square().sum()):
        return plain / plain
    weights = plain
    for _ in range(_STEPS):
        change = _least_squares(cells, wrap(weights @ cells - known))
        weights = weights - change
        if float(change.abs().max()) < _SETTLED:
            break
    found = plain / weights
    possible = bool(((found > _LEAST) & (found < _MOST)).all())
    return found if possible and bool(_score(weights, cells, known) > _score(plain, cells, known)) else plain / plain


def balanced_luma(pictures: Tensor, balance: Tensor) -> Tensor:
    """Luma of N x 3 x H x W, each channel divided by its balance, N x 3: N x 1 x H x W."""
    return (pictures * (balance.new_tensor(LUMA) / balance)[..., None, None]).sum(1, keepdim=True)


def _least_squares(cells: Tensor, off: Tensor) -> Tensor:
    """What to take from the weights. off: what phases lie off, in cells; the farther off, the less it counts."""
    counted = cells * torch.cos(2 * math.pi * off).clamp_min(0) ** 2
    square = counted @ cells.T
    ridge = (_RIDGE * square.trace() / 3).clamp_min(1e-12) * torch.eye(3, device=cells.device)
    result: Tensor = torch.linalg.solve(square + ridge, counted @ off)
    return result


def _score(weights: Tensor, cells: Tensor, known: Tensor) -> Tensor:
    return torch.cos(2 * math.pi * (weights @ cells - known)).sum()
