"""Which format a file is in, from its first bytes: never from its name."""

from __future__ import annotations

from functools import cache

from PIL import Image

HEAD = 32  # bytes that `sniff` wants to see
READABLE = "PNG, JPEG, WebP, BMP, TIFF or AVIF"
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")


def sniff(head: bytes) -> str | None:
    """Pillow's name of the format, or None where the bytes start no picture we know."""
    starts = {
        b"\x89PNG\r\n\x1a\n": "PNG",
        b"\xff\xd8\xff": "JPEG",
        b"BM": "BMP",
        b"II*\x00": "TIFF",
        b"MM\x00*": "TIFF",
        b"II+\x00": "TIFF",
        b"MM\x00+": "TIFF",
    }
    for start, name in starts.items():
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = [head[8:12], *(head[at : at + 4] for at in range(16, HEAD, 4))]
        if any(brand in _AVIF_BRANDS for brand in brands):
            return "AVIF"
        if any(brand in _HEIF_BRANDS for brand in brands):
            return "HEIF"
    return None


@cache
def decodable(name: str) -> bool:
    """Whether Pillow can decode the format here: AVIF depends on how it was built, HEIF on an extra."""
    Image.init()
    if name == "HEIF" and name not in Image.OPEN:
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            return False
        register_heif_opener()
    return name in Image.OPEN
