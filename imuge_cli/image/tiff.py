"""TIFF: a check of its strips before decoding, and a writer that keeps profile, EXIF, XMP and alpha.

Pillow has no 16-bit RGB and OpenCV no metadata, so the file is put together here: Pillow's directory
writer for the tags, deflated strips with horizontal differences for the pixels.
"""

from __future__ import annotations

import zlib
from io import BytesIO

import numpy as np
from PIL import Image, TiffImagePlugin

from imuge_cli.image.picture import Pixels

_STRIP_BYTES = 1 << 18
_PIECE = 1 << 22
_DEFLATE = (8, 32946)
_BYTE, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 1, 3, 4, 5, 7
_SUB_DIRECTORIES = (0x8769, 0x8825, 0xA005)  # Exif, GPS, interoperability


def check_strips(image: TiffImagePlugin.TiffImageFile, data: bytes) -> None:
    """Raise ValueError where strips or tiles lie outside the file, or deflated ones are damaged.

    The decoder would find this as well, but it writes its own complaint to stderr first.
    """
    tags = image.tag_v2
    for offsets_tag, counts_tag in ((273, 279), (324, 325)):
        offsets, counts = _numbers(tags.get(offsets_tag)), _numbers(tags.get(counts_tag))
        if counts and len(counts) != len(offsets):
            raise ValueError("its directory names different numbers of strips")
        for offset, count in zip(offsets, counts, strict=False):
            if offset + count > len(data):
                raise ValueError("the file is truncated")
            if tags.get(259) in _DEFLATE and not _inflates(data[offset : offset + count]):
                raise ValueError("its deflated pixels are damaged")


def _numbers(value: int | tuple[int, ...] | None) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _inflates(deflated: bytes) -> bool:
    """Whether the checksum at the end is reached and right. In pieces: one strip may be the whole picture."""
    stream, rest = zlib.decompressobj(), deflated
    try:
        while rest and not stream.eof:
            stream.decompress(rest, _PIECE)
            rest = stream.unconsumed_tail
        stream.flush()  # all input may be taken while output is still due
    except zlib.error:
        return False
    return stream.eof


def encode_tiff(
    samples: Pixels,
    *,
    alpha: bool,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """H x W x C samples (1 grey, 3 RGB, plus one of unassociated alpha), uint8 or uint16 -> file bytes.

    exif: from its TIFF header on. Raises ValueError where the EXIF block cannot be carried over.
    """
    height, width, channels = samples.shape
    rows = max(1, _STRIP_BYTES // (width * channels * samples.itemsize))
    strips = [_strip(samples[top : top + rows]) for top in range(0, height, rows)]
    offsets = np.concatenate([[0], np.cumsum([len(strip) for strip in strips])[:-1]]).tolist()

    directory = TiffImagePlugin.ImageFileDirectory_v2()
    if exif:
        _carry_exif(directory, exif)

    def put(tag: int, kind: int, value: object) -> None:
        directory.tagtype[tag] = kind
        directory[tag] = value

    put(256, _LONG, width)
    put(257, _LONG, height)
    put(258, _SHORT, (samples.itemsize * 8,) * channels)
    put(259, _SHORT, 8)  # compression: deflate
    put(262, _SHORT, 2 if channels >= 3 else 1)  # RGB, or grey with black as zero
    put(273, _LONG, tuple(offsets))  # counted from the directory's end; Pillow adds where that is
    put(274, _SHORT, 1)
    put(277, _SHORT, channels)
    put(278, _LONG, rows)
    put(279, _LONG, tuple(len(strip) for strip in strips))
    put(284, _SHORT, 1)
    put(317, _SHORT, 2)  # predictor: horizontal differences
    if dpi:
        put(282, _RATIONAL, TiffImagePlugin.IFDRational(round(dpi[0] * 10000), 10000))
        put(283, _RATIONAL, TiffImagePlugin.IFDRational(round(dpi[1] * 10000), 10000))
        put(296, _SHORT, 2)
    if alpha:
        put(338, _SHORT, 2)  # unassociated alpha
    if xmp:
        put(700, _BYTE, xmp)
    if icc:
        put(34675, _UNDEFINED, icc)
    stream = BytesIO()
    directory.save(stream)
    return b"".join([stream.getvalue(), *strips])


def _strip(rows: Pixels) -> bytes:
    """Rows x W x C -> deflated little-endian differences to the left neighbour."""
    differences = rows.astype(rows.dtype.newbyteorder("<"), copy=True)
    differences[:, 1:] -= rows[:, :-1]  # wraps around, as TIFF 6.0, section 14, wants it
    return zlib.compress(differences.tobytes(), 6)


def _carry_exif(directory: TiffImagePlugin.ImageFileDirectory_v2, exif: bytes) -> None:
    try:
        source = Image.Exif()
        source.load(b"Exif\x00\x00" + exif)
        for tag in source:
            directory[tag] = source.get_ifd(tag) if tag in _SUB_DIRECTORIES else source[tag]
        TiffImagePlugin.ImageFileDirectory_v2.tobytes(directory)
    except Exception as error:  # any kind: the block is foreign data, and Pillow's parser trusts it
        raise ValueError(f"EXIF cannot be carried into TIFF: {error}") from error
