"""Windows at any place and scale, against OpenCV where it can do the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from imuge_cli.image.window import window

RNG = np.random.default_rng(4)
PLANE = cv2.GaussianBlur(RNG.uniform(0, 255, (48, 60)).astype(np.float32), (0, 0), 1.0)


def test_whole_pixels_are_copied() -> None:
    colours = RNG.integers(0, 256, (20, 30, 3), np.uint8)
    assert (window(colours, (3, 5), (1, 1), (10, 12)) == colours[3:13, 5:17]).all()


def test_shrinking_averages_areas() -> None:
    expected = cv2.resize(PLANE, (40, 36), interpolation=cv2.INTER_AREA)
    assert np.abs(window(PLANE, (0, 0), (48 / 36, 60 / 40), (36, 40)) - expected).max() < 0.01


def test_enlarging_is_cubic() -> None:
    expected = cv2.resize(PLANE, (96, 80), interpolation=cv2.INTER_CUBIC)
    found = window(PLANE, (0, 0), (48 / 80, 60 / 96), (80, 96))
    assert np.abs(found - expected).max() < 0.1


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7])
def test_a_window_is_part_of_the_whole(scale: float) -> None:
    whole = window(PLANE, (0, 0), (scale, scale), (24, 30))
    part = window(PLANE, (5 * scale, 7 * scale), (scale, scale), (10, 11))
    assert np.abs(part - whole[5:15, 7:18]).max() < 1e-3


def test_brightness_stays_and_edges_go_on() -> None:
    flat = np.full((16, 16), 77.0, np.float32)
    for scale in (0.5, 1.0, 1.3):
        assert window(flat, (-2.3, -1.1), (scale, scale), (20, 20)) == pytest.approx(77.0, abs=1e-3)
