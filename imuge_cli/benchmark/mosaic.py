"""Large pictures where there are only small ones at hand: four of them side by side, enlarged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imuge_cli.attacks.resample import resize
from imuge_cli.benchmark.engine import Image8

LONGER_SIDE = 2600
"""Of a mosaic, in pixels; with the proportions of most cameras it has 4.5 megapixels."""


def mosaic(pictures: Sequence[Image8]) -> Image8:
    """Two rows of two, in reading order, in the proportions of the first: h x w x 3 uint8, longer side LONGER_SIDE.

    pictures: four, each h x w x 3 uint8 of any size. Each is enlarged (Lanczos) until it fills its quarter, and what
    hangs over is cut away on both sides alike.
    """
    if len(pictures) != 4:
        raise ValueError(f"a mosaic is made of four pictures, not {len(pictures)}")
    rows, columns = pictures[0].shape[:2]
    scale = LONGER_SIDE / 2 / max(rows, columns)
    first, second, third, fourth = (
        _filling(picture, round(rows * scale), round(columns * scale)) for picture in pictures
    )
    return np.vstack((np.hstack((first, second)), np.hstack((third, fourth))))


def _filling(picture: Image8, height: int, width: int) -> Image8:
    """The picture's middle at this size, as much of it as has its proportions."""
    rows, columns = picture.shape[:2]
    scale = max(height / rows, width / columns)
    enlarged = resize(picture, max(height, round(rows * scale)), max(width, round(columns * scale)), "lanczos")
    top, left = (enlarged.shape[0] - height) // 2, (enlarged.shape[1] - width) // 2
    return enlarged[top : top + height, left : left + width]
