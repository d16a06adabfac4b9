"""Attacks that change a picture's geometry: scaling, cropping and turning."""

from __future__ import annotations

import math
from typing import cast

import cv2
import numpy as np
from PIL import Image

from imuge_cli.attacks.arrays import Image8, Mask

_CV2 = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
_PILLOW = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


def resize(image: Image8, height: int, width: int, resampling: str = "auto") -> Image8:
    """Resample H x W x 3 uint8 to height x width with one of `chain.RESAMPLINGS`, or "nearest"."""
    rows, cols = image.shape[:2]
    if (rows, cols) == (height, width):
        return image.copy()
    if resampling == "nearest":
        return cast(Image8, cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST_EXACT))
    if resampling in _PILLOW:
        return np.array(Image.fromarray(image).resize((width, height), _PILLOW[resampling]))
    grows = height * width > rows * cols
    if resampling == "auto" or (resampling == "area" and grows):
        # OpenCV's area filter falls back to nearest neighbour when enlarging: nobody's enlargement looks like
        # that
        resampling = "cubic" if grows else "area"
    out = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=_CV2[resampling])
    return cast(Image8, out)


def scaled_size(height: int, width: int, factor: float) -> tuple[int, int]:
    """Size in whole pixels (at least 1) after scaling by `factor`."""
    return max(1, round(height * factor)), max(1, round(width * factor))


def scale(image: Image8, factor: float, resampling: str = "auto") -> Image8:
    """Scale by `factor` and leave the picture at that size."""
    height, width = scaled_size(image.shape[0], image.shape[1], factor)
    return resize(image, height, width, resampling)


def scale_back(image: Image8, factor: float, resampling: str = "auto") -> Image8:
    """Scale by `factor`, then back to the size before, with the same resampling both ways."""
    return resize(scale(image, factor, resampling), image.shape[0], image.shape[1], resampling)


def crop_box(height: int, width: int, share: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """(top, left, height, width) of a window holding `share` of the area, aspect kept, offset uniform."""
    rows = max(1, round(height * math.sqrt(share)))
    cols = max(1, round(width * math.sqrt(share)))
    top = int(rng.integers(0, height - rows + 1))
    left = int(rng.integers(0, width - cols + 1))
    return top, left, rows, cols


def rotate(image: Image8, degrees: float, *, nearest: bool = False) -> Image8:
    """Turn H x W x 3 uint8 to the left about its middle, and keep the largest part of the same shape that has no
    corners, as photo editors do where a horizon is straightened. nearest: no interpolation."""
    rows, cols = image.shape[:2]
    angle = math.radians(degrees)
    sine, cosine = math.sin(angle), math.cos(angle)
    kept = min(1 / (cosine + abs(sine) * cols / rows), 1 / (cosine + abs(sine) * rows / cols))
    height, width = max(1, int(rows * kept)), max(1, int(cols * kept))
    # From the result's pixels to the picture's; numbers of pixels, whose middles are half a pixel further.
    matrix = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
    middle = np.array([(cols - 1) / 2, (rows - 1) / 2])
    matrix[:, 2] = middle - matrix[:, :2] @ np.array([(width - 1) / 2, (height - 1) / 2])
    flags = (cv2.INTER_NEAREST if nearest else cv2.INTER_CUBIC) | cv2.WARP_INVERSE_MAP
    turned = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cast(Image8, turned)


def resize_mask(mask: Mask, height: int, width: int) -> Mask:
    """Resample H x W bool by nearest neighbour: a pixel belongs to the mask or it does not."""
    if mask.shape == (height, width):
        return mask.copy()
    out = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return cast(Mask, out.astype(bool))
