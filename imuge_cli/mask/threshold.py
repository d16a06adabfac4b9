"""Otsu's threshold with a guard, so that untampered pictures give empty masks and covered ones full ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Guard:
    """What a split must satisfy to count as tampering. Otsu alone splits every map, even pure noise.

    floor: a map that nowhere reaches it has no tampered pixels.
    low, high: the threshold is clamped to low..high. Otsu puts it between the two classes it finds, however close these
        are: on a clean map inside the noise near 0, on a fully tampered one inside the noise near 1.
    peak: a region must reach it somewhere. Real tampering is certain in its middle; false alarms are lukewarm all over.
        docs/experiments.md says what that keeps and what it lets go.
    convincing: at least one region must reach it on average, or nothing counts. docs/experiments.md says where from.
    likely, likely_area: a region of so many pixels may do with reaching this; see `forewarned`.
    minimum_area: smaller regions (pixels) are specks. The default is one 8 x 8 block, the smallest area that the
        lattice tells anything about.
    """

    floor: float = 0.5
    low: float = 0.35
    high: float = 0.65
    peak: float = 0.98
    convincing: float = 0.0
    likely: float = math.inf
    likely_area: int = 0
    minimum_area: int = 64

    def at_scale(self, scale: float) -> Guard:
        """The guard for a map enlarged by a factor of `scale`; a smaller map keeps the guard as it is."""
        return replace(self, minimum_area=math.ceil(self.minimum_area * max(1.0, scale) ** 2))

    def lenient(self) -> Guard:
        """The guard for a suspect that lies between the pixels of the picture that was immunized, or was brightened and
        the like: what was clipped is smeared there, or new, and looks a little tampered with."""
        return replace(self, convincing=0.8)

    def as_written(self) -> Guard:
        """The guard for the paper's own V: P1 takes Otsu's split as it is, and asks for no peak."""
        return replace(self, peak=0.0)

    def forewarned(self, pixels: int) -> Guard:
        """The guard for a map of so many pixels where something considerable was probably changed."""
        return replace(self, likely=0.95, likely_area=math.ceil(0.02 * pixels))

    def __post_init__(self) -> None:
        if not 0.0 < self.low <= self.high < 1.0:
            raise ValueError(f"guard: 0 < low <= high < 1 is needed, not {self.low:g} and {self.high:g}")


DEFAULT_GUARD = Guard()
"""The defaults, used for every picture and attack alike."""


def binarize(probability: NDArray[np.float32], *, guard: Guard = DEFAULT_GUARD) -> NDArray[np.bool_]:
    """H x W probabilities of tampering in 0..1 -> H x W bool.

    Otsu's threshold on the 8-bit map (as in P1), clamped by `guard`; then regions (8-connected) that never
    reach `guard.peak` (large ones: `guard.likely`) or stay below `guard.minimum_area` are dropped, and all of them
    where the average of none reaches `guard.convincing`. Raises ValueError for a map of another shape or with values
    that are not finite.
    """
    if probability.ndim != 2 or probability.size == 0:
        raise ValueError(f"a probability map is H x W, not {probability.shape}")
    if not np.isfinite(probability).all():
        raise ValueError("the probability map holds values that are not finite")
    if float(probability.max()) < guard.floor:
        return np.zeros(probability.shape, dtype=bool)
    threshold = min(max(otsu(probability), guard.low), guard.high)
    return _drop_weak(probability > threshold, probability, guard)


def otsu(probability: NDArray[np.float32]) -> float:
    """Otsu's threshold of a map in 0..1, from its 8-bit version; the upper class lies above it."""
    levels = np.clip(np.rint(probability * 255.0), 0, 255).astype(np.uint8)
    level, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    # the split lies between two grey levels
    return (float(level) + 0.5) / 255.0


def _drop_weak(mask: NDArray[np.bool_], probability: NDArray[np.float32], guard: Guard) -> NDArray[np.bool_]:
    count, labels, stats, _centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= guard.minimum_area
    near = np.bincount(labels[probability >= guard.likely], minlength=count) > 0
    near &= stats[:, cv2.CC_STAT_AREA] >= guard.likely_area
    keep &= near | (np.bincount(labels[probability >= guard.peak], minlength=count) > 0)
    keep[0] = False  # label 0 is the background
    averages = np.bincount(labels.ravel(), probability.ravel(), count) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    keep &= bool((averages[keep] >= guard.convincing).any())
    return cast(NDArray[np.bool_], keep[labels])
