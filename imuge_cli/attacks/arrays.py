"""Types of the arrays that travel through the attacks, and the checks at the door."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Image8: TypeAlias = NDArray[np.uint8]
"""H x W x 3 RGB, 0..255."""

Mask: TypeAlias = NDArray[np.bool_]
"""H x W, True = tampered."""


def require_image(image: Image8, what: str = "image") -> None:
    """Raise ValueError unless `image` is a non-empty H x W x 3 uint8 array."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"{what} must be H x W x 3 uint8, not {image.shape} {image.dtype}")


def require_mask(mask: Mask, height: int, width: int) -> None:
    """Raise ValueError unless `mask` is a boolean array of height x width."""
    if mask.shape != (height, width) or mask.dtype != np.bool_:
        raise ValueError(f"mask must be bool of shape {(height, width)}, not {mask.dtype} {mask.shape}")
