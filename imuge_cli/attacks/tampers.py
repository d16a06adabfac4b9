"""What an attacker puts into the mask: seven kinds of tampering on H x W x 3 RGB uint8 pictures.

Every kind replaces all pixels of the mask and none outside of it (P1 Eq. 1: I_A = I_irr * M + I_M * (1 - M)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from imuge_cli.attacks.arrays import Image8, Mask, require_image, require_mask
from imuge_cli.attacks.masks import random_mask
from imuge_cli.attacks.paint import colour, strokes, writing
from imuge_cli.attacks.resample import resize
from imuge_cli.errors import UsageError

TAMPERS = ("splice", "paste", "clone", "inpaint", "colour", "brush", "text")
"""splice: another picture's region, same position. paste: an object of another picture, moved, scaled,
flipped. clone: a shifted copy of the same picture. inpaint: removal by Telea's method. colour: one colour.
brush: painted strokes. text: writing."""

NEEDS_DONOR = ("splice", "paste")
"""The tampers that take their content from another picture."""

_TELEA_RADIUS = 3
_TELEA_MARGIN = 8
"""Telea's method looks 3 px around the mask; the rest of the margin is for safety at the border."""

_NATURAL = {"paste": "object", "brush": "brush", "text": "text"}


def apply_tamper(
    image: Image8, kind: str, mask: Mask, rng: np.random.Generator, donor: Image8 | None = None
) -> tuple[Image8, Mask]:
    """Replace the pixels of `mask` (H x W bool) by `kind`, one of TAMPERS.

    `donor`: another picture of any size, for splice and paste. Returns the tampered picture and the mask of
    the pixels that were replaced: those of `mask`, equal value or not. Raises UsageError for an unknown kind
    or a missing donor.
    """
    require_image(image)
    require_mask(mask, image.shape[0], image.shape[1])
    if kind not in TAMPERS:
        raise UsageError(f"no tamper is called '{kind}'; valid: {', '.join(TAMPERS)}")
    if kind in NEEDS_DONOR:
        if donor is None:
            raise UsageError(f"tamper '{kind}' takes its content from another picture: name a donor picture")
        require_image(donor, "donor")
    tampered = image.copy()
    if mask.any():
        box = _bounding_box(mask)
        if kind in NEEDS_DONOR:
            content = _DONATED[kind](image, mask, box, rng, cast(Image8, donor))
        else:
            content = _OWN[kind](image, mask, box, rng)
        # content covers the bounding box only: large pictures with small masks stay cheap
        window, inside = tampered[box], mask[box]
        window[inside] = content[inside]
    return tampered, mask.copy()


def inpainted(image: Image8, mask: Mask) -> Image8:
    """The picture with the masked pixels filled in from around them by Telea's method (OpenCV): what can be had of a
    picture that carries nothing. Unchanged under an empty mask. The same method as the tamper `inpaint`.
    """
    # Telea's method draws nothing at random.
    return apply_tamper(image, "inpaint", mask, np.random.default_rng(0))[0]


def random_tamper(
    image: Image8, kind: str, share: float, rng: np.random.Generator, donor: Image8 | None = None
) -> tuple[Image8, Mask]:
    """Tamper with `share` of the area in a mask that suits the kind: paste an object, write text, paint
    strokes.

    Otherwise as `apply_tamper`.
    """
    mask = random_mask(image.shape[0], image.shape[1], share, rng, _NATURAL.get(kind, "any"))
    return apply_tamper(image, kind, mask, rng, donor)


_Box = tuple[slice, slice]


def _bounding_box(mask: Mask) -> _Box:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def _splice(image: Image8, mask: Mask, box: _Box, rng: np.random.Generator, donor: Image8) -> Image8:
    height, width = image.shape[:2]
    rows, cols = donor.shape[:2]
    if rows < height or cols < width:
        grow = max(height / rows, width / cols)
        rows, cols = max(height, math.ceil(rows * grow)), max(width, math.ceil(cols * grow))
        donor = resize(donor, rows, cols)
    # a larger donor is looked at through a random window of the picture's size
    top, left = int(rng.integers(0, rows - height + 1)), int(rng.integers(0, cols - width + 1))
    return donor[top : top + height, left : left + width][box]


def _paste(image: Image8, mask: Mask, box: _Box, rng: np.random.Generator, donor: Image8) -> Image8:
    height, width = box[0].stop - box[0].start, box[1].stop - box[1].start
    rows, cols = donor.shape[:2]
    factor = math.exp(rng.uniform(math.log(0.6), math.log(1.6)))
    # the object's size in the donor; what the donor is too small for is enlarged more
    factor = max(factor, height / rows, width / cols)
    cut_h = min(rows, max(1, round(height / factor)))
    cut_w = min(cols, max(1, round(width / factor)))
    top, left = int(rng.integers(0, rows - cut_h + 1)), int(rng.integers(0, cols - cut_w + 1))
    cut = donor[top : top + cut_h, left : left + cut_w]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    return resize(np.ascontiguousarray(cut), height, width)


def _clone(image: Image8, mask: Mask, box: _Box, rng: np.random.Generator) -> Image8:
    height, width = mask.shape
    down, right = clone_shift(height, width, box, rng)
    rows = (np.arange(box[0].start, box[0].stop) + down) % height
    cols = (np.arange(box[1].start, box[1].stop) + right) % width
    return cast(Image8, image[rows[:, None], cols[None, :]])


def clone_shift(height: int, width: int, box: _Box, rng: np.random.Generator) -> tuple[int, int]:
    """(rows, columns) from a pixel to the one copied over it: at least 16 px and a third of the mask's
    extent.

    Shifts that keep the source inside the picture come first; where there is none, the source wraps around.
    """
    tall, wide = box[0].stop - box[0].start, box[1].stop - box[1].start
    least = max(16.0, max(tall, wide) / 3.0)
    least = min(least, 0.9 * math.hypot(height // 2, width // 2))  # a tiny picture has no such shift
    inside = ((-box[0].start, height - box[0].stop), (-box[1].start, width - box[1].stop))
    wrapped = ((-(height // 2), height // 2), (-(width // 2), width // 2))
    for rows, cols in (inside, wrapped):
        down = rng.integers(rows[0], rows[1], 64, endpoint=True)
        right = rng.integers(cols[0], cols[1], 64, endpoint=True)
        far = np.flatnonzero(np.hypot(down, right) >= least)
        if far.size:
            return int(down[far[0]]), int(right[far[0]])
    return height // 2, width // 2


def _inpaint(image: Image8, mask: Mask, box: _Box, rng: np.random.Generator) -> Image8:
    height, width = mask.shape
    top, left = max(0, box[0].start - _TELEA_MARGIN), max(0, box[1].start - _TELEA_MARGIN)
    bottom, right = min(height, box[0].stop + _TELEA_MARGIN), min(width, box[1].stop + _TELEA_MARGIN)
    window = np.ascontiguousarray(image[top:bottom, left:right])
    hole = mask[top:bottom, left:right].astype(np.uint8)
    if hole.all():  # nothing around it to continue: an empty wall
        filled = np.broadcast_to(np.rint(image.mean(axis=(0, 1))).astype(np.uint8), window.shape)
    else:
        filled = cv2.inpaint(window, hole, _TELEA_RADIUS, cv2.INPAINT_TELEA)
    inner = slice(box[0].start - top, box[0].stop - top), slice(box[1].start - left, box[1].stop - left)
    return cast(Image8, filled[inner])


def _colour(image: Image8, mask: Mask, box: _Box, rng: np.random.Generator) -> Image8:
    return colour(image[box], rng)


def _brush(image: Image8, mask: Mask, box: _Box, rng: np.random.Generator) -> Image8:
    return strokes(image[box], mask[box], rng)


def _text(image: Image8, mask: Mask, box: _Box, rng: np.random.Generator) -> Image8:
    return writing(image[box], mask[box], rng)


_DONATED: dict[str, Callable[[Image8, Mask, _Box, np.random.Generator, Image8], NDArray[np.uint8]]] = {
    "splice": _splice,
    "paste": _paste,
}
_OWN: dict[str, Callable[[Image8, Mask, _Box, np.random.Generator], NDArray[np.uint8]]] = {
    "clone": _clone,
    "inpaint": _inpaint,
    "colour": _colour,
    "brush": _brush,
    "text": _text,
}
