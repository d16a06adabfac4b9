"""Sides that a network can halve evenly."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def pad_to(picture: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until height and width are multiples, and two of them at least.

    Two, since oneDNN (as of torch 2.13) leaves what was in memory in the results of strided bfloat16 convolutions that
    are a single column wide.
    """
    height, width = picture.shape[-2:]
    rows, columns = (max(2, -(-side // multiple)) * multiple for side in (height, width))
    padding = (0, columns - width, 0, rows - height)
    return functional.pad(picture, padding, mode="replicate") if any(padding) else picture
