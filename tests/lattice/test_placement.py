"""Orientations and boxes."""

from __future__ import annotations

import numpy as np
import pytest

from imuge_cli.lattice.placement import ORIENTATIONS, UPRIGHT, Orientation, Placement

PICTURE = np.arange(2 * 3 * 3).reshape(2, 3, 3)


def test_upright_comes_first_and_all_eight_differ() -> None:
    assert ORIENTATIONS[0] == UPRIGHT and (UPRIGHT.apply(PICTURE) == PICTURE).all()
    assert len({o.apply(PICTURE).tobytes() for o in ORIENTATIONS}) == len({o.name for o in ORIENTATIONS}) == 8


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=lambda o: o.name)
def test_undo_takes_back(orientation: Orientation) -> None:
    assert (orientation.undo(orientation.apply(PICTURE)) == PICTURE).all()


def test_names_say_what_a_person_sees() -> None:
    by_name = {o.name: o.apply(PICTURE) for o in ORIENTATIONS}
    assert (by_name["mirrored"] == PICTURE[:, ::-1]).all()
    assert (by_name["turned by 90 degrees to the right"] == np.rot90(PICTURE, -1)).all()
    assert (by_name["turned by 90 degrees to the left"] == np.rot90(PICTURE)).all()
    assert (by_name["turned by 180 degrees"] == np.rot90(PICTURE, 2)).all()
    left = by_name["mirrored and turned by 90 degrees to the left"]
    assert (left == np.rot90(PICTURE[:, ::-1])).all()
    right = by_name["mirrored and turned by 90 degrees to the right"]
    assert (right == np.rot90(PICTURE[:, ::-1], -1)).all()


def test_box_and_start() -> None:
    place = Placement(10.5, -0.1, 0.5, 2.0)
    rows, columns = place.box(40, 64)
    assert (rows, columns) == (slice(11, 90), slice(0, 32))
    assert place.start(rows, columns) == pytest.approx((0.25, 0.2))
    assert place.scale == 1.0
