"""Pictures about pictures: what is laid over a suspect to show where it was tampered with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Probability -> colour: blue, yellow, red. Blue at zero is never seen (its weight is zero there).
_STOPS = np.array([0.0, 0.5, 1.0], np.float32)
_COLOURS = np.array([[40, 70, 200], [250, 210, 40], [225, 25, 25]], np.float32)
_STRONGEST = 0.7  # how much of the suspect a certain pixel hides
_OUTLINE = np.array([255, 255, 255], np.uint8)
_SURROUND = (0.45, 70.0)  # what is left of the contrast around the mask, and the grey it lies on
_SPOT_OUTLINE = np.array([255, 0, 140], np.uint8)  # a colour that photographs hardly have
_STRIP = 256  # rows at a time: float32 copies of a large picture would be many times its size


def heatmap(
    picture: NDArray[np.uint8], probability: NDArray[np.float32], mask: NDArray[Any] | None = None
) -> NDArray[np.uint8]:
    """The suspect with its probability of tampering in colour, and the mask's outline in white.

    picture: H x W x 3 RGB uint8. probability: H x W, 0..1. mask: H x W bool, True = tampered. Returns
    H x W x 3 RGB uint8. Raises ValueError where sizes differ.
    """
    if probability.shape != picture.shape[:2] or (mask is not None and mask.shape != picture.shape[:2]):
        raise ValueError(f"picture {picture.shape[:2]}, probability {probability.shape} and mask must agree in size")
    blended = np.empty_like(picture)
    for top in range(0, picture.shape[0], _STRIP):
        rows = slice(top, top + _STRIP)
        certainty = np.clip(np.nan_to_num(probability[rows].astype(np.float32)), 0, 1)
        weight = (_STRONGEST * certainty)[..., None]
        colour = np.stack([np.interp(certainty, _STOPS, channel) for channel in _COLOURS.T], axis=-1)
        blended[rows] = np.rint(picture[rows] * (1 - weight) + colour * weight).astype(np.uint8)
    if mask is not None:
        blended[outline(mask)] = _OUTLINE
    return blended


def spotlight(picture: NDArray[np.uint8], mask: NDArray[Any]) -> NDArray[np.uint8]:
    """The suspect with the mask's pixels in their own colours, outlined, and all others in pale grey.

    picture: H x W x 3 RGB uint8. mask: H x W bool, True = tampered. Returns H x W x 3 RGB uint8. Raises ValueError
    where sizes differ.
    """
    if mask.shape != picture.shape[:2]:
        raise ValueError(f"picture {picture.shape[:2]} and mask {mask.shape} must agree in size")
    mask = mask.astype(bool)
    contrast, level = _SURROUND
    shown = np.empty_like(picture)
    for top in range(0, picture.shape[0], _STRIP):
        rows = slice(top, top + _STRIP)
        grey = picture[rows].mean(axis=2, dtype=np.float32, keepdims=True) * contrast + level
        shown[rows] = np.where(mask[rows, :, None], picture[rows], np.rint(grey).astype(np.uint8))
    shown[outline(mask)] = _SPOT_OUTLINE
    return shown


def outline(mask: NDArray[Any]) -> NDArray[np.bool_]:
    """The mask's own pixels that touch a pixel outside it (or the picture's edge), in four directions."""
    mask = mask.astype(bool)
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge: NDArray[np.bool_] = mask & ~inner
    return edge
