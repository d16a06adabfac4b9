"""The order in which a block is coded, and what each position looks at.

All three layers work alike. A group of positions is coded at a time, each from what earlier groups and layers have
told. Values lie in arrays of rows x n, one row for a channel's position or for something that several positions share,
so that a group's surroundings are a choice of rows; the last row is zero and stands for what lies beyond the block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.transform import AREA, SIDE

DIAGONALS = 2 * SIDE - 1

# Neighbours as (row, column) steps: along diagonals, everywhere, and row by row.
_BEFORE = ((0, -1), (-1, 0), (-1, -1), (0, -2), (-2, 0), (-2, 1), (1, -2), (-1, -2), (-2, -1), (0, -3), (-3, 0))
_BEYOND = ((0, 1), (1, 0), (-1, 1), (1, -1), (1, 1))
_AROUND = ((0, 0), (0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
_SCANNED = ((0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-2, -1), (-2, 1))
_NEAR = 5

ORDERS = {1: (0,), 3: (1, 0, 2)}
"""The order of the channels in the remainder, by their number: green tells most of the other two."""


@dataclass(frozen=True)
class Group:
    """Positions coded at a time, with what they look at.

    channel, number: which set of weights. positions: k places in the block (row * 16 + column). rows: k x taps rows of
    the layer's values. part: which of the set's weights each position uses, k.
    """

    channel: int
    number: int
    positions: NDArray[np.int64]
    rows: NDArray[np.int64]
    part: NDArray[np.int64]

    @property
    def places(self) -> NDArray[np.int64]:
        """Rows of (C * 256) x n arrays."""
        return self.channel * AREA + self.positions


def _neighbours(positions: NDArray[np.int64], steps: tuple[tuple[int, int], ...], first: int, none: int) -> Any:
    """Rows of neighbours, k x steps: first + place, or `none` beyond the block."""
    row, column = (positions // SIDE)[:, None], (positions % SIDE)[:, None]
    down, right = np.array(steps).T
    row, column = row + down, column + right
    inside = (row >= 0) & (row < SIDE) & (column >= 0) & (column < SIDE)
    return np.where(inside, first + row * SIDE + column, none)


def _diagonals() -> list[NDArray[np.int64]]:
    row, column = np.divmod(np.arange(AREA), SIDE)
    return [np.flatnonzero(row + column == d) for d in range(DIAGONALS)]


def _shared(count: int, row: int, valid: bool, none: int) -> NDArray[np.int64]:
    return np.full((count, 1), row if valid else none)


def base_rows(channels: int) -> int:
    """Rows of the base's values: magnitudes, sums along diagonals, and one that stays zero."""
    return channels * (AREA + DIAGONALS) + 1


@lru_cache(maxsize=2)
def base_groups(channels: int) -> tuple[Group, ...]:
    """Channel by channel, diagonal by diagonal."""
    none = base_rows(channels) - 1
    groups = []
    for channel in range(channels):
        sums = channels * AREA + channel * DIAGONALS
        for d, positions in enumerate(_diagonals()):
            k = len(positions)
            rows = [_neighbours(positions, _BEFORE, channel * AREA, none)]
            rows += [_shared(k, sums + d - back, d >= back, none) for back in (1, 2)]
            for other in range(channel):
                rows.append(_neighbours(positions, _AROUND, other * AREA, none))
                rows.append(_shared(k, channels * AREA + other * DIAGONALS + d, True, none))
            groups.append(Group(channel, channel, positions, np.concatenate(rows, 1), np.full(k, d)))
    return tuple(groups)


def fine_rows(channels: int) -> int:
    """Rows of the refinement's values: fine and coarse magnitudes, sums along diagonals of both, and zero."""
    return 2 * channels * (AREA + DIAGONALS) + 1


@lru_cache(maxsize=2)
def fine_groups(channels: int) -> tuple[Group, ...]:
    """As `base_groups`; what is not yet refined counts as the base has it."""
    none = fine_rows(channels) - 1
    coarse, sums = channels * AREA, 2 * channels * AREA
    groups = []
    for channel in range(channels):
        own, own_coarse = sums + channel * DIAGONALS, sums + (channels + channel) * DIAGONALS
        for d, positions in enumerate(_diagonals()):
            k = len(positions)
            rows = [
                _neighbours(positions, _BEFORE, channel * AREA, none),
                _neighbours(positions, _BEYOND, coarse + channel * AREA, none),
                _shared(k, own + d - 1, d >= 1, none),
                _shared(k, own_coarse + d, True, none),
                _shared(k, own_coarse + d + 1, d + 1 < DIAGONALS, none),
            ]
            for other in range(3):
                if other != channel:
                    first = other * AREA + (0 if other < channel else coarse)
                    near = _neighbours(positions, _AROUND[:_NEAR], first, none)
                    rows.append(near if other < channels else np.full_like(near, none))
            groups.append(Group(channel, channel, positions, np.concatenate(rows, 1), np.full(k, d)))
    return tuple(groups)


def remainder_rows(channels: int) -> int:
    """Rows of the remainder's values: one for each sample, one for each channel, and zero."""
    return channels * (2 * AREA + 1) + 1


@lru_cache(maxsize=4)
def remainder_groups(channels: int, at_once: bool) -> tuple[tuple[Group, Group], ...]:
    """For each group what its prediction and what its spread look at.

    at_once: rows of the block, for an encoder, which knows all; else what can be told from what came before.
    """
    none = remainder_rows(channels) - 1
    row, column = np.divmod(np.arange(AREA), SIDE)
    turn = row if at_once else 2 * row + column
    groups = []
    for number, channel in enumerate(ORDERS[channels]):
        for t in range(int(turn.max()) + 1):
            positions = np.flatnonzero(turn == t)
            rows = [_neighbours(positions, _SCANNED, channel * AREA, none)]
            rows += [_neighbours(positions, _AROUND, c * AREA, none) for c in ORDERS[channels][:number]]
            near = np.concatenate(rows, 1)
            extra = [channels * AREA + channel * AREA + positions[:, None]]
            extra.append(_shared(len(positions), 2 * channels * AREA + channel, True, none))
            part = _edge(positions)
            groups.append(
                (
                    Group(channel, number, positions, near, part),
                    Group(channel, number, positions, np.concatenate([near, *extra], 1), part),
                )
            )
    return tuple(groups)


def _edge(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 inside of a block; 1, 2, 3 at its right, left, upper edge; 4 in the corner where coding begins."""
    row, column = np.divmod(positions, SIDE)
    edge = np.where(column == SIDE - 1, 1, 0)
    edge = np.where(column == 0, 2, edge)
    edge = np.where(row == 0, 3, edge)
    return np.where(positions == 0, 4, edge)


EDGES = 5
