"""Attacks that change grey levels and keep the frame. H x W x 3 RGB uint8 in and out."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from imuge_cli.attacks.arrays import Image8

_SHARPEN_SIGMA = 1.0
"""Pixels; the radius photo programs start from."""


def blur(image: Image8, kernel: int) -> Image8:
    """Gaussian blur of `kernel` px (odd): 1 2 1 for 3, 1 4 6 4 1 for 5; from 9 on sigma = .15 k + .35."""
    return cast(Image8, cv2.GaussianBlur(image, (kernel, kernel), 0))


def noise(image: Image8, sigma: float, rng: np.random.Generator) -> Image8:
    """Add independent Gaussian noise of `sigma` grey levels to every sample; clip at 0 and 255."""
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    grain *= np.float32(sigma)
    grain += image
    return _to_bytes(grain)


def brightness(image: Image8, factor: float) -> Image8:
    """Multiply every sample by `factor`."""
    return _map_levels(image, _LEVELS * factor)


def contrast(image: Image8, factor: float) -> Image8:
    """Stretch by `factor` around the picture's mean grey."""
    mean = float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean())
    return _map_levels(image, mean + factor * (_LEVELS - mean))


def gamma(image: Image8, exponent: float) -> Image8:
    """255 (x / 255)^exponent for every sample."""
    return _map_levels(image, 255.0 * (_LEVELS / 255.0) ** exponent)


def saturation(image: Image8, factor: float) -> Image8:
    """Move every pixel away from its own grey (factor > 1) or towards it (factor < 1)."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cast(Image8, cv2.addWeighted(image, factor, grey, 1.0 - factor, 0.0))


def sharpen(image: Image8, amount: float) -> Image8:
    """Unsharp mask: x + amount (x - blurred x), sigma 1 px."""
    soft = cv2.GaussianBlur(image, (0, 0), _SHARPEN_SIGMA)
    return cast(Image8, cv2.addWeighted(image, 1.0 + amount, soft, -amount, 0.0))


_LEVELS: NDArray[np.float64] = np.arange(256, dtype=np.float64)


def _map_levels(image: Image8, levels: NDArray[np.float64]) -> Image8:
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return cast(Image8, cv2.LUT(image, table))


def _to_bytes(samples: NDArray[np.float32]) -> Image8:
    np.rint(samples, out=samples)
    return cast(Image8, np.clip(samples, 0, 255, out=samples).astype(np.uint8))
