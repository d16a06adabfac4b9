"""Random tamper masks of a wanted area.

All shapes but the box are the upper set of a smooth random field: the threshold is chosen so that exactly the
wanted number of pixels lies above it, whatever the border cuts off. That hits the area without trial and
error.
"""

from __future__ import annotations

import math
from typing import TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from imuge_cli.attacks.arrays import Mask
from imuge_cli.errors import UsageError

SHAPES = ("box", "ellipse", "brush", "object", "multi", "text", "any")
"""box: axis-parallel rectangle. ellipse: rotated. brush: one or more thick strokes. object: one smooth
irregular blob. multi: two to four ellipses and blobs. text: lines of writing. any: one of the others,
drawn."""

Field: TypeAlias = NDArray[np.float32]
"""H x W; the greater, the sooner a pixel belongs to the mask."""

_ANY = {"box": 0.17, "ellipse": 0.2, "brush": 0.2, "object": 0.25, "multi": 0.15, "text": 0.03}
_TOLERANCE = 0.1
_LEAST_PITCH = 18.0
"""Pixels from line to line; lower letters have strokes thinner than two pixels and fall apart."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
)


def random_mask(height: int, width: int, share: float, rng: np.random.Generator, shape: str = "any") -> Mask:
    """height x width bool, True on share * height * width pixels, within 10 % (one pixel at least).

    Raises UsageError for a shape that is not in SHAPES or a share outside of 0..1.
    """
    if shape not in SHAPES:
        raise UsageError(f"no mask shape is called '{shape}'; valid: {', '.join(SHAPES)}")
    if not 0.0 < share <= 1.0:
        raise UsageError(f"a mask's share of the area must lie above 0 and not above 1, not {share:g}")
    if shape == "any":
        shape = str(rng.choice(list(_ANY), p=list(_ANY.values())))
    wanted = max(1, round(share * height * width))
    if wanted == height * width:
        return np.ones((height, width), dtype=bool)
    if shape == "box":
        return _box(height, width, wanted, rng)
    if shape == "object":
        return _one_piece(_blob_field(height, width, wanted, rng), wanted)
    return _upper_set(_FIELDS[shape](height, width, wanted, rng), wanted)


def smooth_noise(height: int, width: int, wavelength: float, rng: np.random.Generator) -> Field:
    """height x width float32 of low-pass noise, about unit variance; `wavelength` in pixels."""
    rows = max(2, math.ceil(height / wavelength) + 1)
    cols = max(2, math.ceil(width / wavelength) + 1)
    coarse = rng.standard_normal((rows, cols), dtype=np.float32)
    return cast(Field, cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def _upper_set(field: Field, wanted: int) -> Mask:
    """The `wanted` pixels where the field is greatest (more where values tie)."""
    flat = field.ravel()
    cut = np.partition(flat, flat.size - wanted)[flat.size - wanted]
    return cast(Mask, field >= cut)


def _one_piece(field: Field, wanted: int) -> Mask:
    """Upper set without its islands: raise the count until the largest piece alone has the wanted area."""
    count = wanted
    for _ in range(6):
        mask = _upper_set(field, min(count, field.size - 1))
        total, labels, stats, _centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
        areas = stats[1:, cv2.CC_STAT_AREA]
        largest = int(areas.argmax())
        if abs(int(areas[largest]) - wanted) <= 0.5 * _TOLERANCE * wanted:
            return cast(Mask, labels == largest + 1)
        count = round(count * wanted / int(areas[largest]))
        if total == 2:  # one piece, wrong area: pieces merge in a jump here, and no threshold meets the area
            break
    return _upper_set(field, wanted)


def _box(height: int, width: int, wanted: int, rng: np.random.Generator) -> Mask:
    tall = math.sqrt(wanted * math.exp(rng.uniform(-0.8, 0.8)))
    rows = np.arange(1, height + 1)
    cols = np.clip(np.rint(wanted / rows), 1, width).astype(np.int64)
    # of all whole sizes that meet the area, the one nearest to the aspect that was drawn
    misses = np.abs(rows * cols - wanted) > 0.5 * _TOLERANCE * wanted
    best = int(np.argmin(np.abs(rows - tall) + misses * 2.0 * height))
    box_h, box_w = int(rows[best]), int(cols[best])
    top = int(rng.integers(0, height - box_h + 1))
    left = int(rng.integers(0, width - box_w + 1))
    mask = np.zeros((height, width), dtype=bool)
    mask[top : top + box_h, left : left + box_w] = True
    return mask


def _ellipse_field(height: int, width: int, wanted: int, rng: np.random.Generator) -> Field:
    """Minus the elliptic distance from a random centre, in units of the radius of the wanted area."""
    radius = math.sqrt(wanted / math.pi)
    stretch = math.exp(rng.uniform(-0.5, 0.5))
    angle = rng.uniform(0.0, math.pi)
    row, col = _centre(height, radius, rng), _centre(width, radius, rng)
    y = (np.arange(height, dtype=np.float32) - np.float32(row))[:, None]
    x = (np.arange(width, dtype=np.float32) - np.float32(col))[None, :]
    along = (math.cos(angle) * x + math.sin(angle) * y) / np.float32(radius * stretch)
    across = (math.cos(angle) * y - math.sin(angle) * x) / np.float32(radius / stretch)
    return cast(Field, -np.sqrt(along * along + across * across))


def _centre(extent: int, radius: float, rng: np.random.Generator) -> float:
    """Far enough inside that most shapes are whole; the border cuts some."""
    margin = min(0.8 * radius, 0.5 * extent)
    return float(rng.uniform(margin, extent - margin))


def _blob_field(height: int, width: int, wanted: int, rng: np.random.Generator) -> Field:
    """An ellipse whose outline is bent by low-pass noise: lobes and bays at two scales."""
    radius = math.sqrt(wanted / math.pi)
    field = _ellipse_field(height, width, wanted, rng)
    field += np.float32(0.3) * smooth_noise(height, width, max(4.0, radius), rng)
    field += np.float32(0.07) * smooth_noise(height, width, max(3.0, 0.35 * radius), rng)
    return field


def _multi_field(height: int, width: int, wanted: int, rng: np.random.Generator) -> Field:
    """Two to four parts of different size; the greatest of their fields wins."""
    parts = int(rng.integers(2, 5))
    sizes = rng.dirichlet(np.full(parts, 3.0))
    field = np.full((height, width), -np.inf, dtype=np.float32)
    for size in sizes:
        part = max(4, round(float(size) * wanted))
        draw = _blob_field if rng.random() < 0.6 else _ellipse_field
        np.maximum(field, draw(height, width, part, rng), out=field)
    return field


def _brush_field(height: int, width: int, wanted: int, rng: np.random.Generator) -> Field:
    """Minus the distance from a few curved lines, so that the strokes are as thick as the area asks for."""
    skeleton = np.full((height, width), 255, dtype=np.uint8)
    side = math.sqrt(wanted)
    for _ in range(int(rng.integers(1, 4))):
        steps = int(rng.integers(6, 14))
        heading = rng.uniform(0, 2 * math.pi) + np.cumsum(rng.normal(0, 0.5, steps))
        length = side * rng.uniform(1.0, 2.2) / steps
        start = np.array([rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height])
        moves = length * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        points = start + np.concatenate([np.zeros((1, 2)), np.cumsum(moves, axis=0)])
        # strokes turn round at the border instead of leaving the picture
        points = _fold(points, np.array([max(width - 1.0, 1.0), max(height - 1.0, 1.0)]))
        cv2.polylines(skeleton, [np.rint(points).astype(np.int32)], False, 0, 1)
    return _distance_field(skeleton, 0.12 * side, rng)


def _fold(points: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    return limits - np.abs(limits - np.abs(points) % (2 * limits))


def _text_field(height: int, width: int, wanted: int, rng: np.random.Generator) -> Field:
    """Minus the distance from the thin outlines of a few lines of letters."""
    skeleton = np.full((height, width), 255, dtype=np.uint8)
    share = wanted / (height * width)
    # letters of usual weight cover about a quarter of the block they stand in
    block = min(1.0, math.sqrt(4.0 * share))
    most = max(1, min(4, int(block * height / _LEAST_PITCH)))
    lines = int(rng.integers(min(2, most), most + 1))
    pitch = max(_LEAST_PITCH, block * height / lines)
    top = rng.uniform(0.0, max(1e-6, height - lines * pitch))
    left = rng.uniform(0.0, (1.0 - block) * width) + 1.0
    font = _FONTS[int(rng.integers(2))]
    for line in range(lines):
        baseline = round(top + (line + 0.78) * pitch)
        write_line(skeleton, (round(left), baseline), 0.62 * pitch, block * width, font, 0, 1, rng)
    # OpenCV 5 smooths its letters: what is half covered belongs to them
    return _distance_field(np.where(skeleton < 128, np.uint8(0), np.uint8(255)), 0.0, rng)


def write_line(
    canvas: NDArray[np.uint8],
    origin: tuple[int, int],
    letter_height: float,
    length: float,
    font: int,
    colour: int | tuple[int, int, int],
    thickness: int,
    rng: np.random.Generator,
) -> None:
    """Draw about `length` pixels of random letters from `origin` (column, row of the baseline)."""
    factor = letter_height / cv2.getTextSize("H", font, 1.0, 1)[0][1]
    advance = cv2.getTextSize("nnnnnnnnnn", font, factor, 1)[0][0] / 10.0
    letters = rng.integers(0, len(_LETTERS), max(1, int(length / max(advance, 1.0))))
    text = "".join(" " if rng.random() < 0.12 else _LETTERS[i] for i in letters)
    ink = colour if isinstance(colour, tuple) else (colour,)
    cv2.putText(canvas, text, origin, font, factor, ink, thickness, cv2.LINE_8)


def _distance_field(skeleton: NDArray[np.uint8], wobble: float, rng: np.random.Generator) -> Field:
    """Minus the distance (px) from the skeleton's zeros; `wobble` px of low-pass noise vary the thickness.

    The noise also breaks ties: distances are discrete, and a whole outline would enter the mask at once.
    """
    if not (skeleton == 0).any():  # everything was written outside of a tiny picture
        skeleton[skeleton.shape[0] // 2, :] = 0
    field = cast(Field, -cv2.distanceTransform(skeleton, cv2.DIST_L2, 5))
    height, width = skeleton.shape
    ripple = smooth_noise(height, width, max(6.0, 2.0 * wobble), rng)
    field += np.float32(0.25 + 0.25 * wobble) * ripple
    return field


_FIELDS = {"ellipse": _ellipse_field, "brush": _brush_field, "multi": _multi_field, "text": _text_field}
