"""Synthetic photographs: smooth shapes, edges and texture, so that attacks have something to do."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from imuge_cli.attacks.masks import smooth_noise


def synthetic(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """height x width x 3 RGB uint8."""
    rng = np.random.default_rng(seed)
    layers = []
    for _ in range(3):
        field = 128 + 40 * smooth_noise(height, width, 48, rng) + 12 * smooth_noise(height, width, 4, rng)
        field += 30 * (smooth_noise(height, width, 30, rng) > 0)
        layers.append(field)
    return np.clip(np.rint(np.stack(layers, axis=2)), 0, 255).astype(np.uint8)


@pytest.fixture
def image() -> NDArray[np.uint8]:
    """96 x 128."""
    return synthetic(96, 128, 1)


@pytest.fixture
def donor() -> NDArray[np.uint8]:
    """Another picture of another size."""
    return synthetic(80, 150, 2)
