"""Files as careless programs write them. imuge's own go through image/write.py, which spares the pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def encode_jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    """H x W x 3 RGB uint8 -> JPEG 4:2:0, quality 1..100: decoded, it is what the attack `jpeg` gives."""
    import cv2

    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError(f"JPEG encoder refused a picture of {image.shape}")
    return encoded.tobytes()


def encode_webp(image: NDArray[np.uint8], quality: int) -> bytes:
    """H x W x 3 RGB uint8 -> lossy WebP, quality 1..100: decoded, it is what the attack `webp` gives."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()
