"""What each slot of each block carries."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from imuge_cli.keys import Secret
from imuge_cli.lattice.header import CODE_BITS
from imuge_cli.lattice.layout import DATA_SLOTS, ROBUST_SLOTS, SLOT_COUNT, fine_dither, make_layout

SECRET = Secret(b"s" * 32)


def test_the_order_is_a_permutation_of_the_slots_in_every_block() -> None:
    order = make_layout(SECRET, 50, 41, top=-7, left=3).order
    assert order.shape == (SLOT_COUNT, 50, 41)
    np.testing.assert_array_equal(np.sort(order, 0), np.broadcast_to(np.arange(14)[:, None, None], order.shape))


def test_pilot_and_header_chip_sit_in_robust_slots_and_data_slots_rise() -> None:
    order = make_layout(SECRET, 64, 64).order
    assert order[:2].max() < ROBUST_SLOTS
    assert (order[0] != order[1]).all()
    assert order[2:].shape[0] == DATA_SLOTS == 12
    assert (np.diff(order[2:], axis=0) > 0).all()


def test_every_robust_slot_is_used_about_equally() -> None:
    order = make_layout(SECRET, 128, 128).order
    for use in (0, 1):
        share = np.bincount(order[use].ravel(), minlength=ROBUST_SLOTS) / order[use].size
        # 1/8 with a standard deviation of .0026; bytes modulo 7 are uneven by less than .003.
        assert np.abs(share - 1 / 8).max() < 0.012


def test_dither_chips_and_flips_are_spread_evenly() -> None:
    layout = make_layout(SECRET, 128, 128)
    assert layout.dither.dtype == np.float32
    assert layout.dither.shape == (SLOT_COUNT, 128, 128)
    assert layout.dither.min() >= 0
    assert layout.dither.max() < 1
    shares = np.histogram(layout.dither, 16, (0, 1))[0] / layout.dither.size
    assert np.abs(shares - 1 / 16).max() < 0.003
    assert abs(layout.flips.mean() - 0.5) < 0.02
    # Every code bit is repeated: 16,384 blocks over 264 bits, 62 times each on average.
    assert np.bincount((layout.chips % CODE_BITS).ravel(), minlength=CODE_BITS).min() > 25


@settings(max_examples=20)
@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(0, 20), st.integers(0, 20))
def test_a_part_has_the_layout_of_the_whole(top: int, left: int, down: int, right: int) -> None:
    whole = make_layout(SECRET, 32, 32, top=top, left=left)
    part = make_layout(SECRET, 10, 9, top=top + down, left=left + right)
    window = (..., slice(down, down + 10), slice(right, right + 9))
    for name in ("order", "dither", "chips", "flips"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[window], err_msg=name)


def test_another_secret_has_another_layout() -> None:
    one, other = make_layout(SECRET, 64, 64), make_layout(Secret(b"t" * 32), 64, 64)
    assert abs((one.order[0] == other.order[0]).mean() - 1 / 8) < 0.03
    assert abs(np.corrcoef(one.dither.ravel(), other.dither.ravel())[0, 1]) < 0.02
    assert (one.chips == other.chips).mean() < 0.01


def test_fine_slots_have_a_dither_of_their_own() -> None:
    fine = fine_dither(SECRET, 64, 64)
    assert fine.shape == (24, 64, 64) and fine.dtype == np.float32
    assert fine.min() >= 0 and fine.max() < 1
    assert abs(float(fine.mean()) - 0.5) < 0.01
    coarse = make_layout(SECRET, 64, 64).dither
    assert abs(np.corrcoef(fine[:14].ravel(), coarse.ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(fine_dither(SECRET, 40, 40), fine[:, :40, :40])
