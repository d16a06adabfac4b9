"""Damage to bytes: what storms, networks and people who mean no good do to files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Generator = np.random.Generator
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutated(data: bytes, rng: Generator, others: Sequence[bytes] = ()) -> bytes:
    """One to eight kinds of damage, one after the other. others: files to take pieces from."""
    for _ in range(int(rng.integers(1, 9)) if rng.random() < 0.5 else 1):
        data = _KINDS[int(rng.integers(len(_KINDS)))](data, rng, others)
    return data


def _place(data: bytes, rng: Generator) -> int:
    """Headers are short and matter most: half of all damage is near the beginning."""
    reach = min(len(data), 200) if rng.random() < 0.5 else len(data)
    return int(rng.integers(0, max(1, reach)))


def _flipped(data: bytes, rng: Generator, others: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        if changed:
            changed[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _noise(data: bytes, rng: Generator, others: Sequence[bytes]) -> bytes:
    at, length = _place(data, rng), int(rng.integers(1, 65))
    return data[:at] + rng.bytes(length) + data[at + length :]


def _extreme(data: bytes, rng: Generator, others: Sequence[bytes]) -> bytes:
    """A number in the file becomes a very small or very large one."""
    size, at = int(rng.choice((1, 2, 4))), _place(data, rng)
    value = _EXTREMES[int(rng.integers(len(_EXTREMES)))] & ((1 << 8 * size) - 1)
    order = "big" if rng.random() < 0.5 else "little"
    return data[:at] + value.to_bytes(size, order) + data[at + size :]


def _truncated(data: bytes, rng: Generator, others: Sequence[bytes]) -> bytes:
    return data[: int(rng.integers(0, len(data) + 1))]


def _inserted(data: bytes, rng: Generator, others: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.bytes(int(rng.integers(1, 65))) + data[at:]


def _removed(data: bytes, rng: Generator, others: Sequence[bytes]) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 65)) :]


def _repeated(data: bytes, rng: Generator, others: Sequence[bytes]) -> bytes:
    begin, end = sorted((_place(data, rng), _place(data, rng)))
    return data[:end] + data[begin:end] * int(rng.integers(1, 4)) + data[end:]


def _spliced(data: bytes, rng: Generator, others: Sequence[bytes]) -> bytes:
    """The beginning of this file and the end of another."""
    if not others:
        return data
    other = others[int(rng.integers(len(others)))]
    return data[: _place(data, rng)] + other[_place(other, rng) :]


_KINDS: tuple[Callable[[bytes, Generator, Sequence[bytes]], bytes], ...] = (
    _flipped,
    _flipped,
    _noise,
    _extreme,
    _extreme,
    _truncated,
    _inserted,
    _removed,
    _repeated,
    _spliced,
)
