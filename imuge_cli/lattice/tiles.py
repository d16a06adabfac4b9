"""Where large pictures are looked at when every block would take too long."""

from __future__ import annotations

# In blocks: a side that is longer is looked at in so many tiles of so many blocks.
_WHOLE, _TILES, _TILE = 48, 3, 16


def tiles(rows: int, columns: int) -> list[tuple[slice, slice]]:
    """Rows and columns of blocks to look at, all of one size: everything where there is little of it.

    Evenly spread: tampering in one place must not decide for the whole picture.
    """
    return [(vertical, horizontal) for vertical in _spans(rows) for horizontal in _spans(columns)]


def _spans(blocks: int) -> list[slice]:
    if blocks <= _WHOLE:
        return [slice(0, blocks)]
    begins = (round(number * (blocks - _TILE) / (_TILES - 1)) for number in range(_TILES))
    return [slice(begin, begin + _TILE) for begin in begins]
