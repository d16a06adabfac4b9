"""The size the lattice works at, and the way of a residual from there back to every pixel.

A picture with a side of more than 1,024 px is immunized at a smaller working size: the residual is made
there, enlarged, and added to the full picture. Rounding, clipping and the enlarging itself change what
arrives when the picture is brought to the working size again, so the carry measures that and corrects.

Full-size work is done in single float32 planes and strips of rows: 24 megapixels stay far below 1 GB.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from imuge_cli.image.picture import Pixels
from imuge_cli.image.strips import strips

Plane = NDArray[np.float32]

LIMIT = 1024
LEAST = 16
# Of format version 2, whose large pictures were not scaled alike in both directions.
MULTIPLE_BEFORE = 16
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in JPEG


def working_size(height: int, width: int, limit: int = LIMIT, *, multiple: int = 1) -> tuple[int, int]:
    """(height, width) to work at: unchanged up to `limit` on the longer side; beyond it the longer side
    becomes `limit` and the other one goes with it, to the nearest multiple (at least 16)."""
    longer = max(height, width)
    if longer <= limit:
        return height, width
    shorter = min(height, width) * limit / longer
    rounded = min(limit, max(LEAST, int(shorter / multiple + 0.5) * multiple))
    return (limit, rounded) if height >= width else (rounded, limit)


def to_working(pixels: NDArray[np.generic], size: tuple[int, int]) -> Plane:
    """H x W x 3 (uint8, uint16, or float32 in 0..255) -> h x w x 3 float32 in grey levels 0..255.

    Area averages when shrinking; cubic when enlarging, which may overshoot 0..255; nothing when equal.
    uint16 is divided by 257.
    """
    planes = np.empty((*size, pixels.shape[2]), np.float32)
    for channel in range(pixels.shape[2]):  # one plane at a time: a float copy of all three is large
        planes[..., channel] = resize_plane(_levels(pixels[..., channel]), size)
    return planes


def luma(pixels: NDArray[np.generic]) -> Plane:
    """H x W x 3 (uint8, uint16, or float32 in 0..255) -> H x W float32: .299 R + .587 G + .114 B."""
    plane = np.empty(pixels.shape[:2], np.float32)
    for rows in strips(pixels.shape[0], pixels.shape[1]):
        plane[rows] = _strip_luma(pixels[rows])
    return plane


def carry_residual(pixels: Pixels, residual_luma: Plane, iterations: int = 3) -> Pixels:
    """Add a residual made at working size to the full picture.

    pixels: H x W x 3 uint8 or uint16. residual_luma: h x w float32, in grey levels of the 0..255 scale.
    Returns pixels of the same shape and dtype, each one's three channels moved by the same amount, such
    that `luma(to_working(result, (h, w)))` is `luma(to_working(pixels, (h, w))) + residual_luma` as nearly
    as rounding, clipping and `iterations` corrections allow.
    """
    size = (int(residual_luma.shape[0]), int(residual_luma.shape[1]))
    residual = residual_luma.astype(np.float32)
    result = _add(pixels, residual)
    if size == pixels.shape[:2]:
        return result  # nothing between the two but rounding and clipping, which correcting cannot undo
    wanted = resize_plane(luma(pixels), size) + residual
    for _ in range(iterations):
        # Resizing is linear, so the luma of the shrunk picture is the shrunk luma: one plane, not three.
        residual = residual + (wanted - resize_plane(luma(result), size))
        result = _add(pixels, residual)
    return result


def _add(pixels: Pixels, residual: Plane) -> Pixels:
    """Full-size pixels plus the enlarged residual (grey levels), rounded and clipped to their dtype."""
    height, width = pixels.shape[:2]
    top = int(np.iinfo(pixels.dtype).max)
    full = resize_plane(residual, (height, width))
    full *= top / 255.0
    result = np.empty_like(pixels)
    for rows in strips(height, width):
        summed = pixels[rows].astype(np.float32)
        summed += np.rint(full[rows])[..., None]
        result[rows] = np.clip(summed, 0, top, out=summed)
    return result


def _strip_luma(pixels: NDArray[np.generic]) -> Plane:
    plane = np.zeros(pixels.shape[:2], np.float32)
    for channel, weight in enumerate(LUMA):
        plane += np.float32(weight) * _levels(pixels[..., channel])
    return plane


def _levels(plane: NDArray[np.generic]) -> Plane:
    """Samples of any supported type as float32 in 0..255."""
    levels = plane.astype(np.float32)
    if plane.dtype == np.uint16:
        levels *= np.float32(1 / 257)
    return levels


def resize_plane(plane: Plane, size: tuple[int, int]) -> Plane:
    """H x W float32 to size (height, width): area averages when shrinking, cubic when enlarging."""
    height, width = size
    if plane.shape == size:
        return plane
    shrinking = height * width < plane.shape[0] * plane.shape[1]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(plane, (width, height), interpolation=method), np.float32)
