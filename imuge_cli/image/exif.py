"""The orientation inside an EXIF block: read it, and reset it without touching anything else.

The block is patched in place rather than parsed and written again: maker notes hold offsets that
would not survive a second serialisation.
"""

from __future__ import annotations

import re
import struct

import numpy as np

from imuge_cli.image.picture import Pixels

_PREFIX = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_SHORT = 3
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>)\s*)[2-8]")


def strip_prefix(block: bytes | None) -> bytes | None:
    """The block from its TIFF header on (JPEG and some WebP files put `Exif` in front), or None."""
    if not block:
        return None
    while block.startswith(_PREFIX):
        block = block[len(_PREFIX) :]
    return block if block[:4] in (b"II*\x00", b"MM\x00*") else None


def upright(block: bytes | None) -> tuple[int, bytes | None]:
    """The orientation a block asks for (1..8; 1 where it names none) and the block saying 1 instead.

    block: raw EXIF, with or without the `Exif` prefix. A block that is no EXIF comes back as None.
    """
    block = strip_prefix(block)
    if block is None:
        return 1, None
    position, order = _orientation_position(block)
    if position is None:
        return 1, block
    (value,) = struct.unpack_from(order + "H", block, position)
    patched = bytearray(block)
    struct.pack_into(order + "H", patched, position, 1)
    return (value if 1 <= value <= 8 else 1), bytes(patched)


def upright_xmp(xmp: bytes | None) -> bytes | None:
    """The XMP packet with `tiff:Orientation` 1: it must not turn an upright picture a second time."""
    return None if xmp is None else _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def _orientation_position(block: bytes) -> tuple[int | None, str]:
    """Byte offset of the orientation's value in IFD0 (None: there is none) and the byte order."""
    order = "<" if block[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, values = struct.unpack_from(order + "HHI", block, entry)
            if tag == _ORIENTATION and kind == _SHORT and values == 1:
                struct.unpack_from(order + "H", block, entry + 8)
                return entry + 8, order
    except struct.error:  # a block cut short: nothing to read, nothing to reset
        pass
    return None, order


def turn(plane: Pixels, orientation: int) -> Pixels:
    """An H x W (x C) array turned and mirrored so that it is upright. orientation: EXIF, 1..8."""
    if orientation in (5, 6, 7, 8):
        plane = plane.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    return np.ascontiguousarray(plane)
