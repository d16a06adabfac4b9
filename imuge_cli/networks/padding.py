"""Sides that a network can halve evenly."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def pad_to(picture: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until height and width are multiples."""
    height, width = picture.shape[-2:]
    padding = (0, -width % multiple, 0, -height % multiple)
    return functional.pad(picture, padding, mode="replicate") if any(padding) else picture
