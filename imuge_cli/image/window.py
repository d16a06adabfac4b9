"""Windows of a picture at any place and scale, each axis by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.image.strips import strips

Plane = NDArray[np.float32]
_SHARPNESS = -0.75  # of cubic interpolation, as in OpenCV


def window(
    values: NDArray[Any], start: tuple[float, float], scale: tuple[float, float], size: tuple[int, int]
) -> Plane:
    """size (rows, columns) samples of H x W or H x W x C values, of which sample (i, j) shows the rows from start[0] +
    i * scale[0] to start[0] + (i + 1) * scale[0], and columns likewise; float32.

    Area averages where a sample shows more than a pixel, cubic interpolation (which may overshoot) where it shows less.
    Beyond its edge a picture goes on as it ends.
    """
    narrow = np.empty((values.shape[0], size[1], *values.shape[2:]), np.float32)
    for rows in strips(*values.shape[:2]):  # each row for itself, in double precision
        narrow[rows] = _along(values[rows], start[1], scale[1], size[1], 1)
    return _along(narrow, start[0], scale[0], size[0], 0)


def _along(values: NDArray[Any], start: float, scale: float, count: int, axis: int) -> Plane:
    if scale == 1 and start == int(start) and start >= 0 and start + count <= values.shape[axis]:
        return np.asarray(values.take(range(int(start), int(start) + count), axis), np.float32)
    return _averaged(values, start, scale, count, axis) if scale > 1 else _cubic(values, start, scale, count, axis)


def _averaged(values: NDArray[Any], start: float, scale: float, count: int, axis: int) -> Plane:
    """Differences of the integral, which is linear inside of each pixel."""
    length = values.shape[axis]
    edges = start + scale * np.arange(count + 1)
    at = np.clip(np.floor(edges), 0, length - 1).astype(np.int64)
    first = int(at[0])
    used = values.take(range(first, int(at[-1]) + 1), axis).astype(np.float64)
    before = np.cumsum(used, axis) - used
    share = _shaped(edges - at, values.ndim, axis)
    integral = before.take(at - first, axis) + used.take(at - first, axis) * share
    return np.asarray(np.diff(integral, axis=axis) / scale, np.float32)


def _cubic(values: NDArray[Any], start: float, scale: float, count: int, axis: int) -> Plane:
    centres = start + scale * (np.arange(count) + 0.5) - 0.5
    base = np.floor(centres).astype(np.int64)
    result = np.float32(0)
    for tap in (-1, 0, 1, 2):
        weight = _shaped(cubic_weights(np.abs(centres - base - tap)), values.ndim, axis)
        result = result + values.take(np.clip(base + tap, 0, values.shape[axis] - 1), axis) * weight
    return np.asarray(result, np.float32)


def cubic_weights(distance: NDArray[np.float64], sharpness: float = _SHARPNESS) -> NDArray[np.float64]:
    """Of samples so many pixels away (Keys 1981, "Cubic convolution interpolation for digital image processing"; its a:
    sharpness)."""
    a, x = sharpness, distance
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _shaped(weights: NDArray[np.float64], dimensions: int, axis: int) -> Plane:
    shape = [1] * dimensions
    shape[axis] = -1
    return weights.reshape(shape).astype(np.float32)
