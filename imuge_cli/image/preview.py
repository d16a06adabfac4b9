"""Small copies of pictures for pages: shrunk, and encoded as whatever takes fewer bytes."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

JPEG_QUALITY = 85


@dataclass(frozen=True)
class Preview:
    """An encoded picture. mime: `image/png` or `image/jpeg`. height, width: its own, in pixels."""

    data: bytes
    mime: str
    height: int
    width: int


def shrink(pixels: NDArray[Any], longest: int) -> NDArray[Any]:
    """H x W or H x W x 3, uint8, bool or float32 -> the same kind with at most `longest` pixels a side; area averages.

    A shrunk mask is True wherever any of the pixels below was: what is small must not vanish.
    """
    height, width = pixels.shape[:2]
    longer = max(height, width)
    if longer <= longest:
        return pixels
    rows, cols = (max(1, round(side * longest / longer)) for side in (height, width))
    if pixels.dtype == np.bool_:
        some = np.logical_or.reduceat(pixels, np.arange(rows) * height // rows, axis=0)
        return np.asarray(np.logical_or.reduceat(some, np.arange(cols) * width // cols, axis=1))
    return np.asarray(cv2.resize(pixels, (cols, rows), interpolation=cv2.INTER_AREA))


def preview(pixels: NDArray[Any], longest: int) -> Preview:
    """Pixels -> an encoded picture with at most `longest` pixels a side.

    pixels: H x W x 3 RGB uint8, or H x W (uint8, or bool for a mask in black and white). Masks become PNG; pictures
    JPEG, unless a PNG is no larger: drawings and tiny pictures stay as they are.
    """
    small = shrink(pixels, longest)
    height, width = small.shape[:2]
    if small.dtype == np.bool_:
        mask = Image.fromarray(small.astype(np.uint8) * 255).convert("1")
        return Preview(_encoded(mask, "PNG", optimize=True), "image/png", height, width)
    image = Image.fromarray(small)
    lossless = _encoded(image, "PNG", optimize=True)
    lossy = _encoded(image, "JPEG", quality=JPEG_QUALITY, optimize=True)
    if len(lossless) <= len(lossy):
        return Preview(lossless, "image/png", height, width)
    return Preview(lossy, "image/jpeg", height, width)


def smaller(data: bytes, longest: int) -> Preview:
    """An encoded picture -> one with at most `longest` pixels a side."""
    with Image.open(BytesIO(data)) as image:
        return preview(np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB")), longest)


def _encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()
