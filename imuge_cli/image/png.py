"""PNG chunks: check them when reading, add metadata to an encoded picture when writing."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP_KEYWORD = b"XML:com.adobe.xmp"
_INCHES_PER_METRE = 1 / 0.0254


def check_chunks(data: bytes | memoryview) -> None:
    """Raise ValueError where a chunk that pixels depend on is cut short or fails its CRC.

    Decoders skip the CRC of image data for speed; a tool that speaks about single pixels must not.
    """
    seen_end = False
    for kind, start, length in _walk(data):
        if start + length + 4 > len(data):
            raise ValueError("the file is truncated")
        critical = not kind[0] & 0x20
        if critical:
            (expected,) = struct.unpack_from(">I", data, start + length)
            if zlib.crc32(data[start - 4 : start + length]) != expected:
                raise ValueError(f"checksum of chunk {kind.decode('latin-1')} does not match")
        seen_end = seen_end or kind == b"IEND"
    if not seen_end:
        raise ValueError("the file is truncated")


def bit_depth(header: bytes) -> int:
    """Bits per sample from a PNG file's first 26 bytes."""
    return header[24]


def colour_type(header: bytes) -> int:
    """0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGBA, from a PNG file's first 26 bytes."""
    return header[25]


def with_metadata(
    encoded: bytes,
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """A PNG file's bytes with iCCP, pHYs, eXIf and iTXt (XMP) chunks put behind its header.

    exif: from its TIFF header on, without the `Exif` prefix. Everything before the image data, as the
    specification asks for iCCP and pHYs.
    """
    added = []
    if icc:
        added.append(_chunk(b"iCCP", b"ICC profile\x00\x00" + zlib.compress(icc, 9)))
    if dpi:
        per_metre = [max(1, round(value * _INCHES_PER_METRE)) for value in dpi]
        added.append(_chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if exif:
        added.append(_chunk(b"eXIf", exif))
    if xmp:
        added.append(_chunk(b"iTXt", _XMP_KEYWORD + b"\x00\x00\x00\x00\x00" + xmp))
    header_end = len(SIGNATURE) + 12 + 13  # IHDR: length, type, 13 bytes, CRC
    return b"".join([encoded[:header_end], *added, encoded[header_end:]])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _walk(data: bytes | memoryview) -> Iterator[tuple[bytes, int, int]]:
    """(type, offset of the body, length of the body) of each chunk up to IEND."""
    position = len(SIGNATURE)
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = bytes(data[position + 4 : position + 8])
        yield kind, position + 8, length
        if kind == b"IEND":
            return
        position += 12 + length
