"""What a picture codec would make of the bits that the immunization can carry: a yardstick for what it recovers.

A description of the original in B bits, free of errors, cannot be had of a channel that carries fewer. AVIF in B bits
is therefore what a scheme of perfect error correction and no knowledge of the suspect's own pixels could reach. Where
the receiver has the untouched tiles bit for bit, only the lost ones need describing, and have all the bits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from imuge_cli.attacks.codecs import avif_file, decode, has_avif, lossless_webp_file
from imuge_cli.benchmark.engine import Image8

_SPEED = 6
_MEDIA = b"mdat"


@dataclass(frozen=True)
class Coded:
    """bits: of the compressed picture alone, the file's container left out. pixels: what it decodes to."""

    bits: int
    pixels: Image8


@dataclass(frozen=True)
class Ladder:
    """A picture, H x W x 3 uint8, by the bits that it is given: as AVIF, 4:2:0 or, where `full_chroma`, 4:4:4."""

    pixels: Image8
    full_chroma: bool = False
    by_quality: dict[int, Coded | None] = field(default_factory=dict, repr=False, compare=False)

    def best(self, bits: float) -> Image8 | None:
        """The picture as the best AVIF of at most so many bits; None where none is that small."""
        best: Image8 | None = None
        low, high = 0, 100
        while low <= high:
            quality = (low + high) // 2
            if quality not in self.by_quality:
                self.by_quality[quality] = encode_avif(self.pixels, quality, full_chroma=self.full_chroma)
            coded = self.by_quality[quality]
            if coded is None:
                return None
            if coded.bits <= bits:
                best, low = coded.pixels, quality + 1
            else:
                high = quality - 1
        return best


def lossless_bits(pixels: Image8) -> int:
    """What H x W x 3 uint8 take without loss, as WebP, their least significant bits left out."""
    return 8 * len(lossless_webp_file((pixels >> 1).astype(pixels.dtype)))


def encode_avif(pixels: Image8, quality: int, *, full_chroma: bool = False) -> Coded | None:
    """H x W x 3 uint8 as AVIF, quality 0..100, 4:2:0 or 4:4:4; None where this Pillow has no AVIF codec."""
    if not has_avif():
        return None
    file = avif_file(pixels, quality, _SPEED, full_chroma=full_chroma)
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
