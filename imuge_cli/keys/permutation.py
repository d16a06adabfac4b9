"""Keyed permutations and signs of any length, the same on every machine."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def keyed_permutation(key: bytes, length: int) -> NDArray[np.int64]:
    """A permutation of range(length): the stable order of 64-bit keyed words (SHAKE-256, little endian)."""
    words = np.frombuffer(hashlib.shake_256(key).digest(8 * length), "<u8")
    return np.argsort(words, kind="stable").astype(np.int64)


def keyed_signs(key: bytes, length: int) -> NDArray[np.float32]:
    """`length` values of -1 or +1, one keyed bit each (SHAKE-256, least significant bit first)."""
    packed = np.frombuffer(hashlib.shake_256(key).digest((length + 7) // 8), np.uint8)
    bits = np.unpackbits(packed, bitorder="little")[:length]
    return bits.astype(np.float32) * 2 - 1
