"""Where a suspect lies in the immunized working picture: turned or mirrored, scaled, at any offset."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.image.window import window


@dataclass(frozen=True)
class Orientation:
    """What was done to a picture: rows and columns exchanged, then the order of rows and of columns reversed."""

    transposed: bool = False
    rows_reversed: bool = False
    columns_reversed: bool = False

    @property
    def name(self) -> str:
        """What became of the picture, seen by a person."""
        return _NAMES[(self.transposed, self.rows_reversed, self.columns_reversed)]

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Do it to H x W or H x W x C values."""
        done = values.swapaxes(0, 1) if self.transposed else values
        done = done[::-1] if self.rows_reversed else done
        return np.ascontiguousarray(done[:, ::-1] if self.columns_reversed else done)

    def undo(self, values: NDArray[Any]) -> NDArray[Any]:
        """Inverse of apply."""
        done = values[:, ::-1] if self.columns_reversed else values
        done = done[::-1] if self.rows_reversed else done
        return np.ascontiguousarray(done.swapaxes(0, 1) if self.transposed else done)


_NAMES = {
    (False, False, False): "upright",
    (False, False, True): "mirrored",
    (False, True, False): "mirrored and turned by 180 degrees",
    (False, True, True): "turned by 180 degrees",
    (True, False, False): "mirrored and turned by 90 degrees to the left",
    (True, False, True): "turned by 90 degrees to the right",
    (True, True, False): "turned by 90 degrees to the left",
    (True, True, True): "mirrored and turned by 90 degrees to the right",
}
UPRIGHT = Orientation()
ORIENTATIONS = tuple(Orientation(*flags) for flags in sorted(_NAMES, key=lambda flags: (sum(flags), flags)))
"""All eight, upright first."""


@dataclass(frozen=True)
class Placement:
    """A suspect's place once it is upright again: it shows working rows from `top` on, working columns from `left` on,
    of which each takes rows_scale of its rows and columns_scale of its columns."""

    top: float
    left: float
    rows_scale: float
    columns_scale: float
    orientation: Orientation = UPRIGHT

    @property
    def scale(self) -> float:
        """The suspect's pixels per working pixel, of both axes together."""
        return math.sqrt(self.rows_scale * self.columns_scale)

    def box(self, height: int, width: int) -> tuple[slice, slice]:
        """Working rows and columns that an upright suspect of this size shows in whole."""
        rows = _whole(self.top, self.top + height / self.rows_scale)
        return rows, _whole(self.left, self.left + width / self.columns_scale)

    def whole_pixels(self, height: int, width: int) -> tuple[int, int] | None:
        """top and left, where an upright suspect of this size lies pixel on pixel; None where it does not."""
        if self.orientation != UPRIGHT:
            return None
        place = round(self.top), round(self.left)
        off = [
            abs(first - whole) + side * abs(scale - 1)
            for first, whole, side, scale in (
                (self.top, place[0], height, self.rows_scale),
                (self.left, place[1], width, self.columns_scale),
            )
        ]
        return place if max(off) < 2 * _TOLERANCE and min(place) >= 0 else None

    def start(self, rows: slice, columns: slice) -> tuple[float, float]:
        """Where in the upright suspect the given working rows and columns begin, its pixels."""
        return (rows.start - self.top) * self.rows_scale, (columns.start - self.left) * self.columns_scale

    def shown(self, upright: NDArray[Any], rows: slice, columns: slice) -> NDArray[np.float32]:
        """Working rows and columns as the upright suspect, H x W values, shows them."""
        size = (rows.stop - rows.start, columns.stop - columns.start)
        return window(upright, self.start(rows, columns), (self.rows_scale, self.columns_scale), size)


# Places are known to some tenths of a pixel.
_TOLERANCE = 0.25


def _whole(first: float, end: float) -> slice:
    return slice(max(0, int(np.ceil(first - _TOLERANCE))), int(np.floor(end + _TOLERANCE)))
