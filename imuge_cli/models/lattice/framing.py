"""From a suspect's pixels to the working pixels of its frame, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.image.strips import strips
from imuge_cli.image.window import window
from imuge_cli.image.working_size import resize_plane, to_working
from imuge_cli.models.protocol import Frame

Plane = NDArray[np.float32]
# Working pixels by which a picture's edge may be off.
_EDGE = 0.3
# Of a working pixel, that a suspect shows.
_ALL = 0.999


def box_of(frame: Frame) -> tuple[slice, slice]:
    """The rows and columns of the working picture that a suspect shows."""
    return slice(frame.top, frame.top + frame.height), slice(frame.left, frame.left + frame.width)


def in_frame(values: NDArray[Any], frame: Frame) -> Plane:
    """A suspect's pixels, H x W x 3 (uint8 or uint16), in the frame's box: height x width x 3 grey levels."""
    size, place = (frame.height, frame.width), frame.placement
    if place is None:
        return to_working(values, size)
    upright = place.upright(values)
    levels = np.empty((*size, values.shape[2]), np.float32)
    for channel in range(values.shape[2]):  # one at a time: a float copy of all three is large
        levels[..., channel] = _shown(upright[..., channel], frame)
    return levels if values.dtype != np.uint16 else levels / np.float32(257)


def plane_in_frame(plane: NDArray[Any], frame: Frame) -> Plane:
    """Like in_frame for one plane of any values: H x W to height x width."""
    if frame.placement is None:
        return resize_plane(plane.astype(np.float32), (frame.height, frame.width))
    return _shown(frame.placement.upright(plane.astype(np.float32)), frame)


def _shown(upright: NDArray[Any], frame: Frame) -> Plane:
    place = frame.placement
    assert place is not None
    return place.shown(upright, *box_of(frame))


def visible(frame: Frame) -> NDArray[np.bool_]:
    """Which pixels of the frame's box the suspect shows: all, unless it was turned."""
    turn = None if frame.placement is None else frame.placement.turn
    if turn is None:
        return np.ones((frame.height, frame.width), np.bool_)
    # Nothing but whole ones: what is beyond the edges was made up.
    return _shown(turn.shown(), frame) > _ALL


def fractions(frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """By how much of a pixel, in rows and in columns, each working pixel of the box lies beyond a pixel of a turned
    suspect: height x width, [0, 1)."""
    place = frame.placement
    assert place is not None and place.turn is not None
    rows = (frame.top - place.top + np.arange(frame.height) + 0.5) * place.rows_scale
    columns = (frame.left - place.left + np.arange(frame.width) + 0.5) * place.columns_scale
    at = place.turn.source(*np.meshgrid(rows, columns, indexing="ij"))
    return (at[0] - 0.5) % 1, (at[1] - 0.5) % 1


def foreign(frame: Frame, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Which of a suspect's pixels show nothing of the picture (a frame around it, say): of the suspect's shape.

    None where all of it is the picture's.
    """
    place = frame.placement
    if place is None:
        return None
    size = shape if place.turn is not None else place.upright_shape(shape)
    rows, columns = np.arange(size[0])[:, None] + 0.5, np.arange(size[1])[None] + 0.5
    beyond = np.empty(size, np.bool_)
    for strip in strips(*size):
        down, right = rows[strip], columns
        if place.turn is not None:
            down, right = place.turn.level_of(down, right)
        beyond[strip] = _beyond(place.top + down / place.rows_scale, frame.canvas[0]) | _beyond(
            place.left + right / place.columns_scale, frame.canvas[1]
        )
    if not beyond.any():
        return None
    return beyond if place.turn is not None else place.orientation.apply(beyond)


def _beyond(at: NDArray[np.floating[Any]], limit: int) -> NDArray[np.bool_]:
    """By their centres: a picture's edge is known to less than half a pixel."""
    return np.asarray((at < -_EDGE) | (at > limit + _EDGE))


def plane_in_suspect(plane: Plane, frame: Frame, shape: tuple[int, int]) -> Plane:
    """The frame's box, height x width, as the suspect of this shape shows it."""
    place = frame.placement
    if place is None:
        return resize_plane(plane, shape)
    start = place.top - frame.top, place.left - frame.left
    size = place.upright_shape(shape)
    return place.as_suspect(window(plane, start, (1 / place.rows_scale, 1 / place.columns_scale), size))
