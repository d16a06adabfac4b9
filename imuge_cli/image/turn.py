"""Pictures turned by a few degrees, made level again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from imuge_cli.image.strips import strips

Places = TypeVar("Places", float, NDArray[Any])
LONGEST = 32766
"""Pixels of a canvas' side: OpenCV turns nothing larger."""


@dataclass(frozen=True)
class Turn:
    """A picture of `shape` (rows, columns) was turned to the left by `degrees` about its middle.

    canvas: rows and columns of the level picture, which has the same scale and, moved by `shift` (pixels down and to
    the right), the same middle; it shows all of the turned one where it is large enough (see `level`), and nothing in
    its corners.
    """

    degrees: float
    shape: tuple[int, int]
    canvas: tuple[int, int]
    shift: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def level(cls, degrees: float, shape: tuple[int, int], *, spare: float = 0.0) -> Turn:
        """With a canvas that holds all of the picture, were it turned by up to `spare` degrees more as well."""
        rows, columns = shape
        sine = math.sin(math.radians(abs(degrees) + spare))
        return cls(degrees, shape, (math.ceil(rows + columns * sine), math.ceil(columns + rows * sine)))

    def inscribed(self) -> float:
        """By how much a level picture has to be made smaller to fit into the turned one of the same shape."""
        angle = math.radians(abs(self.degrees))
        sides = max(self.shape) / min(self.shape)
        return 1 / (math.cos(angle) + math.sin(angle) * sides)

    def expanded(self) -> float:
        """How many times as long as before the longer side of the smallest upright rectangle is that holds a turned
        picture whole. shape: of that rectangle."""
        tangent = math.tan(math.radians(abs(self.degrees)))
        longer, shorter = max(self.shape), min(self.shape)
        # longer = a cos + b sin, shorter = a sin + b cos, for the sides a and b of what was turned.
        return longer * (1 - tangent**2) * math.cos(math.radians(self.degrees)) / (longer - shorter * tangent)

    def source(self, rows: Places, columns: Places) -> tuple[Places, Places]:
        """Where in the turned picture places of the level one lie; pixel i covers i to i + 1, in either."""
        angle = math.radians(self.degrees)
        down, right = rows - self.canvas[0] / 2 + self.shift[0], columns - self.canvas[1] / 2 + self.shift[1]
        return (
            math.cos(angle) * down - math.sin(angle) * right + self.shape[0] / 2,
            math.cos(angle) * right + math.sin(angle) * down + self.shape[1] / 2,
        )

    def level_of(self, rows: Places, columns: Places) -> tuple[Places, Places]:
        """Inverse of source."""
        angle = math.radians(self.degrees)
        down, right = rows - self.shape[0] / 2, columns - self.shape[1] / 2
        return (
            math.cos(angle) * down + math.sin(angle) * right + self.canvas[0] / 2 - self.shift[0],
            math.cos(angle) * right - math.sin(angle) * down + self.canvas[1] / 2 - self.shift[1],
        )

    def matrix(self, scale: tuple[float, float] = (1.0, 1.0)) -> NDArray[np.float64]:
        """From samples of the level picture, `scale` (rows, columns) of its pixels apart, to pixels of the turned one:
        2 x 3, columns first, as `cv2.warpAffine` wants it."""
        places = [self.source(scale[0] * (i + 0.5), scale[1] * (j + 0.5)) for i, j in ((0, 0), (0, 1), (1, 0))]
        first, right, down = (np.array([column - 0.5, row - 0.5]) for row, column in places)
        return np.stack([right - first, down - first, first], 1)

    def undo(self, values: NDArray[Any]) -> NDArray[Any]:
        """The level picture of H x W or H x W x C values, of the same type; beyond its edges it goes on as it ends."""
        flags, beyond = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE
        return np.asarray(cv2.warpAffine(values, self.matrix(), self.canvas[::-1], flags=flags, borderMode=beyond))

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """A level picture's values, of the canvas' size, as the turned picture shows them."""
        flags, beyond = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
        return np.asarray(cv2.warpAffine(values, self.matrix(), self.shape[::-1], flags=flags, borderMode=beyond))

    def shown(self) -> NDArray[np.bool_]:
        """Which pixels of the canvas the turned picture shows in whole."""
        rows, columns = np.meshgrid(*(np.arange(side) + 0.5 for side in self.canvas), indexing="ij", sparse=True)
        whole = np.empty(self.canvas, np.bool_)
        for strip in strips(*self.canvas):
            down, right = self.source(rows[strip], columns)
            inside = np.minimum(down, self.shape[0] - down), np.minimum(right, self.shape[1] - right)
            whole[strip] = np.minimum(*inside) >= 0.5
        return whole
