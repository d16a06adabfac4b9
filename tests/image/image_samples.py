"""Pictures, profiles and metadata blocks that the tests of reading and writing share."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from imuge_cli.image.picture import Picture, Pixels

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(height: int, width: int, channels: int = 3, dtype: type = np.uint8, seed: int = 0) -> Pixels:
    """H x W x C (H x W for one channel) over the whole range of the dtype."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    top = int(np.iinfo(dtype).max) + 1
    return np.random.default_rng(seed).integers(0, top, shape).astype(dtype)


def exif_block(orientation: int | None = None) -> bytes:
    """An EXIF block from its TIFF header on: maker, a date in the Exif directory, an orientation."""
    exif = Image.Exif()
    exif[271] = "Maker"
    if orientation is not None:
        exif[274] = orientation
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    exif[0x8769] = 0
    return exif.tobytes().removeprefix(b"Exif\x00\x00")


def exif_values(block: bytes | None) -> tuple[Any, Any, Any]:
    """(maker, orientation, date) of an EXIF block."""
    assert block is not None
    exif = Image.Exif()
    exif.load(b"Exif\x00\x00" + block)
    return exif.get(271), exif.get(274), exif.get_ifd(0x8769).get(0x9003)


def grey_profile() -> bytes:
    """A profile that says it is for grey; only its header matters here."""
    return SRGB[:16] + b"GRAY" + SRGB[20:]


def picture(depth: int = 8, alpha: bool = False, grey: bool = False, **metadata: Any) -> Picture:
    dtype = np.uint8 if depth == 8 else np.uint16
    pixels = noise(40, 56, 3, dtype)
    if grey:
        pixels = np.repeat(pixels[..., :1], 3, axis=2)
    return Picture(pixels, alpha=noise(40, 56, 1, dtype, 9) if alpha else None, grey=grey, **metadata)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def raw_png(samples: Pixels, colour_type: int, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG built by hand, independent of every encoder: unfiltered rows, one IDAT."""
    height, width = samples.shape[:2]
    big = samples.astype(samples.dtype.newbyteorder(">"))
    rows = b"".join(b"\x00" + row.tobytes() for row in big)
    header = struct.pack(">IIBBBBB", width, height, samples.itemsize * 8, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
