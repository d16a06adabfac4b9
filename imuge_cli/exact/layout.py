"""Where the exact layer's parts lie: tiles, blocks, groups and their order.

A tile is what one seal (MAC) covers and one payload lies in: 16 x 16 samples, up to 31 x 31 in the last row and column
of a picture whose sides are not multiples of 16. A block is what is compressed by itself: 16 x 16 samples, repeated
beyond the picture's edge. Every block belongs to one tile, and is lost with it. Tiles are taken together in groups,
each with an erasure code of its own, so that memory and time stay bounded; every group is spread over the whole
picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 16
# RFC 6330 has at most 56,403 source symbols: with 8 bytes each, 881 bytes a block.
_LARGEST_GROUP = 512

Index = NDArray[np.int64]
Window = tuple[slice, slice]
"""Rows and columns of samples of the original's frame, their starts and stops within it."""


@dataclass(frozen=True)
class Layout:
    """The layout of a picture of height x width samples (32 at least on either side)."""

    height: int
    width: int

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return self.height // SIDE

    @property
    def columns(self) -> int:
        """Columns of tiles."""
        return self.width // SIDE

    @property
    def block_rows(self) -> int:
        """Rows of blocks."""
        return -(-self.height // SIDE)

    @property
    def block_columns(self) -> int:
        """Columns of blocks."""
        return -(-self.width // SIDE)

    @cached_property
    def group_of_tile(self) -> Index:
        """Each tile's group, rows x columns. Neighbouring pairs of rows and columns stay together."""
        count = -(-self.rows * self.columns // _LARGEST_GROUP)
        row, column = np.indices((self.rows, self.columns)) // 2
        group: Index = (row * _stride(count) + column) % count
        return group

    @property
    def groups(self) -> int:
        """Number of groups."""
        return int(self.group_of_tile.max()) + 1

    def tiles(self, group: int) -> Index:
        """A group's tiles (numbered row by row) in the order of their payload: neighbours follow each other, so that
        what is lost together stands together."""
        members = np.flatnonzero(self.group_of_tile.ravel() == group)
        return members[np.argsort(_morton(members // self.columns, members % self.columns), kind="stable")]

    def blocks(self, group: int) -> Index:
        """A group's blocks (numbered row by row) in the order of their records."""
        members = np.flatnonzero(self.group_of_tile.ravel()[self.tile_of_block] == group)
        return members[np.argsort(_morton(members // self.block_columns, members % self.block_columns), kind="stable")]

    @cached_property
    def tile_of_block(self) -> Index:
        """The number of each block's tile, by the block's number."""
        row, column = np.indices((self.block_rows, self.block_columns))
        tiles: Index = np.minimum(row, self.rows - 1) * self.columns + np.minimum(column, self.columns - 1)
        return tiles.ravel()

    def tile_slices(self, tile: int) -> tuple[slice, slice]:
        """The rows and columns of samples that a tile covers."""
        row, column = divmod(tile, self.columns)
        bottom = self.height if row == self.rows - 1 else (row + 1) * SIDE
        right = self.width if column == self.columns - 1 else (column + 1) * SIDE
        return slice(row * SIDE, bottom), slice(column * SIDE, right)

    def reaches_beyond(self, tiles: Index) -> NDArray[np.bool_]:
        """Whether tiles cover samples beyond their first 16 x 16."""
        last_row = (tiles // self.columns == self.rows - 1) & (self.rows < self.block_rows)
        last_column = (tiles % self.columns == self.columns - 1) & (self.columns < self.block_columns)
        beyond: NDArray[np.bool_] = last_row | last_column
        return beyond

    def tiles_of(self, window: Window | None = None) -> tuple[Index, Index]:
        """The row of tiles of each row of samples, and the column of tiles of each column; of a window alone, or of the
        whole frame."""
        rows, columns = window or (slice(0, self.height), slice(0, self.width))
        row = np.minimum(np.arange(rows.start, rows.stop) // SIDE, self.rows - 1)
        column = np.minimum(np.arange(columns.start, columns.stop) // SIDE, self.columns - 1)
        return row, column

    def tile_samples(self, by_tile: NDArray[Any], window: Window | None = None) -> NDArray[Any]:
        """Of rows x columns values, each sample's tile's: height x width, or the window's."""
        row, column = self.tiles_of(window)
        values: NDArray[Any] = by_tile[row[:, None], column]
        return values


@lru_cache(maxsize=64)
def _stride(count: int) -> int:
    """By how many groups a row moves on, so that members of one group lie as far from each other as can be."""
    best, farthest = 1, -1
    reach = math.isqrt(2 * count) + 1
    for stride in range(1, count):
        steps = [(row * stride) % count for row in range(1, reach)]
        near = [row * row + min(step, count - step) ** 2 for row, step in enumerate(steps, 1)]
        shortest = min([count * count, *near])
        if shortest > farthest:
            best, farthest = stride, shortest
    return best


def _morton(row: Index, column: Index) -> Index:
    """Places along a Z curve: the bits of row and column in turn (Morton 1966)."""
    place = np.zeros_like(row)
    for bit in range(13):
        place |= (row >> bit & 1) << 2 * bit + 1 | (column >> bit & 1) << 2 * bit
    return place
