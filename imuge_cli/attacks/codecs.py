"""Real codecs: encode, decode, hand back what a recipient would see. H x W x 3 RGB uint8 throughout."""

from __future__ import annotations

import io
from typing import cast

import cv2
import numpy as np
from PIL import Image, features

from imuge_cli.attacks.arrays import Image8
from imuge_cli.errors import UsageError

_AVIF_SPEED = 8
"""libavif's speed, 0..10: 8 takes about half the time of the default 6."""


def jpeg(image: Image8, quality: int) -> Image8:
    """libjpeg-turbo through OpenCV, 4:2:0, `quality` 1..100."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f"JPEG encoder refused a picture of {image.shape}")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise RuntimeError("JPEG decoder refused what the encoder wrote")
    return cast(Image8, cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def webp(image: Image8, quality: int) -> Image8:
    """libwebp through Pillow, lossy, `quality` 1..100."""
    return decode(_encode(image, "WEBP", quality=quality))


def avif(image: Image8, quality: int) -> Image8:
    """libavif through Pillow, `quality` 1..100. Raises UsageError where this Pillow has no AVIF."""
    return decode(avif_file(image, quality))


def avif_file(image: Image8, quality: int, speed: int = _AVIF_SPEED, *, full_chroma: bool = False) -> bytes:
    """The AVIF file itself, `quality` 0..100, `speed` 0..10, 4:2:0 or 4:4:4. Raises UsageError where this Pillow has
    no AVIF."""
    if not has_avif():
        raise UsageError("attack 'avif': the installed Pillow has no AVIF codec; install pillow >= 11.3")
    # one thread: attacks run in parallel already, and some encoders' output depends on the thread count
    chroma = "4:4:4" if full_chroma else "4:2:0"
    return _encode(image, "AVIF", quality=quality, speed=speed, max_threads=1, subsampling=chroma)


def lossless_webp_file(image: Image8) -> bytes:
    """The WebP file itself, without loss."""
    return _encode(image, "WEBP", lossless=True, method=4)


def has_avif() -> bool:
    """Whether the installed Pillow has an AVIF codec."""
    return bool(features.check("avif"))


def decode(file: bytes) -> Image8:
    """What a file of any format that Pillow reads shows: H x W x 3 uint8."""
    with Image.open(io.BytesIO(file)) as decoded:
        return np.array(decoded.convert("RGB"))


def _encode(image: Image8, format_name: str, **options: int | str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format_name, **options)
    return buffer.getvalue()
