"""Where a suspect lies in the immunized working picture: turned or mirrored, scaled, at any offset."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.image.turn import Turn
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
    of which each takes rows_scale of its rows and columns_scale of its columns.

    turn: by a few degrees, beside the orientation, which then is upright; the place is that of the level picture.
    """

    top: float
    left: float
    rows_scale: float
    columns_scale: float
    orientation: Orientation = UPRIGHT
    turn: Turn | None = None

    @property
    def scale(self) -> float:
        """The suspect's pixels per working pixel, of both axes together."""
        return math.sqrt(self.rows_scale * self.columns_scale)

    def upright(self, values: NDArray[Any]) -> NDArray[Any]:
        """A suspect's values, H x W or H x W x C, upright and level."""
        return self.orientation.undo(values) if self.turn is None else self.turn.undo(values)

    def as_suspect(self, upright: NDArray[Any]) -> NDArray[Any]:
        """Inverse of upright, for values of the upright suspect's size."""
        return self.orientation.apply(upright) if self.turn is None else self.turn.apply(upright)

    def upright_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the upright, level suspect, from those of the suspect."""
        if self.turn is not None:
            return self.turn.canvas
        return shape[::-1] if self.orientation.transposed else shape

    def box(self, height: int, width: int) -> tuple[slice, slice]:
        """Working rows and columns that an upright suspect of this size shows in whole."""
        rows = _whole(self.top, self.top + height / self.rows_scale)
        return rows, _whole(self.left, self.left + width / self.columns_scale)

    def turnable(self, shape: tuple[int, int], spare: float) -> Placement:
        """The same place of an upright suspect, rows and columns, as one that was turned by 0 degrees, with room for
        some more either way."""
        turn = Turn.level(0.0, shape, spare=spare)
        more = turn.canvas[0] - shape[0], turn.canvas[1] - shape[1]
        return replace(
            self,
            top=self.top - more[0] / 2 / self.rows_scale,
            left=self.left - more[1] / 2 / self.columns_scale,
            turn=turn,
        )

    def aligned(self) -> Placement:
        """The same place of a turned suspect; the level picture's pixels lie on working pixels in its middle, so that
        where scales are 1 it is interpolated once and not twice."""
        if self.turn is None:
            return self
        moved = []
        for begin, scale, side in zip((self.top, self.left), self._scales, self.turn.canvas, strict=True):
            middle = begin + side / 2 / scale
            moved.append((round(middle - side / 2) + side / 2 - middle) * scale)
        shift = self.turn.shift[0] + moved[0], self.turn.shift[1] + moved[1]
        top, left = self.top + moved[0] / self.rows_scale, self.left + moved[1] / self.columns_scale
        return replace(self, top=top, left=left, turn=replace(self.turn, shift=shift))

    @property
    def _scales(self) -> tuple[float, float]:
        return self.rows_scale, self.columns_scale

    def at_ratio(self, ratio: tuple[float, float], shape: tuple[int, int]) -> Placement:
        """The same for the suspect at another size: ratio of its rows and columns to those it had; shape: as it is."""
        if self.orientation.transposed:
            ratio = ratio[::-1]
        scale = self.rows_scale * ratio[0], self.columns_scale * ratio[1]
        turn, (top, left) = self.turn, (self.top, self.left)
        if turn is not None:
            exact = turn.canvas[0] * ratio[0], turn.canvas[1] * ratio[1]
            canvas = math.ceil(exact[0]), math.ceil(exact[1])
            # Both have the same middle.
            top -= (canvas[0] - exact[0]) / 2 / scale[0]
            left -= (canvas[1] - exact[1]) / 2 / scale[1]
            turn = Turn(turn.degrees, shape, canvas, (turn.shift[0] * ratio[0], turn.shift[1] * ratio[1]))
        return Placement(top, left, *scale, self.orientation, turn)

    def whole_pixels(self, height: int, width: int) -> tuple[int, int] | None:
        """top and left, where an upright suspect of this size lies pixel on pixel; None where it does not."""
        if self.orientation != UPRIGHT or self.turn is not None:
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
