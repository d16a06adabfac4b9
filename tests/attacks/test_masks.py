from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imuge_cli.attacks.masks import SHAPES, random_mask, smooth_noise
from imuge_cli.errors import UsageError

NAMED = [shape for shape in SHAPES if shape != "any"]


@settings(max_examples=150)
@given(
    height=st.integers(32, 200),
    width=st.integers(32, 200),
    share=st.floats(0.02, 0.6),
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from(SHAPES),
)
def test_the_area_is_met_within_a_tenth(height: int, width: int, share: float, seed: int, shape: str) -> None:
    mask = random_mask(height, width, share, np.random.default_rng(seed), shape)
    assert mask.shape == (height, width)
    assert mask.dtype == np.bool_
    assert 0.9 * share * height * width - 1 <= mask.sum() <= 1.1 * share * height * width + 1


@settings(max_examples=40)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    share=st.floats(0.001, 1.0),
    shape=st.sampled_from(SHAPES),
)
def test_tiny_pictures_get_a_mask_too(height: int, width: int, share: float, shape: str) -> None:
    mask = random_mask(height, width, share, np.random.default_rng(0), shape)
    assert mask.shape == (height, width)
    assert mask.any()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_seed_decides(shape: str) -> None:
    first = random_mask(90, 70, 0.2, np.random.default_rng(5), shape)
    again = random_mask(90, 70, 0.2, np.random.default_rng(5), shape)
    other = random_mask(90, 70, 0.2, np.random.default_rng(6), shape)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def _pieces(mask: np.ndarray) -> int:
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1


def test_a_box_fills_its_bounding_box_and_an_object_does_not() -> None:
    for seed in range(20):
        for shape, filled in (("box", True), ("object", False)):
            mask = random_mask(128, 160, 0.1, np.random.default_rng(seed), shape)
            rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            box = (rows[-1] - rows[0] + 1) * (cols[-1] - cols[0] + 1)
            assert (mask.sum() == box) == filled


def test_box_ellipse_and_object_are_one_piece() -> None:
    for shape in ("box", "ellipse", "object"):
        counts = [_pieces(random_mask(128, 160, 0.1, np.random.default_rng(seed), shape)) for seed in range(30)]
        assert sum(count == 1 for count in counts) >= 29, shape


def test_multi_has_several_parts_as_a_rule() -> None:
    counts = [_pieces(random_mask(256, 256, 0.06, np.random.default_rng(seed), "multi")) for seed in range(20)]
    assert sum(count >= 2 for count in counts) >= 14


def test_text_and_brush_are_thin_and_boxes_are_not() -> None:
    def depth(shape: str) -> float:
        masks = [random_mask(256, 256, 0.1, np.random.default_rng(seed), shape) for seed in range(8)]
        return float(np.mean([cv2.distanceTransform(m.astype(np.uint8), cv2.DIST_L2, 5).max() for m in masks]))

    assert depth("text") < depth("brush") < 0.6 * depth("box")


def test_any_draws_every_shape() -> None:
    """A box is told from the rest by its filled bounding box: both kinds must come."""
    rng = np.random.default_rng(3)
    masks = [random_mask(64, 64, 0.1, rng) for _ in range(60)]
    boxes = 0
    for mask in masks:
        rows, cols = mask.any(axis=1).sum(), mask.any(axis=0).sum()
        boxes += bool(mask.sum() == rows * cols)
    assert 2 <= boxes <= 30


def test_the_whole_picture_can_be_asked_for() -> None:
    for shape in SHAPES:
        assert random_mask(20, 30, 1.0, np.random.default_rng(0), shape).all()


def test_smooth_noise_is_smooth_and_of_unit_size() -> None:
    field = smooth_noise(200, 200, 20.0, np.random.default_rng(0))
    assert 0.4 < field.std() < 1.2
    assert np.abs(np.diff(field, axis=0)).mean() < 0.15 * field.std()


def test_errors_name_what_is_valid() -> None:
    with pytest.raises(UsageError) as caught:
        random_mask(64, 64, 0.1, np.random.default_rng(0), "star")
    for shape in SHAPES:
        assert shape in str(caught.value)
    for share in (0.0, -0.1, 1.5, float("nan")):
        with pytest.raises(UsageError, match="share"):
            random_mask(64, 64, share, np.random.default_rng(0))
