"""What the interpolation of a turned picture left of it, made good as far as that goes.

Whoever turns a picture by a few degrees samples it between its pixels, and whoever makes it level again does so once
more. Either way a sample lies a fraction of a pixel beside a pixel, and which one is known once the turn is. What both
interpolations make of a row, or a column, is then a short filter that varies slowly from place to place; its inverse of
least mean square error (Wiener's, for neighbours that correlate as photographs' do) is another short one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.image.window import cubic_weights

Plane = NDArray[np.float32]
_Weights = Callable[[NDArray[np.float64]], NDArray[np.float64]]


# By distance from the sample, pixels.
_KERNELS: dict[str, _Weights] = {
    "cubic": cubic_weights,  # OpenCV
    "bicubic": lambda x: cubic_weights(x, -0.5),  # Pillow, and most editors
    "linear": lambda x: np.maximum(0.0, 1 - x),
    "lanczos": lambda x: np.where(x < 3, np.sinc(x) * np.sinc(x / 3), 0.0),
}
INTERPOLATIONS = tuple(_KERNELS)
"""What programs turn pictures with."""
# With which `image.turn` makes pictures level.
_LEVELLING = "cubic"
# Neighbouring pixels of a photograph correlate so far; noise: of rounding, against the picture's variance.
_CORRELATION, _NOISE = 0.97, 1e-4
_REACH, _FRACTIONS = 4, 32


def undo_interpolation(levels: Plane, fractions: tuple[NDArray[Any], NDArray[Any]], name: str) -> Plane:
    """A level picture, H x W or H x W x C grey levels, as it was before it was turned.

    fractions: by how much of a pixel, in rows and in columns, each of its pixels lies beyond a pixel of the turned
    picture, [0, 1), H x W. name: of `INTERPOLATIONS`, that the turned picture was made with.
    """
    table = _inverses(name)
    for axis, fraction in enumerate(fractions):
        index = np.rint(fraction * _FRACTIONS).astype(np.intp)
        edges = [(0, 0)] * levels.ndim
        edges[axis] = (_REACH, _REACH)
        around, side = np.pad(levels, edges, mode="edge"), levels.shape[axis]
        result = np.zeros_like(levels)
        for tap in range(2 * _REACH + 1):
            weight = table[tap][index]
            moved = around[(slice(None),) * axis + (slice(tap, tap + side),)]
            result += (weight[..., None] if levels.ndim > 2 else weight) * moved
        levels = result
    return levels


@lru_cache(maxsize=len(_KERNELS))
def _inverses(name: str) -> NDArray[np.float32]:
    """Taps of the inverse filters, by tap and fraction."""
    return np.stack([_inverse(name, place / _FRACTIONS) for place in range(_FRACTIONS + 1)], 1).astype(np.float32)


def _inverse(name: str, fraction: float) -> NDArray[np.float64]:
    both = np.convolve(_taps(name, fraction), _taps(_LEVELLING, -fraction))
    used, reach = 2 * _REACH + 1, len(both) // 2
    forward = np.zeros((used, used + 2 * reach))
    for row in range(used):
        forward[row, row : row + len(both)] = both[::-1]
    places = np.arange(used + 2 * reach)
    covariance = _CORRELATION ** np.abs(places[:, None] - places)
    received = forward @ covariance @ forward.T + _NOISE * np.eye(used)
    solution: NDArray[np.float64] = np.linalg.solve(received, forward @ covariance[:, len(places) // 2])
    return np.asarray(solution / solution.sum())


def _taps(name: str, at: float) -> NDArray[np.float64]:
    """Weights of the samples around, of a sample that far beyond the middle one."""
    weights = _KERNELS[name](np.abs(np.arange(-4, 5) - at))
    return np.asarray(weights / weights.sum())
