"""How well a predicted mask or probability map meets the true mask. All arrays of one shape; True = tampered.

With neither predicted nor true tampering, precision, recall, F1 and IoU are 1: there was nothing to find, and
nothing was found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BoolMask = NDArray[np.bool_]


@dataclass(frozen=True)
class Confusion:
    """Pixel counts: hits (tampered, flagged), false alarms, misses, and untampered pixels left alone."""

    hits: int
    false_alarms: int
    misses: int
    quiet: int

    @property
    def precision(self) -> float:
        """hits / flagged; with nothing flagged 1 where nothing was tampered, else 0."""
        return _ratio(self.hits, self.hits + self.false_alarms, 1.0 if self.misses == 0 else 0.0)

    @property
    def recall(self) -> float:
        """hits / tampered; 1 where nothing was tampered."""
        return _ratio(self.hits, self.hits + self.misses, 1.0)

    @property
    def f1(self) -> float:
        """2 hits / (2 hits + false alarms + misses)."""
        return _ratio(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses, 1.0)

    @property
    def iou(self) -> float:
        """hits / (hits + false alarms + misses)."""
        return _ratio(self.hits, self.hits + self.false_alarms + self.misses, 1.0)

    @property
    def false_alarm_share(self) -> float:
        """false alarms / untampered; 0 where everything was tampered."""
        return _ratio(self.false_alarms, self.false_alarms + self.quiet, 0.0)


def confusion(predicted: BoolMask, truth: BoolMask) -> Confusion:
    """Count once, read all figures off. Raises ValueError unless both are bool of one shape."""
    if predicted.shape != truth.shape or predicted.dtype != np.bool_ or truth.dtype != np.bool_:
        raise ValueError(
            f"both masks must be bool of one shape, not {predicted.dtype} {predicted.shape}"
            f" and {truth.dtype} {truth.shape}"
        )
    hits = int(np.count_nonzero(predicted & truth))
    flagged, tampered = int(np.count_nonzero(predicted)), int(np.count_nonzero(truth))
    return Confusion(hits, flagged - hits, tampered - hits, truth.size - flagged - tampered + hits)


def precision(predicted: BoolMask, truth: BoolMask) -> float:
    """Share of the flagged pixels that were tampered with, 0..1."""
    return confusion(predicted, truth).precision


def recall(predicted: BoolMask, truth: BoolMask) -> float:
    """Share of the tampered pixels that were flagged, 0..1."""
    return confusion(predicted, truth).recall


def f1(predicted: BoolMask, truth: BoolMask) -> float:
    """Harmonic mean of precision and recall, 0..1."""
    return confusion(predicted, truth).f1


def iou(predicted: BoolMask, truth: BoolMask) -> float:
    """Intersection over union, 0..1."""
    return confusion(predicted, truth).iou


def false_alarm_share(predicted: BoolMask, truth: BoolMask | None = None) -> float:
    """Share of the untampered pixels that were flagged, 0..1. Without `truth` nothing was tampered with."""
    return confusion(predicted, np.zeros_like(predicted) if truth is None else truth).false_alarm_share


def auc(probability: NDArray[np.floating], truth: BoolMask) -> float:
    """Area under the ROC curve: the probability that a tampered pixel scores above an untampered one, ties
    half.

    nan where `truth` has one class only. Mann-Whitney's U from mid-ranks, exact.
    """
    _require_map(probability, truth)
    positives = int(np.count_nonzero(truth))
    negatives = truth.size - positives
    if positives == 0 or negatives == 0:
        return math.nan
    _values, inverse, counts = np.unique(probability.ravel(), return_inverse=True, return_counts=True)
    above = np.bincount(inverse.ravel()[truth.ravel()], minlength=counts.size).astype(np.float64)
    below = counts - above
    smaller = np.cumsum(below) - below
    return float(np.dot(above, smaller + 0.5 * below) / (positives * negatives))


def bce(probability: NDArray[np.floating], truth: BoolMask, *, epsilon: float = 1e-7) -> float:
    """-mean(t ln p + (1 - t) ln(1 - p)) in nats, p clipped to epsilon..1 - epsilon."""
    _require_map(probability, truth)
    p = np.clip(probability.astype(np.float64), epsilon, 1.0 - epsilon)
    return float(-np.mean(np.log(np.where(truth, p, 1.0 - p))))


def _ratio(part: int, whole: int, if_empty: float) -> float:
    return part / whole if whole else if_empty


def _require_map(probability: NDArray[np.floating], truth: BoolMask) -> None:
    if probability.shape != truth.shape or truth.dtype != np.bool_ or truth.size == 0:
        raise ValueError(
            f"probability {probability.shape} and truth {truth.dtype} {truth.shape} must match, truth bool"
        )
