"""Boxes around what matters of a picture: a slice of rows and one of columns."""

from __future__ import annotations

import torch
from torch import Tensor

Box = tuple[slice, slice]


def bounding_box(plane: Tensor, margin: int) -> Box | None:
    """The rows and columns where a plane, H x W, is positive, with a margin, within the plane; None if nowhere."""
    rows, columns = (plane > 0).any(1).nonzero(), (plane > 0).any(0).nonzero()
    if not len(rows):
        return None
    top, bottom = max(0, int(rows[0]) - margin), min(plane.shape[0], int(rows[-1]) + 1 + margin)
    left, right = max(0, int(columns[0]) - margin), min(plane.shape[1], int(columns[-1]) + 1 + margin)
    return slice(top, bottom), slice(left, right)


def widened(box: Box, size: tuple[int, int], multiple: int) -> Box:
    """A box of a picture of this size whose sides begin and end at multiples, or at the picture's end."""
    rows, columns = (
        slice(part.start // multiple * multiple, min(-(-part.stop // multiple) * multiple, side))
        for part, side in zip(box, size, strict=True)
    )
    return rows, columns


def ones_in(like: Tensor, box: Box) -> Tensor:
    """1 in the box and 0 around it, of the shape of `like`, ... x H x W."""
    plane = torch.zeros_like(like)
    plane[(..., *box)] = 1
    return plane
