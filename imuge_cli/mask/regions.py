"""The tampered regions of a mask, with their boxes and how sure the verifier is of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from imuge_cli.mask.cleanup import clean, enlarged


@dataclass(frozen=True)
class Region:
    """A connected part of the mask: rows top..bottom-1, columns left..right-1, `pixels` of them in the mask.

    confidence: mean probability of tampering over those pixels, 0..1. foreign: it lies around the original (a
    screenshot's frame, say), and is no part of it.
    """

    top: int
    left: int
    bottom: int
    right: int
    pixels: int
    confidence: float
    foreign: bool = False


def regions(
    mask: NDArray[np.bool_], probability: NDArray[np.float32], foreign: NDArray[np.bool_] | None = None
) -> list[Region]:
    """8-connected regions of an H x W bool mask, largest first (then from top to bottom, left to right).

    `probability`: H x W in 0..1. foreign: H x W, what lies around the original; its regions are told apart, after the
    others. Raises ValueError where mask and probability differ in shape.
    """
    if foreign is not None:
        around = [replace(region, foreign=True) for region in regions(mask & foreign, probability)]
        return regions(mask & ~foreign, probability) + around
    if mask.shape != probability.shape or mask.ndim != 2:
        raise ValueError(f"mask {mask.shape} and probability {probability.shape} must be H x W of one size")
    count, labels, stats, _centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    sums = np.bincount(labels.ravel(), weights=probability.ravel(), minlength=count)
    found = [_region(stats[label], float(sums[label])) for label in range(1, count)]
    return sorted(found, key=lambda region: (-region.pixels, region.top, region.left))


def along(mask: NDArray[np.bool_], border: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """H x W: the 8-connected parts of a mask that lie within `reach` pixels of another H x W mask, all of them."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    confined = np.ones(count, np.bool_)
    confined[labels[mask & ~enlarged(border, reach)]] = False
    confined[0] = False
    result: NDArray[np.bool_] = confined[labels]
    return result


def reaching(mask: NDArray[np.bool_], beside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """H x W: the mask, and the parts of another that hang together with it (8-connected), but for threads too narrow
    for `cleanup.clean`: hysteresis (Canny, *A Computational Approach to Edge Detection*, 1986)."""
    count, labels = cv2.connectedComponents((mask | beside).astype(np.uint8), connectivity=8)
    touched = np.zeros(count, np.bool_)
    touched[labels[mask]] = True
    result: NDArray[np.bool_] = clean(touched[labels]) | mask
    return result


def _region(stats: NDArray[np.int32], probability_sum: float) -> Region:
    left, top, width, height, pixels = (int(value) for value in stats)
    return Region(top, left, top + height, left + width, pixels, probability_sum / pixels)
