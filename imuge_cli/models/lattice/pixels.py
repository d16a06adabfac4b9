"""From pixels to tensors and back, in a suspect's own depth and place."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imuge_cli.image.window import window
from imuge_cli.image.working_size import resize_plane
from imuge_cli.lattice.header import Header
from imuge_cli.lattice.placement import Placement
from imuge_cli.models.lattice.framing import plane_in_suspect
from imuge_cli.models.protocol import Frame, Mask, Pixels

# Of a pixel that a mask may take of one that is kept, and that a suspect has to show.
_UNMASKED, _ALL = 0.01, 0.999


def to_tensor(pixels: NDArray[np.float32], device: torch.device) -> Tensor:
    """H x W x 3 to 1 x 3 x H x W, float32, grey levels."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].to(device)


def to_array(picture: Tensor) -> NDArray[np.float32]:
    """1 x 3 x H x W to H x W x 3."""
    array: NDArray[np.float32] = picture[0].permute(1, 2, 0).cpu().numpy()
    return array


def added(pixels: Pixels, residual: NDArray[np.float32]) -> Pixels:
    """Pixels plus a residual in grey levels, rounded, in the pixels' own depth."""
    top = np.iinfo(pixels.dtype).max
    wanted = pixels.astype(np.float32) + residual * (top / 255)
    return cast(Pixels, np.clip(np.rint(wanted), 0, top).astype(pixels.dtype))


def _levels(picture: NDArray[np.float32], size: tuple[int, int], like: Pixels) -> Pixels:
    """A working picture brought to a size and a depth."""
    top = np.iinfo(like.dtype).max
    result = np.empty((*size, 3), like.dtype)
    for channel in range(3):  # one at a time: at full size a plane of floats is larger than the picture
        plane = resize_plane(np.ascontiguousarray(picture[..., channel]), size)
        plane *= top / 255
        np.rint(plane, out=plane)
        result[..., channel] = np.clip(plane, 0, top, out=plane)
    return cast(Pixels, result)


def pasted(pixels: Pixels, recovered: NDArray[np.float32], mask: Mask, frame: Frame) -> Pixels:
    """The suspect with the mask's pixels replaced; every other pixel stays exactly as it was."""
    result = pixels.copy()
    top, shape = np.iinfo(pixels.dtype).max, (int(pixels.shape[0]), int(pixels.shape[1]))
    for channel in range(3):  # one at a time: at full size a plane of floats is larger than the picture
        plane = plane_in_suspect(np.ascontiguousarray(recovered[..., channel]), frame, shape)[mask]
        result[..., channel][mask] = np.clip(np.rint(plane * (top / 255)), 0, top)
    return result


def restored(pixels: Pixels, whole: NDArray[np.float32], mask: Mask, frame: Frame, header: Header | None) -> Pixels:
    """The original frame at the original's size: rebuilt around the suspect, the suspect itself inside."""
    size = (header.height, header.width) if header is not None else frame.canvas
    result = _levels(whole, size, pixels)
    scale = (size[0] / frame.canvas[0], size[1] / frame.canvas[1])
    top, left = round(frame.top * scale[0]), round(frame.left * scale[1])
    height, width = pixels.shape[:2]
    fits = (height, width) == (round(frame.height * scale[0]), round(frame.width * scale[1]))
    if frame.placement is None and fits:
        part = result[top : top + height, left : left + width]
        keep = ~mask[: part.shape[0], : part.shape[1]]
        part[keep] = pixels[: part.shape[0], : part.shape[1]][keep]
    elif size != frame.canvas:
        # Its own pixels are on another grid; working pixels show less than they do.
        _sample(result, pixels, mask, frame)
    return result


def _sample(result: Pixels, pixels: Pixels, mask: Mask, frame: Frame) -> None:
    """Put what a suspect shows, and the mask leaves, into a picture of the original's size, in place."""
    height, width = (int(side) for side in pixels.shape[:2])
    place = frame.placement or Placement(frame.top, frame.left, height / frame.height, width / frame.width)
    ratio = frame.canvas[0] / result.shape[0], frame.canvas[1] / result.shape[1]
    apart = place.rows_scale * ratio[0], place.columns_scale * ratio[1]
    begin = -place.top * place.rows_scale, -place.left * place.columns_scale
    # What the canvas' pixels are sampled from has to lie inside the suspect.
    sides = place.upright_shape((height, width))
    rows, columns = (
        slice(max(0, math.ceil(-first / step)), min(count, math.floor((side - first) / step)))
        for first, step, count, side in zip(begin, apart, result.shape, sides, strict=False)
    )
    box = (rows.stop - rows.start, columns.stop - columns.start)
    if min(box) < 1:
        return
    start = begin[0] + rows.start * apart[0], begin[1] + columns.start * apart[1]

    def sampled(upright: NDArray[Any]) -> NDArray[np.float32]:
        return window(upright, start, apart, box)

    keep = sampled(place.upright(mask.astype(np.float32))) < _UNMASKED
    if place.turn is not None:
        keep &= sampled(place.turn.shown()) > _ALL
    top = np.iinfo(pixels.dtype).max
    for channel in range(3):  # one at a time: at full size a plane of floats is larger than the picture
        plane = sampled(place.upright(np.ascontiguousarray(pixels[..., channel])))[keep]
        result[rows, columns, channel][keep] = np.clip(np.rint(plane), 0, top)
