"""Pictures for tests: real photographs that scikit-image brings along, and drawn ones."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels8 = NDArray[np.uint8]


@lru_cache(maxsize=8)
def _whole(name: str) -> Pixels8:
    from skimage import data

    pixels: Pixels8 = getattr(data, name)()
    return pixels


def photograph(name: str, top: int, left: int, height: int = 256, width: int = 256) -> Pixels8:
    """A crop of `astronaut` (512 x 512), `coffee` (400 x 600) or `chelsea` (300 x 451), height x width x 3."""
    crop = _whole(name)[top : top + height, left : left + width, :3]
    assert crop.shape == (height, width, 3)
    return np.ascontiguousarray(crop)


def drawn(height: int, width: int, seed: int = 0) -> Pixels8:
    """Gradients, discs and grain from whole-number arithmetic alone: the same bytes on every machine."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[:height, :width].astype(np.int64)
    picture = np.stack([40 + y * 140 // height, 60 + x * 120 // width, 90 + (x + y) * 80 // (height + width)], -1)
    for _ in range(12):
        row, column, radius = rng.randint(0, height), rng.randint(0, width), rng.randint(6, 40)
        picture[(y - row) ** 2 + (x - column) ** 2 < radius**2] = rng.randint(30, 220, 3)
    picture = picture + rng.randint(-4, 5, (height, width, 1))
    return picture.clip(0, 255).astype(np.uint8)


def to_tensor(pixels: Pixels8) -> Tensor:
    """H x W x 3 to 1 x 3 x H x W, float32, grey levels."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float()[None]


def to_pixels(picture: Tensor) -> Pixels8:
    """1 x 3 x H x W in grey levels to H x W x 3 uint8."""
    pixels: Pixels8 = picture[0].round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
    return pixels
