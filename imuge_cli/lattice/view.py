"""A suspect looked at through a placement: samples on the working grid, at any place and scale."""

from __future__ import annotations

import math
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from imuge_cli.image.turn import Turn
from imuge_cli.lattice.placement import UPRIGHT, Orientation, Placement

Plane = NDArray[np.float32]


class Suspect:
    """A suspect's luma as it lies, H x W grey levels, at the scales that it is looked at.

    turn: makes it level; it then has the rows and columns of the turn's canvas.
    """

    def __init__(self, plane: Plane, turn: Turn | None = None) -> None:
        self.plane = plane
        self._turn = turn
        self._smoothed: dict[int, Plane] = {}
        self._undone: dict[Orientation, Suspect] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (int(self.plane.shape[0]), int(self.plane.shape[1])) if self._turn is None else self._turn.canvas

    def samples(self, scale: tuple[float, float], start: tuple[float, float], size: tuple[int, int]) -> Plane:
        """size samples, `scale` of the suspect's pixels from one to the next, the first one's edge at `start`."""
        rows, columns = (
            (scale[axis] * (np.arange(size[axis]) + 0.5) + start[axis] - 0.5).astype(np.float32) for axis in (0, 1)
        )
        across, down = np.meshgrid(columns, rows)
        if self._turn is not None:
            down, across = (at - np.float32(0.5) for at in self._turn.source(down + 0.5, across + 0.5))
        plane = self._at(math.sqrt(scale[0] * scale[1]))
        return np.asarray(cv2.remap(plane, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), np.float32)

    def reduced(self, scale: tuple[float, float], size: tuple[int, int]) -> Plane:
        """size samples from the first row and column on, `scale` of the suspect's pixels apart; quicker, less exact."""
        rows, columns = scale
        matrix = np.array([[columns, 0, columns / 2 - 0.5], [0, rows, rows / 2 - 0.5]], np.float64)
        if self._turn is not None:
            matrix = self._turn.matrix(scale)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        plane = self._at(math.sqrt(rows * columns))
        done = cv2.warpAffine(plane, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(done, np.float32)

    def undone(self, orientation: Orientation) -> Suspect:
        """As it would lie had it not been turned or mirrored so."""
        if orientation == UPRIGHT:
            return self
        if orientation not in self._undone:
            self._undone[orientation] = Suspect(orientation.undo(self.plane))
        return self._undone[orientation]

    def turned_back(self, turn: Turn) -> Suspect:
        """Made level, had it been turned so; looked at by one thread. Shares what was smoothed."""
        level = Suspect(self.plane, turn)
        level._smoothed = self._smoothed
        return level

    def upright(self, placement: Placement) -> Suspect:
        """As a placement's terms have it."""
        return self.undone(placement.orientation) if placement.turn is None else self.turned_back(placement.turn)

    def prepare(self, scales: Iterable[float]) -> None:
        """Make what looks at these scales need, so that threads may share it."""
        for scale in scales:
            self._at(scale)

    def _at(self, scale: float) -> Plane:
        """Smoothed before it is made smaller."""
        level = _level(scale)
        if level <= 0:
            return self.plane
        if level not in self._smoothed:
            self._smoothed[level] = np.asarray(cv2.GaussianBlur(self.plane, (0, 0), smoothing(scale)), np.float32)
        return self._smoothed[level]


def smoothing(scale: float) -> float:
    """The standard deviation, in a suspect's pixels, of the Gaussian that it is smoothed by before samples so many
    pixels apart are taken: about what averaging over areas does."""
    return 0.5 * math.sqrt(math.exp(2 * _STEP * max(0, _level(scale))) - 1)


# Scales whose logarithms lie within one step are smoothed alike.
_STEP = 0.2


def _level(scale: float) -> int:
    return round(math.log(scale) / _STEP)
