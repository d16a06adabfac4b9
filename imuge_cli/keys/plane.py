"""Keyed noise on an unbounded plane of blocks.

The bytes at (row, column) depend on the key and the position alone, not on any picture's size, so that a crop
finds them again. SHAKE-256 of (key, tile row, tile column) gives the bytes of one tile of 32 x 32 blocks: the
same on every machine, fast, and in the standard library.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from numpy.typing import NDArray

TILE = 32


def _tile(key: bytes, row: int, column: int, depth: int) -> NDArray[np.uint8]:
    stream = hashlib.shake_256(key + struct.pack("<qq", row, column)).digest(TILE * TILE * depth)
    return np.frombuffer(stream, np.uint8).reshape(TILE, TILE, depth)


def plane_bytes(key: bytes, rows: int, columns: int, depth: int, *, top: int = 0, left: int = 0) -> NDArray[np.uint8]:
    """Bytes of the blocks [top, top + rows) x [left, left + columns): rows x columns x depth, uint8.

    Positions may be negative. `depth` bytes belong to each block; another depth gives another plane.
    """
    if min(rows, columns) < 1:
        return np.zeros((max(rows, 0), max(columns, 0), depth), np.uint8)
    first_row, last_row = top // TILE, (top + rows - 1) // TILE
    first_column, last_column = left // TILE, (left + columns - 1) // TILE
    bands = [
        np.concatenate([_tile(key, r, c, depth) for c in range(first_column, last_column + 1)], axis=1)
        for r in range(first_row, last_row + 1)
    ]
    plane = np.concatenate(bands, axis=0)
    y, x = top - first_row * TILE, left - first_column * TILE
    return np.ascontiguousarray(plane[y : y + rows, x : x + columns])
