"""Keyed noise by position, permutations and signs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imuge_cli.keys import keyed_permutation, keyed_signs, plane_bytes

KEY = b"k" * 32
SIZE = st.integers(1, 70)
SHIFT = st.integers(0, 50)


@settings(max_examples=40)
@given(SIZE, SIZE, st.integers(-90, 90), st.integers(-90, 90), SHIFT, SHIFT, st.sampled_from([1, 8, 28]))
def test_a_window_holds_what_a_larger_plane_holds_there(
    rows: int, columns: int, top: int, left: int, down: int, right: int, depth: int
) -> None:
    large = plane_bytes(KEY, rows + down + 5, columns + right + 5, depth, top=top, left=left)
    small = plane_bytes(KEY, rows, columns, depth, top=top + down, left=left + right)
    assert small.shape == (rows, columns, depth)
    assert small.dtype == np.uint8
    np.testing.assert_array_equal(small, large[down : down + rows, right : right + columns])


def test_planes_differ_by_key_depth_and_place() -> None:
    plane = plane_bytes(KEY, 32, 32, 8)
    others = [
        plane_bytes(b"l" * 32, 32, 32, 8),
        plane_bytes(KEY, 32, 32, 8, top=-32),
        plane_bytes(KEY, 32, 32, 8, left=-32),
        plane_bytes(KEY, 32, 32, 8, top=32, left=32),
        plane_bytes(KEY, 32, 32, 16)[..., :8],
    ]
    for other in others:
        # 1 in 256 bytes agrees by chance.
        assert (plane == other).mean() < 0.01


def test_bytes_are_uniform() -> None:
    counts = np.bincount(plane_bytes(KEY, 96, 96, 28, top=-40, left=-40).ravel(), minlength=256)
    expected = counts.sum() / 256
    # Chi squared with 255 degrees of freedom: 255 +- 22.6.
    assert 150 < ((counts - expected) ** 2 / expected).sum() < 360


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=40), st.integers(0, 3000))
def test_a_permutation_is_one_and_stays_the_same(key: bytes, length: int) -> None:
    order = keyed_permutation(key, length)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(length))
    np.testing.assert_array_equal(order, keyed_permutation(key, length))


def test_permutations_of_different_keys_are_unrelated() -> None:
    one, other = keyed_permutation(KEY, 5000), keyed_permutation(b"l" * 32, 5000)
    assert (one == other).sum() < 12
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.08
    assert abs(np.corrcoef(one, np.arange(5000))[0, 1]) < 0.08


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 5001])
def test_signs(length: int) -> None:
    signs = keyed_signs(KEY, length)
    assert signs.shape == (length,)
    assert signs.dtype == np.float32
    assert set(signs.tolist()) <= {-1.0, 1.0}
    np.testing.assert_array_equal(signs, keyed_signs(KEY, 6000)[:length])


def test_signs_are_balanced_and_keyed() -> None:
    signs = keyed_signs(KEY, 10000)
    assert abs(signs.mean()) < 0.05
    assert abs((signs * keyed_signs(b"l" * 32, 10000)).mean()) < 0.05
