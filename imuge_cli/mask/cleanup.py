"""Erosion and dilation with k = 4, as in P1: masks free of specks, and slightly enlarged where wanted."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Order: TypeAlias = Literal["open", "close", "open-close", "close-open"]
"""open = erode, then dilate (removes specks); close = dilate, then erode (fills pinholes and thin gaps)."""

DEFAULT_K = 4
"""Pixels; the paper's k."""


def clean(mask: NDArray[np.bool_], k: int = DEFAULT_K, *, order: Order = "open") -> NDArray[np.bool_]:
    """H x W bool -> H x W bool without specks narrower than k px.

    The picture's border is no edge: a region that touches it is not eroded from outside (and may therefore be
    narrower than k there). Regions neither move nor shrink. Raises ValueError for k < 1 or an unknown order.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"a mask is H x W bool, not {mask.dtype} {mask.shape}")
    if k < 1:
        raise ValueError(f"clean needs k >= 1, not {k}")
    levels = mask.astype(np.uint8)
    for step in order.split("-"):
        if step == "open":
            levels = _dilate(_erode(levels, k, first=True), k, first=False)
        elif step == "close":
            levels = _erode(_dilate(levels, k, first=True), k, first=False)
        else:
            raise ValueError(f"no order is called '{order}'; valid: open, close, open-close, close-open")
    return cast(NDArray[np.bool_], levels.astype(bool))


def enlarged(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """H x W bool -> H x W bool, grown by so many pixels on every side. Raises ValueError for pixels < 0."""
    if pixels < 0:
        raise ValueError(f"a mask grows by 0 pixels or more, not {pixels}")
    return cast(NDArray[np.bool_], _dilate(mask.astype(np.uint8), 2 * pixels + 1, first=True).astype(bool))


def _anchor(k: int, first: bool) -> tuple[int, int]:
    """An even kernel has no centre: the second step uses the mirrored one, or everything would move."""
    at = k // 2 if first else k - 1 - k // 2
    return at, at


def _erode(levels: NDArray[np.uint8], k: int, first: bool) -> NDArray[np.uint8]:
    # OpenCV's default border counts as set here and as unset in dilation: no erosion from outside
    kernel = np.ones((k, k), dtype=np.uint8)
    return cast(NDArray[np.uint8], cv2.erode(levels, kernel, anchor=_anchor(k, first)))


def _dilate(levels: NDArray[np.uint8], k: int, first: bool) -> NDArray[np.uint8]:
    kernel = np.ones((k, k), dtype=np.uint8)
    return cast(NDArray[np.uint8], cv2.dilate(levels, kernel, anchor=_anchor(k, first)))
