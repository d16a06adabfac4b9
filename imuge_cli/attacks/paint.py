"""Content that an attacker makes up: one colour, brush strokes, writing. All for a window h x w x 3 uint8."""

from __future__ import annotations

import math
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from imuge_cli.attacks.arrays import Image8, Mask
from imuge_cli.attacks.masks import write_line

_SOLID = 0.23
"""Largest distance from a mask's outline over the root of its area: a disc has .56, boxes and
objects .3 and more, most writing .05 to .2."""

_FEATHER = 2.0
"""Pixels over which a brush stroke's edge grows opaque."""


def colour(window: Image8, rng: np.random.Generator) -> Image8:
    """One colour; in a third of the cases with noise of 1 to 6 grey levels."""
    flat = np.empty(window.shape, dtype=np.float32)
    flat[:] = pick_colour(window, rng)
    if rng.random() < 1 / 3:
        flat += np.float32(rng.uniform(1.0, 6.0)) * rng.standard_normal(window.shape, dtype=np.float32)
    return _to_bytes(flat)


def strokes(window: Image8, mask: Mask, rng: np.random.Generator) -> Image8:
    """Overlapping soft strokes in shades of one colour, slightly transparent along the mask's edge."""
    height, width = mask.shape
    base = pick_colour(window, rng)
    paint = np.empty(window.shape, dtype=np.uint8)
    paint[:] = _clip(base)
    side = max(4.0, math.sqrt(height * width))
    for _ in range(int(rng.integers(4, 10))):
        shade = tuple(int(level) for level in _clip(base + rng.normal(0.0, 14.0, 3)))
        points = rng.uniform(-0.1, 1.1, (int(rng.integers(2, 5)), 2)) * (width, height)
        thickness = max(1, min(round(side * rng.uniform(0.05, 0.2)), 255))
        cv2.polylines(paint, [np.rint(points).astype(np.int32)], False, shade, thickness, cv2.LINE_AA)
    soft = cv2.GaussianBlur(paint, (0, 0), 1.5).astype(np.float32)
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
    opacity = (np.float32(rng.uniform(0.9, 1.0)) * np.clip(0.5 + 0.5 * depth / _FEATHER, 0.0, 1.0))[..., None]
    return _to_bytes(opacity * soft + (1.0 - opacity) * window.astype(np.float32))


def writing(window: Image8, mask: Mask, rng: np.random.Generator) -> Image8:
    """A solid mask becomes a plate with lines of letters; a mask of thin strokes is letters, and gets ink."""
    ink = pick_colour(window, rng)
    canvas = np.empty(window.shape, dtype=np.uint8)
    if not _is_solid(mask):
        canvas[:] = _clip(ink)
        return canvas
    plate = pick_colour(window, rng)
    if np.abs(plate - ink).max() < 60.0:  # unreadable
        plate = np.where(ink > 127.0, ink - 110.0, ink + 110.0)
    canvas[:] = _clip(plate)
    height, width = mask.shape
    pitch = height / min(int(rng.integers(1, 6)), max(1, height // 12))
    font = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX)[int(rng.integers(3))]
    shade = tuple(int(level) for level in _clip(ink))
    for baseline in np.arange(0.75 * pitch, height + 1.0, pitch):
        origin = (int(rng.integers(0, max(1, width // 12))), round(float(baseline)))
        thickness = max(1, round(pitch / 14.0))
        write_line(canvas, origin, 0.55 * pitch, 0.95 * width, font, (shade[0], shade[1], shade[2]), thickness, rng)
    return canvas


def pick_colour(window: Image8, rng: np.random.Generator) -> NDArray[np.float64]:
    """RGB 0..255: any colour, black or white, or the colour of one of the window's pixels."""
    draw = rng.random()
    if draw < 0.25:
        return np.full(3, 0.0 if rng.random() < 0.5 else 255.0)
    if draw < 0.5:
        row, col = rng.integers(0, window.shape[0]), rng.integers(0, window.shape[1])
        return np.asarray(window[row, col], dtype=np.float64)
    return rng.uniform(0.0, 255.0, 3)


def _is_solid(mask: Mask) -> bool:
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = float(cv2.distanceTransform(framed, cv2.DIST_L2, 3).max())
    return depth > _SOLID * math.sqrt(float(mask.sum()))


def _clip(levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    return cast(NDArray[np.uint8], np.clip(np.rint(levels), 0, 255).astype(np.uint8))


def _to_bytes(samples: NDArray[np.float32]) -> Image8:
    return cast(Image8, np.clip(np.rint(samples), 0, 255).astype(np.uint8))
