"""Pictures turned by a few degrees, and made level again."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imuge_cli.image.turn import Turn


def waves(rows: int, columns: int) -> NDArray[np.float32]:
    down, right = np.mgrid[:rows, :columns]
    return (128 + 60 * np.sin(right / 17 + down / 31) + 40 * np.cos(down / 23)).astype(np.float32)


@pytest.mark.parametrize("degrees", [-4.0, 0.0, 0.7, 5.0])
def test_places_go_there_and_back(degrees: float) -> None:
    turn = Turn.level(degrees, (90, 140), spare=0.3)
    rows, columns = np.meshgrid(np.linspace(0, 90, 7), np.linspace(0, 140, 5), indexing="ij")
    level = turn.level_of(rows, columns)
    assert np.allclose(turn.source(*level), (rows, columns), atol=1e-9)
    # All of the turned picture lies on the canvas, and the middle is the middle.
    assert all((at >= -1e-9).all() and (at <= side + 1e-9).all() for at, side in zip(level, turn.canvas, strict=True))
    assert turn.level_of(45.0, 70.0) == pytest.approx((turn.canvas[0] / 2, turn.canvas[1] / 2))


def test_to_the_left_is_to_the_left() -> None:
    # What lay to the right of the middle has gone up.
    row, column = Turn.level(3.0, (100, 100)).source(50 + 50 * math.sin(math.radians(3)), 90.0)
    assert row < 50 and 85 < column < 93


def test_the_matrix_says_what_source_says() -> None:
    turn = Turn.level(-2.5, (80, 120))
    found = turn.matrix((2.0, 1.5)) @ np.array([11, 7, 1])
    row, column = turn.source(2.0 * 7.5, 1.5 * 11.5)
    assert found == pytest.approx((column - 0.5, row - 0.5))


@pytest.mark.parametrize("channels", [(), (3,)], ids=["plane", "colours"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_a_turned_picture_is_made_level_and_back(kind: type[np.generic], channels: tuple[int, ...]) -> None:
    turn = Turn.level(3.2, (160, 220))
    plane = waves(*turn.canvas)
    level = np.repeat(plane[..., None], 3, 2) if channels else plane
    level = level.astype(kind)
    turned = turn.apply(level)
    assert turned.shape == (160, 220, *channels) and turned.dtype == kind
    back = turn.undo(turned)
    assert back.shape == level.shape and back.dtype == kind
    off = np.abs(back.astype(float) - level.astype(float))[turn.shown()]
    assert off.max() < 2


def test_apply_turns_as_opencv_does_about_the_middle() -> None:
    level = waves(161, 221)
    turn = Turn(4.0, (161, 221), (161, 221))
    matrix = cv2.getRotationMatrix2D((110.0, 80.0), 4.0, 1.0)
    expected = cv2.warpAffine(level, matrix, (221, 161), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(turn.apply(level) - expected)[20:-20, 20:-20].max() < 0.5


def test_shown_is_what_lies_inside_the_turned_picture() -> None:
    turn = Turn.level(5.0, (100, 200))
    inside = turn.shown()
    assert inside.shape == turn.canvas and inside[50, 100]
    assert not inside[[0, 0, -1, -1], [0, -1, 0, -1]].any()
    assert inside.mean() == pytest.approx(100 * 200 / math.prod(turn.canvas), abs=0.02)


@pytest.mark.parametrize("shape", [(300, 400), (400, 300), (300, 300)])
@pytest.mark.parametrize("degrees", [-3.0, 4.5])
def test_sizes_of_what_programs_keep(shape: tuple[int, int], degrees: float) -> None:
    angle = math.radians(abs(degrees))
    # A rectangle of the same shape, turned within the picture: its corners touch the sides that they reach first.
    kept = Turn.level(degrees, shape).inscribed()
    half = np.array(shape) / 2 * kept
    reach = math.cos(angle) * half + math.sin(angle) * half[::-1]
    assert (reach <= np.array(shape) / 2 + 1e-9).all() and np.isclose(reach, np.array(shape) / 2).any()
    around = math.cos(angle) * np.array(shape) + math.sin(angle) * np.array(shape)[::-1]
    if shape[0] != shape[1]:
        expanded = Turn.level(degrees, (round(around[0]), round(around[1]))).expanded()
        assert expanded == pytest.approx(around.max() / max(shape), rel=2e-3)
