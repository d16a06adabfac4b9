"""How busy each part of the picture is, learned from a first solution.

The prior's variances are those of photographs at large; sky is far calmer, foliage far busier. Within a source block
all coefficients of one octave share a factor, and a first solution tells it: one step of expectation maximisation
(Dempster, Laird & Rubin 1977), held back towards 1 where few coefficients speak.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from imuge_cli.payload.source import COEFFICIENTS, SourceGrid, frequencies

_EDGES = (0.5, 2.5, 5.5, 9.5, 15.5, 23.5)
# The prior counts as much as this many coefficients.
_CAUTION = 1.0
_POOL_CAUTION = 4.0
_RANGE = (0.03, 20.0)
# How much of a lost coefficient's variance stays open once its surroundings have been continued into the gap: of the
# mean, and of the next octave. Measured on 200 photographs with a tenth, a quarter and half of them gone: .10 to .36,
# and .62 to .88; where the guess was far off, such trust cost more than it won elsewhere.
_BEYOND_GUESS = (0.5, 1.0)


@lru_cache(maxsize=4)
def _octaves(device: torch.device) -> Tensor:
    """Membership of each coefficient in a channel's octave: groups x COEFFICIENTS, 0 or 1."""
    channel, row, column = frequencies(device)
    radius = (row.float() ** 2 + column.float() ** 2).sqrt()
    octave = torch.bucketize(radius, torch.tensor(_EDGES, device=device))
    number = channel * (len(_EDGES) + 1) + octave
    return torch.nn.functional.one_hot(number, 3 * (len(_EDGES) + 1)).T.float()


@lru_cache(maxsize=4)
def beyond_guess(device: torch.device) -> Tensor:
    """The share of each coefficient's variance that a guess from the surroundings leaves open: COEFFICIENTS values."""
    groups = _octaves(device).view(3, len(_EDGES) + 1, COEFFICIENTS)
    share = torch.ones(COEFFICIENTS, device=device)
    for octave, left in enumerate(_BEYOND_GUESS):
        share = torch.where(groups[:, octave].sum(0) > 0, left, share)
    return share


def pooled_variance(grid: SourceGrid, prior: Tensor, solution: Tensor, uncertainty: Tensor) -> Tensor:
    """The prior variances scaled to what a picture shows as a whole, octave by octave: N x grid.size.

    Says what to expect of a block of which nothing is known; shapes as in `adapted_variance`. A coefficient counts by
    how well it is known: the expected square of its estimate is its variance times (1 - uncertainty / prior).
    """
    count = solution.shape[0]
    groups = _octaves(solution.device)
    known = (1 - uncertainty / prior).clamp(0, 1)
    shape = (count, grid.rows * grid.columns, COEFFICIENTS)
    total = (solution**2 / prior).view(shape).sum(1) @ groups.T
    weight = known.expand(count, -1).reshape(shape).sum(1) @ groups.T
    factor = ((total + _POOL_CAUTION) / (weight + _POOL_CAUTION)).clamp(*_RANGE)
    return (factor @ groups).repeat(1, grid.rows * grid.columns) * prior


def adapted_variance(grid: SourceGrid, prior: Tensor, solution: Tensor, uncertainty: Tensor) -> Tensor:
    """The prior variances scaled to what a solution shows, N x grid.size.

    prior, uncertainty (variance the solution leaves): broadcastable to N x grid.size; solution: N x grid.size.
    """
    count = solution.shape[0]
    groups = _octaves(solution.device)
    relative = ((solution**2 + uncertainty) / prior).view(count, grid.rows * grid.columns, COEFFICIENTS)
    total = relative @ groups.T
    members = groups.sum(1)
    factor = ((total + _CAUTION) / (members + _CAUTION)).clamp(*_RANGE)
    return (factor @ groups).reshape(count, -1) * prior
