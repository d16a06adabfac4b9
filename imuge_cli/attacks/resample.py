"""Attacks that change a picture's geometry: scaling and cropping."""

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
    """Resample H x W x 3 uint8 to height x width with one of `chain.RESAMPLINGS`."""
    rows, cols = image.shape[:2]
    if (rows, cols) == (height, width):
        return image.copy()
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


def resize_mask(mask: Mask, height: int, width: int) -> Mask:
    """Resample H x W bool by nearest neighbour: a pixel belongs to the mask or it does not."""
    if mask.shape == (height, width):
        return mask.copy()
    out = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return cast(Mask, out.astype(bool))
