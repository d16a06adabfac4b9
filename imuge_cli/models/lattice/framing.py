"""From a suspect's pixels to the working pixels of its frame, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.image.window import window
from imuge_cli.image.working_size import resize_plane, to_working
from imuge_cli.models.protocol import Frame

Plane = NDArray[np.float32]
# Working pixels by which a picture's edge may be off.
_EDGE = 0.3


def in_frame(values: NDArray[Any], frame: Frame) -> Plane:
    """A suspect's pixels, H x W x 3 (uint8 or uint16), in the frame's box: height x width x 3 grey levels."""
    size, place = (frame.height, frame.width), frame.placement
    if place is None:
        return to_working(values, size)
    upright = place.orientation.undo(values)
    levels = np.empty((*size, values.shape[2]), np.float32)
    for channel in range(values.shape[2]):  # one at a time: a float copy of all three is large
        levels[..., channel] = _shown(upright[..., channel], frame)
    return levels if values.dtype != np.uint16 else levels / np.float32(257)


def plane_in_frame(plane: NDArray[Any], frame: Frame) -> Plane:
    """Like in_frame for one plane of any values: H x W to height x width."""
    if frame.placement is None:
        return resize_plane(plane.astype(np.float32), (frame.height, frame.width))
    return _shown(frame.placement.orientation.undo(plane), frame)


def _shown(upright: NDArray[Any], frame: Frame) -> Plane:
    place = frame.placement
    assert place is not None
    box = slice(frame.top, frame.top + frame.height), slice(frame.left, frame.left + frame.width)
    return place.shown(upright, *box)


def foreign(frame: Frame, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Which of a suspect's pixels show nothing of the picture (a frame around it, say): of the suspect's shape.

    None where the box is the suspect, so that all of it is the picture's.
    """
    place = frame.placement
    if place is None:
        return None
    upright = shape[::-1] if place.orientation.transposed else shape
    rows, columns = (
        _beyond(start, scale, side, limit)
        for start, scale, side, limit in (
            (place.top, place.rows_scale, upright[0], frame.canvas[0]),
            (place.left, place.columns_scale, upright[1], frame.canvas[1]),
        )
    )
    return place.orientation.apply(rows[:, None] | columns[None])


def _beyond(start: float, scale: float, side: int, limit: int) -> NDArray[np.bool_]:
    """By their centres: a picture's edge is known to less than half a pixel."""
    at = start + (np.arange(side) + 0.5) / scale
    return np.asarray((at < -_EDGE) | (at > limit + _EDGE))


def plane_in_suspect(plane: Plane, frame: Frame, shape: tuple[int, int]) -> Plane:
    """The frame's box, height x width, as the suspect of this shape shows it."""
    place = frame.placement
    if place is None:
        return resize_plane(plane, shape)
    upright = shape[::-1] if place.orientation.transposed else shape
    start = place.top - frame.top, place.left - frame.left
    shown = window(plane, start, (1 / place.rows_scale, 1 / place.columns_scale), (upright[0], upright[1]))
    return place.orientation.apply(shown)
