"""What a picture codec would make of the bits that the immunization can carry: a yardstick for what it recovers.

A description of the original in B bits, free of errors, cannot be had of a channel that carries fewer. AVIF in B bits
is therefore what a scheme of perfect error correction and no knowledge of the suspect's own pixels could reach.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from imuge_cli.attacks.codecs import avif_file, decode, has_avif
from imuge_cli.benchmark.engine import Image8

_SPEED = 6
_MEDIA = b"mdat"


@dataclass(frozen=True)
class Coded:
    """bits: of the compressed picture alone, the file's container left out. pixels: what it decodes to."""

    bits: int
    pixels: Image8


def encode_avif(pixels: Image8, quality: int) -> Coded | None:
    """H x W x 3 uint8 as AVIF, quality 0..100, 4:2:0; None where this Pillow has no AVIF codec."""
    if not has_avif():
        return None
    file = avif_file(pixels, quality, _SPEED)
    return Coded(8 * media_bytes(file), decode(file))


def media_bytes(file: bytes) -> int:
    """The length of an ISO base media file's payload (ISO/IEC 14496-12, 4.2 and 8.1.1): what its mdat boxes hold."""
    position, total = 0, 0
    while position + 8 <= len(file):
        size, kind = struct.unpack(">I4s", file[position : position + 8])
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file[position + 8 : position + 16])
            header = 16
        elif size == 0:
            size = len(file) - position
        if size < header:
            raise ValueError(f"box of {size} bytes at byte {position} of an ISO base media file")
        if kind == _MEDIA:
            total += size - header
        position += size
    return total
