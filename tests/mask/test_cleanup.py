from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import ndimage

from imuge_cli.mask.cleanup import clean, enlarged

Bool = NDArray[np.bool_]


def box(top: int, left: int, bottom: int, right: int, size: int = 40) -> Bool:
    mask = np.zeros((size, size), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 8])
def test_a_box_neither_moves_nor_shrinks(k: int) -> None:
    mask = box(7, 9, 25, 30)
    for order in ("open", "close", "open-close", "close-open"):
        assert np.array_equal(clean(mask, k, order=order), mask)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [1, 2, 3])
def test_specks_and_lines_narrower_than_k_go(width: int) -> None:
    assert not clean(box(10, 10, 10 + width, 35)).any()
    assert not clean(box(10, 10, 35, 10 + width)).any()
    assert np.array_equal(clean(box(10, 10, 14, 14)), box(10, 10, 14, 14))


@pytest.mark.parametrize("edges", [(0, 0, 12, 12), (0, 5, 12, 40), (28, 28, 40, 40), (5, 0, 20, 10), (0, 0, 40, 40)])
def test_regions_at_the_border_are_not_eroded_from_outside(edges: tuple[int, int, int, int]) -> None:
    for order in ("open", "close", "open-close", "close-open"):
        assert np.array_equal(clean(box(*edges), order=order), box(*edges))  # type: ignore[arg-type]


def test_closing_fills_pinholes_and_cracks_and_opening_does_not() -> None:
    cracked = box(5, 5, 35, 35)
    cracked[20, :] = False
    cracked[10:12, 10:12] = False
    assert np.array_equal(clean(cracked, order="close"), box(5, 5, 35, 35))
    assert not clean(cracked)[11, 11]


@pytest.mark.parametrize("enlarge", [0, 1, 3])
def test_enlarging_adds_that_many_pixels_on_every_side(enlarge: int) -> None:
    grown = box(10 - enlarge, 12 - enlarge, 25 + enlarge, 28 + enlarge)
    assert np.array_equal(enlarged(box(10, 12, 25, 28), enlarge), grown)


masks = hnp.arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 30)))


@settings(max_examples=100)
@given(masks, st.integers(1, 6))
def test_opening_only_removes_closing_only_adds_and_twice_is_once(mask: Bool, k: int) -> None:
    opened, closed = clean(mask, k), clean(mask, k, order="close")
    assert not (opened & ~mask).any()
    assert not (mask & ~closed).any()
    assert np.array_equal(clean(opened, k), opened)
    assert np.array_equal(clean(closed, k, order="close"), closed)


@settings(max_examples=60)
@given(masks, st.integers(1, 6))
def test_opening_equals_scipys_away_from_the_border(mask: Bool, k: int) -> None:
    framed = np.pad(mask, 2 * k)
    expected = ndimage.binary_opening(framed, np.ones((k, k)))
    assert np.array_equal(clean(framed, k), expected)


def test_the_input_is_not_changed_and_empty_and_full_stay() -> None:
    mask = box(10, 10, 12, 30)
    before = mask.copy()
    enlarged(clean(mask), 2)
    assert np.array_equal(mask, before)
    assert not enlarged(clean(np.zeros((20, 20), dtype=bool)), 2).any()
    assert clean(np.ones((20, 20), dtype=bool)).all()


def test_wrong_arguments_are_refused() -> None:
    mask = box(1, 1, 9, 9)
    with pytest.raises(ValueError, match="bool"):
        clean(mask.astype(np.uint8))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="k >= 1"):
        clean(mask, 0)
    with pytest.raises(ValueError, match="0 pixels or more"):
        enlarged(mask, -1)
    with pytest.raises(ValueError, match="open-close"):
        clean(mask, order="sideways")  # type: ignore[arg-type]
