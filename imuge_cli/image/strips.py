"""Rows of a large picture, a strip at a time, so that what is computed from them never is as large as all of it."""

from __future__ import annotations

from collections.abc import Iterator

_PIXELS = 1 << 20


def strips(height: int, width: int) -> Iterator[slice]:
    """Slices of rows that together are all of them, each of about a megapixel."""
    rows = max(1, _PIXELS // max(1, width))
    for start in range(0, height, rows):
        yield slice(start, min(height, start + rows))
