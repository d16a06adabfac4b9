from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from imuge_cli.mask.threshold import DEFAULT_GUARD, Guard, binarize, otsu

F32 = NDArray[np.float32]


def noisy(truth: NDArray[np.bool_], low: float, high: float, noise: float, seed: int = 0) -> F32:
    """A probability map: `low` outside and `high` inside of truth, with Gaussian noise, in 0..1."""
    rng = np.random.default_rng(seed)
    soft = cv2.GaussianBlur(truth.astype(np.float32), (5, 5), 0)
    return np.clip(low + (high - low) * soft + noise * rng.standard_normal(truth.shape), 0, 1).astype(np.float32)


def disc(radius: float = 14.0, size: int = 80) -> NDArray[np.bool_]:
    y, x = np.mgrid[:size, :size]
    return np.asarray((y - 35) ** 2 + (x - 45) ** 2 < radius**2)


def f1(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


@pytest.mark.parametrize(("low", "noise"), [(0.0, 0.0), (0.02, 0.02), (0.1, 0.08), (0.3, 0.05)])
def test_an_untampered_picture_gives_an_empty_mask(low: float, noise: float) -> None:
    clean = noisy(np.zeros((80, 80), dtype=bool), low, 1.0, noise)
    assert not binarize(clean).any()


@pytest.mark.parametrize(("high", "noise"), [(1.0, 0.0), (0.97, 0.02), (0.9, 0.05)])
def test_a_picture_tampered_all_over_gives_a_full_mask(high: float, noise: float) -> None:
    probability = noisy(np.ones((80, 80), dtype=bool), 0.0, high, noise)
    assert binarize(probability).all()


def test_otsu_without_the_guard_would_split_both() -> None:
    """The guard is needed: the bare threshold cuts noise in two."""
    clean = noisy(np.zeros((80, 80), dtype=bool), 0.05, 1.0, 0.02)
    covered = noisy(np.ones((80, 80), dtype=bool), 0.0, 0.95, 0.02)
    assert 0.1 < (clean > otsu(clean)).mean() < 0.9
    assert 0.1 < (covered > otsu(covered)).mean() < 0.9


@pytest.mark.parametrize(("low", "high"), [(0.02, 0.98), (0.1, 0.9), (0.25, 0.95)])
def test_a_tampered_disc_is_found(low: float, high: float) -> None:
    truth = disc()
    assert f1(binarize(noisy(truth, low, high, 0.03)), truth) > 0.97


def test_heavy_tampering_keeps_the_untampered_rest_free() -> None:
    truth = ~disc()
    mask = binarize(noisy(truth, 0.03, 0.97, 0.02))
    assert f1(mask, truth) > 0.98
    assert not mask[35, 45]


def test_lukewarm_regions_and_specks_are_dropped_and_sure_ones_kept() -> None:
    probability = np.full((60, 90), 0.02, dtype=np.float32)
    probability[5:25, 5:25] = 0.99  # sure and large
    probability[5:25, 60:80] = 0.97  # large, nowhere sure
    probability[40:43, 10:13] = 0.99  # sure, a speck
    probability[40:55, 60:75] = 0.7  # lukewarm with one sure pixel
    probability[47, 67] = 0.99
    mask = binarize(probability)
    expected = np.zeros((60, 90), dtype=bool)
    expected[5:25, 5:25] = True
    expected[40:55, 60:75] = True
    assert np.array_equal(mask, expected)
    without = binarize(probability, guard=Guard(peak=0.0, minimum_area=0))
    assert without[10, 70] and without[41, 11]


def test_between_pixels_one_region_has_to_convince() -> None:
    """Clipped highlights that were interpolated look a little tampered with, and are sure in a few pixels."""
    lukewarm = np.full((64, 64), 0.02, np.float32)
    lukewarm[5:25, 5:25] = 0.7
    lukewarm[10, 10] = 0.99
    guard = Guard().lenient()
    assert binarize(lukewarm).sum() == 400 and not binarize(lukewarm, guard=guard).any()
    sure = lukewarm.copy()
    sure[40:50, 40:60] = 0.99
    both = binarize(sure, guard=guard)
    assert both.sum() == 600 and (both == binarize(sure)).all()
    assert binarize(np.ones((16, 16), np.float32), guard=guard).all()


def test_forewarned_a_large_region_may_fall_short_of_the_peak() -> None:
    probability = np.zeros((100, 100), np.float32)
    probability[10:30, 10:30] = 0.96
    probability[60:70, 60:70] = 0.96
    probability[80:95, 10:30] = 0.9
    guard = DEFAULT_GUARD.forewarned(probability.size)
    assert not binarize(probability).any()
    found = binarize(probability, guard=guard)
    assert found[10:30, 10:30].all() and found.sum() == 400
    # What reaches the peak counts as before, however small.
    probability[60:70, 60:70] = 0.99
    assert binarize(probability, guard=guard).sum() == 500


def test_as_the_paper_writes_regions_need_no_peak() -> None:
    probability = np.zeros((100, 100), np.float32)
    probability[10:30, 10:30] = 0.7
    assert not binarize(probability).any()
    assert binarize(probability, guard=DEFAULT_GUARD.as_written()).sum() == 400
    probability[10:30, 10:30] = 0.4
    assert not binarize(probability, guard=DEFAULT_GUARD.as_written()).any()


def test_the_threshold_stays_between_the_limits() -> None:
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (64, 1))
    low_mass = np.concatenate([ramp, np.zeros((2000, 256), dtype=np.float32)])
    high_mass = np.concatenate([ramp, np.ones((2000, 256), dtype=np.float32)])
    for probability in (ramp, low_mass, high_mass):
        lowest = float(probability[binarize(probability)].min())
        assert DEFAULT_GUARD.low - 1e-6 <= lowest <= DEFAULT_GUARD.high + 0.01
    narrow = Guard(low=0.6, high=0.6)
    assert float(ramp[binarize(ramp, guard=narrow)].min()) == pytest.approx(0.6, abs=0.005)


def test_the_floor() -> None:
    probability = np.zeros((40, 40), dtype=np.float32)
    probability[10:30, 10:30] = 0.49
    assert not binarize(probability, guard=Guard(peak=0.0)).any()
    assert binarize(probability, guard=Guard(peak=0.0, floor=0.4)).sum() == 400


@settings(max_examples=60)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(2, 24), st.integers(2, 24))))
def test_otsu_splits_as_well_as_scikit_images(levels: NDArray[np.uint8]) -> None:
    """The thresholds may differ in a gap of the histogram: compare the variance between the classes."""
    if levels.min() == levels.max():
        return

    def between(threshold: float) -> float:
        upper = levels.astype(float) > threshold
        if upper.all() or not upper.any():
            return 0.0
        share = upper.mean()
        return float(share * (1 - share) * (levels[upper].mean() - levels[~upper].mean()) ** 2)

    ours = between(otsu(levels.astype(np.float32) / 255) * 255)
    assert ours == pytest.approx(between(threshold_otsu(levels)), rel=1e-6)


def test_wrong_maps_and_guards_are_refused() -> None:
    with pytest.raises(ValueError, match="H x W"):
        binarize(np.zeros((3, 4, 5), dtype=np.float32))
    with pytest.raises(ValueError, match="finite"):
        binarize(np.full((8, 8), np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match="low"):
        Guard(low=0.7, high=0.6)


def test_an_enlarged_map_needs_larger_regions() -> None:
    guard = Guard(minimum_area=64)
    assert [guard.at_scale(scale).minimum_area for scale in (0.5, 1.0, 1.5, 4.0)] == [64, 64, 144, 1024]
    probability = np.zeros((60, 60), np.float32)
    probability[20:30, 20:30] = 1
    assert binarize(probability, guard=guard).sum() == 100
    assert not binarize(probability, guard=guard.at_scale(1.5)).any()
