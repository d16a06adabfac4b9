from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import ndimage

from imuge_cli.mask.cleanup import clean
from imuge_cli.mask.regions import Region, along, reaching, regions


def test_boxes_pixels_confidence_and_order() -> None:
    mask = np.zeros((30, 40), dtype=bool)
    probability = np.full((30, 40), 0.1, dtype=np.float32)
    mask[2:5, 3:7] = True
    probability[2:5, 3:7] = 0.5
    mask[10:20, 10:30] = True
    mask[10:15, 10:20] = False  # an L
    probability[10:20, 10:30] = 0.75
    mask[25, 39] = True
    found = regions(mask, probability)
    assert found == [
        Region(10, 10, 20, 30, 150, 0.75),
        Region(2, 3, 5, 7, 12, 0.5),
        Region(25, 39, 26, 40, 1, pytest.approx(0.1)),
    ]


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    mask = np.eye(5, dtype=bool)
    assert regions(mask, mask.astype(np.float32)) == [Region(0, 0, 5, 5, 5, 1.0)]


def test_equal_sizes_come_from_top_to_bottom() -> None:
    mask = np.zeros((20, 20), dtype=bool)
    mask[15, 3] = mask[4, 9] = mask[4, 2] = True
    assert [(region.top, region.left) for region in regions(mask, mask.astype(np.float32))] == [
        (4, 2),
        (4, 9),
        (15, 3),
    ]


def test_what_lies_around_comes_last_and_is_told_apart() -> None:
    mask = np.ones((12, 20), dtype=bool)
    mask[2:10, 2:18] = False
    foreign = mask.copy()
    mask[2:5, 2:5] = True  # touches the frame, and is none of it
    assert regions(mask, mask.astype(np.float32), foreign) == [
        Region(2, 2, 5, 5, 9, 1.0),
        Region(0, 0, 12, 20, 112, 1.0, foreign=True),
    ]


def test_marks_along_a_border_are_whole_parts_of_the_mask() -> None:
    border, mask = np.zeros((2, 30, 40), dtype=bool)
    border[:, :10] = True
    mask[3:9, 10:14] = mask[20, 12] = True
    reaching = np.zeros_like(mask)
    reaching[24:28, 11:19] = True
    far = np.zeros_like(mask)
    far[2:4, 30:33] = True
    assert (along(mask | reaching | far, border, 4) == mask).all()
    assert (along(mask | reaching | far, border, 9) == mask | reaching).all()
    assert not along(np.zeros_like(mask), border, 4).any()


def test_an_empty_mask_has_no_regions() -> None:
    assert regions(np.zeros((8, 8), dtype=bool), np.zeros((8, 8), dtype=np.float32)) == []


def test_random_masks_against_scipy() -> None:
    rng = np.random.default_rng(0)
    for density in (0.1, 0.3, 0.6):
        mask = rng.random((50, 60)) < density
        probability = rng.random((50, 60)).astype(np.float32)
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        found = regions(mask, probability)
        assert len(found) == count
        means = sorted(ndimage.mean(probability, labels, range(1, count + 1)))
        assert sorted(region.confidence for region in found) == pytest.approx(means, abs=1e-6)
        sizes = [region.pixels for region in found]
        assert sizes == sorted(np.bincount(labels.ravel())[1:].tolist(), reverse=True)


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="one size"):
        regions(np.zeros((8, 8), dtype=bool), np.zeros((8, 9), dtype=np.float32))


def test_what_hangs_together_with_the_mask_is_reached_and_nothing_else() -> None:
    mask, beside = np.zeros((2, 60, 80), dtype=bool)
    mask[10:30, 10:30] = True
    beside[20:40, 26:50] = True
    expected = mask | beside
    beside[45:55, 60:75] = True  # by itself
    beside[25, 50:70] = True  # a thread
    np.testing.assert_array_equal(reaching(mask, beside), expected)
    np.testing.assert_array_equal(reaching(mask, np.zeros_like(mask)), mask)
    assert not reaching(np.zeros_like(mask), beside).any()


@given(hnp.arrays(np.bool_, (24, 31)), hnp.arrays(np.bool_, (24, 31)))
@settings(max_examples=50, deadline=None)
def test_reaching_is_what_spreads_from_the_mask_without_threads(
    mask: NDArray[np.bool_], beside: NDArray[np.bool_]
) -> None:
    spread = ndimage.binary_propagation(mask, np.ones((3, 3)), mask=mask | beside)
    np.testing.assert_array_equal(reaching(mask, beside), clean(spread) | mask)
