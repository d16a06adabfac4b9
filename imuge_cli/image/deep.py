"""16-bit colour: Pillow keeps only the upper byte, so these pixels go through OpenCV."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from cv2.utils import logging

from imuge_cli.image.picture import Pixels

_lock = threading.Lock()


def decode_deep(data: bytes) -> Pixels:
    """A 16-bit PNG or TIFF file's bytes -> H x W x 3 (RGB) or H x W x 4 (RGBA), uint16.

    EXIF orientation of PNG is left alone; that of TIFF is applied by OpenCV. Grey with alpha comes as
    RGBA. Raises ValueError where OpenCV cannot decode the data or finds less than 16 bit.
    """
    with _silence():
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        raise ValueError("its 16-bit pixels cannot be decoded")
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    if pixels.shape[2] == 4:
        return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)
    raise ValueError(f"it has {pixels.shape[2]} channels of 16 bit")


def encode_png16(pixels: Pixels) -> bytes:
    """H x W, H x W x 3 (RGB) or H x W x 4 (RGBA) uint16 -> PNG bytes without metadata."""
    if pixels.ndim == 3:
        swap = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        pixels = cv2.cvtColor(pixels, swap)
    done, encoded = cv2.imencode(".png", pixels)
    if not done:
        raise ValueError("OpenCV could not encode a 16-bit PNG")
    return encoded.tobytes()


@contextmanager
def _silence() -> Iterator[None]:
    """OpenCV writes its complaints to stderr itself; the level is process-wide, hence the lock."""
    with _lock:
        before = logging.getLogLevel()
        logging.setLogLevel(logging.LOG_LEVEL_SILENT)
        try:
            yield
        finally:
            logging.setLogLevel(before)
