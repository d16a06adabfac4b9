from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from imuge_cli.metrics.localization import (
    auc,
    bce,
    confusion,
    f1,
    false_alarm_share,
    iou,
    precision,
    recall,
)

PREDICTED = np.array([[1, 1, 1, 0], [0, 0, 0, 0]], dtype=bool)
TRUTH = np.array([[1, 1, 0, 1], [1, 0, 0, 0]], dtype=bool)


def test_figures_counted_on_fingers() -> None:
    """2 hits, 1 false alarm, 2 misses, 3 quiet."""
    counts = confusion(PREDICTED, TRUTH)
    assert (counts.hits, counts.false_alarms, counts.misses, counts.quiet) == (2, 1, 2, 3)
    assert precision(PREDICTED, TRUTH) == pytest.approx(2 / 3)
    assert recall(PREDICTED, TRUTH) == pytest.approx(2 / 4)
    assert f1(PREDICTED, TRUTH) == pytest.approx(4 / 7)
    assert iou(PREDICTED, TRUTH) == pytest.approx(2 / 5)
    assert false_alarm_share(PREDICTED, TRUTH) == pytest.approx(1 / 4)
    assert false_alarm_share(PREDICTED) == pytest.approx(3 / 8)


def test_nothing_to_find_and_nothing_found() -> None:
    nothing, everything = np.zeros((4, 4), dtype=bool), np.ones((4, 4), dtype=bool)
    for measure in (f1, iou, precision, recall):
        assert measure(nothing, nothing) == 1.0
        assert measure(everything, everything) == 1.0
    for measure in (f1, iou, precision):
        assert measure(everything, nothing) == 0.0
        assert measure(nothing, everything) == 0.0
    assert recall(nothing, everything) == 0.0
    assert false_alarm_share(everything, nothing) == 1.0
    assert false_alarm_share(nothing, everything) == 0.0
    assert false_alarm_share(everything, everything) == 0.0


masks = hnp.arrays(np.bool_, (6, 7))


@given(masks, masks)
def test_identities(predicted: np.ndarray, truth: np.ndarray) -> None:
    p, r, harmonic = precision(predicted, truth), recall(predicted, truth), f1(predicted, truth)
    if predicted.any() and truth.any():
        assert harmonic == pytest.approx(2 * p * r / (p + r) if p + r else 0.0)
    assert iou(predicted, truth) == pytest.approx(harmonic / (2 - harmonic))
    assert f1(truth, predicted) == pytest.approx(harmonic)
    counts = confusion(predicted, truth)
    assert counts.hits + counts.false_alarms + counts.misses + counts.quiet == truth.size


@given(hnp.arrays(np.int64, 30, elements=st.integers(0, 6)), hnp.arrays(np.bool_, 30))
def test_auc_equals_counting_pairs(scores: np.ndarray, truth: np.ndarray) -> None:
    probability = scores.reshape(5, 6) / 6
    truth = truth.reshape(5, 6)
    if truth.all() or not truth.any():
        assert math.isnan(auc(probability, truth))
        return
    positive, negative = probability[truth][:, None], probability[~truth][None, :]
    expected = np.mean((positive > negative) + 0.5 * (positive == negative))
    assert auc(probability, truth) == pytest.approx(expected, abs=1e-12)


def test_auc_of_perfect_reversed_and_blind_maps() -> None:
    truth = np.arange(20).reshape(4, 5) > 11
    assert auc(truth.astype(np.float32), truth) == 1.0
    assert auc(1 - truth.astype(np.float32), truth) == 0.0
    assert auc(np.full((4, 5), 0.3, dtype=np.float32), truth) == 0.5


def test_bce_by_hand_and_at_the_ends() -> None:
    probability = np.array([[0.9, 0.2], [0.5, 0.6]], dtype=np.float64)
    truth = np.array([[True, False], [True, False]])
    expected = -(math.log(0.9) + math.log(0.8) + math.log(0.5) + math.log(0.4)) / 4
    assert bce(probability, truth) == pytest.approx(expected, abs=1e-12)
    assert bce(truth.astype(np.float32), truth) == pytest.approx(0.0, abs=1e-6)
    assert bce(1 - truth.astype(np.float32), truth) == pytest.approx(-math.log(1e-7), rel=1e-6)


def test_wrong_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        f1(PREDICTED, TRUTH[:1])
    with pytest.raises(ValueError, match="bool"):
        f1(PREDICTED.astype(np.uint8), TRUTH)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="match"):
        auc(np.zeros((3, 3)), TRUTH)
    with pytest.raises(ValueError, match="match"):
        bce(np.zeros((2, 4)), TRUTH.astype(np.uint8))  # type: ignore[arg-type]
