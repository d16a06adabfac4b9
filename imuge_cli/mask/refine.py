"""From tiles that are not what they were to the pixels that were changed, once it is known what the tiles showed."""

from __future__ import annotations

import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

_WINDOW = 5
# By so many times the reconstruction's own mean square error a neighbourhood must differ to count as changed.
_EXCESS = 6.0
# And by as much as rounding and the carrier's digits differ, grey levels squared.
_LEAST = 4.0
_CLOSED = 5


def changed_exactly(suspect: NDArray[Any], restored: NDArray[Any]) -> NDArray[np.bool_]:
    """H x W: whether any channel of a pixel differs from its restored self, bit for bit."""
    return cast(NDArray[np.bool_], (suspect != restored).any(2))


def changed_probably(suspect: NDArray[np.float32], restored: NDArray[np.float32], quality: float) -> NDArray[np.bool_]:
    """H x W: where a suspect differs from a reconstruction by more than the reconstruction is wrong.

    suspect, restored: H x W x C, grey levels. quality: the reconstruction's PSNR, dB.
    """
    error = 255.0**2 / 10 ** (quality / 10)
    squared = ((suspect - restored) ** 2).mean(2)
    around = cv2.blur(squared, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REFLECT)
    bound = math.fsum((_LEAST, _EXCESS * error))
    marked = (around > bound).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_CLOSED, _CLOSED))
    closed = cv2.morphologyEx(marked, cv2.MORPH_CLOSE, kernel)
    return cast(NDArray[np.bool_], cv2.erode(closed, kernel).astype(bool) | (squared > 4 * bound) & (closed > 0))


def without_islands(changed: NDArray[np.bool_], vouched: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask with what lies inside of it filled: where a tampered area happens to look like what was there, it is
    tampered with all the same.

    changed, vouched: H x W; vouched pixels are known to be genuine. What is neither stays genuine only where it is
    broad enough and hangs together with vouched pixels.
    """
    kernel = np.ones((_CLOSED, _CLOSED), np.uint8)
    free = cv2.morphologyEx((~changed & ~vouched).astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool)
    count, labels = cv2.connectedComponents((free | vouched).astype(np.uint8), connectivity=4)
    genuine = np.zeros(count, bool)
    genuine[np.unique(labels[vouched])] = True
    genuine[0] = False
    return cast(NDArray[np.bool_], changed | ~(genuine[labels] | vouched))
