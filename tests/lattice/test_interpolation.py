"""Interpolation undone: a real photograph turned by each kernel, made level, compared with what it was."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from photographs import photograph

from imuge_cli.image.turn import Turn
from imuge_cli.lattice.interpolation import _KERNELS, INTERPOLATIONS, _inverses, undo_interpolation


def grey() -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(photograph("astronaut", 60, 60, 240, 320), cv2.COLOR_RGB2GRAY), np.float32)


def sampled(plane: NDArray[np.float32], rows: NDArray, columns: NDArray, name: str) -> NDArray[np.float32]:
    """The plane at places, numbers of pixels, by the kernel's definition: a sum over 8 x 8 pixels."""
    result = np.zeros(rows.shape)
    total = np.zeros(rows.shape)
    base_row, base_column = np.floor(rows).astype(int), np.floor(columns).astype(int)
    for i in range(-3, 5):
        for j in range(-3, 5):
            weight = _KERNELS[name](np.abs(rows - base_row - i)) * _KERNELS[name](np.abs(columns - base_column - j))
            result += weight * plane[np.clip(base_row + i, 0, 239), np.clip(base_column + j, 0, 319)]
            total += weight
    return (result / total).astype(np.float32)


def turned_and_level(name: str, degrees: float) -> tuple[NDArray[np.float32], tuple[NDArray, NDArray]]:
    """Turned with a kernel, and level again as suspects are made; with the fractions."""
    turn = Turn(degrees, (240, 320), (240, 320))
    rows, columns = np.meshgrid(np.arange(240) + 0.5, np.arange(320) + 0.5, indexing="ij")
    there = turn.level_of(rows, columns)
    turned = sampled(grey(), there[0] - 0.5, there[1] - 0.5, name)
    at = turn.source(rows, columns)
    return turn.undo(turned), ((at[0] - 0.5) % 1, (at[1] - 0.5) % 1)


def error(plane: NDArray[np.float32]) -> float:
    inside = slice(24, -24), slice(24, -24)
    return float(np.sqrt(np.square(plane - grey())[inside].mean()))


@pytest.mark.parametrize(("name", "share"), [("cubic", 0.5), ("bicubic", 0.55), ("lanczos", 0.6), ("linear", 0.7)])
@pytest.mark.parametrize("degrees", [0.2, -3.0])
def test_the_right_kernel_brings_most_of_it_back(name: str, share: float, degrees: float) -> None:
    level, fractions = turned_and_level(name, degrees)
    errors = {each: error(undo_interpolation(level, fractions, each)) for each in INTERPOLATIONS}
    assert errors[name] < share * error(level)
    # Lanczos' and OpenCV's kernels are much alike.
    assert errors[name] < 1.1 * min(errors.values())


def test_pixels_on_pixels_stay() -> None:
    plane = grey()
    whole = np.zeros(plane.shape)
    assert np.abs(undo_interpolation(plane, (whole, whole), "cubic") - plane).max() < 1
    assert np.allclose(undo_interpolation(np.full_like(plane, 77), (whole + 0.4, whole), "linear"), 77, atol=1e-3)
    # Fractions are cyclic.
    assert np.allclose(_inverses("bicubic")[:, 0], _inverses("bicubic")[:, -1], atol=1e-5)


def test_colours_are_treated_alike() -> None:
    level, fractions = turned_and_level("cubic", 0.3)
    colours = undo_interpolation(np.repeat(level[..., None], 3, 2), fractions, "cubic")
    assert np.allclose(colours, undo_interpolation(level, fractions, "cubic")[..., None], atol=1e-3)
