"""Which slot of which block carries what, and the keyed dither: functions of key and block position alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imuge_cli.keys import Secret, plane_bytes
from imuge_cli.lattice.transform import FINE_SLOTS, SLOTS

SLOT_COUNT = len(SLOTS)
DATA_SLOTS = SLOT_COUNT - 2
# Pilots and header chips sit in the slots that JPEG spares most; which of them is keyed, block by block.
ROBUST_SLOTS = 8


@dataclass(frozen=True)
class Layout:
    """The layout of `rows` x `columns` blocks.

    order: 14 x rows x columns, int64. order[0] is the pilot's slot, order[1] the header chip's, order[2:] the
        data slots in rising order.
    dither: 14 x rows x columns, float32 in [0, 1), in units of the lattice step, by slot.
    chips: rows x columns, int64: which bit of the header's code word the header slot carries (modulo its length).
    flips: rows x columns, bool: whether that chip is sent inverted.
    """

    order: NDArray[np.int64]
    dither: NDArray[np.float32]
    chips: NDArray[np.int64]
    flips: NDArray[np.bool_]


def make_layout(secret: Secret, rows: int, columns: int, *, top: int = 0, left: int = 0) -> Layout:
    """The layout of the blocks [top, top + rows) x [left, left + columns) under a secret.

    Format versions 1 to 4: 2 bytes of dither a slot (little endian, over 65,536), then 8 bytes a block: pilot slot
    (byte 0 modulo 8), header slot (byte 1 modulo 7, over the remaining robust slots), chip number (bytes 2 to 5),
    inversion (lowest bit of byte 6).
    """
    layout_bytes = plane_bytes(secret.subkey("lattice layout"), rows, columns, 8, top=top, left=left)
    pilot = (layout_bytes[..., 0] % ROBUST_SLOTS).astype(np.int64)
    header = (layout_bytes[..., 1] % (ROBUST_SLOTS - 1)).astype(np.int64)
    header += header >= pilot
    # Sorting keys put the pilot first, the header chip second, and leave the data slots in rising order.
    slots = np.broadcast_to(np.arange(SLOT_COUNT)[:, None, None], (SLOT_COUNT, rows, columns))
    rank = np.where(slots == pilot, -2, np.where(slots == header, -1, slots))
    chips = np.ascontiguousarray(layout_bytes[..., 2:6]).view("<u4")[..., 0].astype(np.int64)
    return Layout(
        order=np.argsort(rank, axis=0, kind="stable"),
        dither=_dither(secret.subkey("lattice dither"), SLOT_COUNT, rows, columns, top, left),
        chips=chips,
        flips=(layout_bytes[..., 6] & 1).astype(bool),
    )


def fine_dither(secret: Secret, rows: int, columns: int) -> NDArray[np.float32]:
    """The dither of the fine slots of `rows` x `columns` blocks, 24 x rows x columns, float32 in [0, 1), in cells.

    Format version 4: 2 bytes a slot (little endian, over 65,536).
    """
    return _dither(secret.subkey("lattice fine dither"), len(FINE_SLOTS), rows, columns)


def _dither(key: bytes, slots: int, rows: int, columns: int, top: int = 0, left: int = 0) -> NDArray[np.float32]:
    """slots x rows x columns, float32 in [0, 1)."""
    plane = plane_bytes(key, rows, columns, 2 * slots, top=top, left=left).view("<u2")
    return np.ascontiguousarray(plane.transpose(2, 0, 1)).astype(np.float32) / np.float32(65536)
