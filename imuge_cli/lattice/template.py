"""The synchronization template: a coarse lattice of its own that tells scale and place, and nothing else.

Points lie PITCH working pixels apart. Each has one coefficient, the response of a difference of two Gaussians
(frequencies around a thirtieth of a cycle a pixel, which survive scaling to a half and JPEG far better than the slots
of 8 x 8 blocks do), and that is quantized to the point's keyed dither (quantization index modulation, Chen & Wornell
2001). The filter is the same in all directions, so that a mirrored or turned picture has the mirrored or turned
template. Three points of four take their dither from a pattern that repeats every PERIOD points: a search folds the
picture by that period and needs to look at one period's worth of places only. The fourth point never repeats and tells
where in the picture that is.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imuge_cli.keys import Secret, plane_bytes
from imuge_cli.lattice.transform import analyse, synthesise

PITCH = 20
PERIOD = 16
SIGMAS = (4.0, 7.0)
# Grey levels, of responses of unit norm, and how far a response is pulled towards its dither (distortion compensation):
# costs .15 grey levels squared, .11 dB at 40.6 dB.
STEP = 30.0
PULL = 0.7
# Half the filter's side.
REACH = 28
# How far a filter reaches beyond its point's cell.
MARGIN = REACH - PITCH // 2
_ROUNDS = 12

_Vector = NDArray[np.floating]


@lru_cache(maxsize=8)
def template_filter(device: torch.device) -> Tensor:
    """Unit norm, its centre between pixels as a point's is: 1 x 1 x 56 x 56."""
    _, narrow, wide = _averages(1)
    plane = torch.from_numpy(np.outer(narrow, narrow) - np.outer(wide, wide)) * response_scale()
    return plane[None, None].float().to(device)


def sharper(smoothed: float) -> tuple[float, float]:
    """The standard deviations of the filter's Gaussians, pixels, where samples have been smoothed by one already.

    Two Gaussians one after the other are one of the sum of their variances. What smoothing by a single pixel takes from
    the responses of a busy picture, some hundreds of grey levels, is a good part of a cell.
    """
    narrow, wide = (math.sqrt(sigma**2 - smoothed**2) for sigma in SIGMAS)
    return narrow, wide


def _averages(spacing: int, smoothed: float = 0.0) -> tuple[_Vector, _Vector, _Vector]:
    """Places of samples along one axis, pixels from the centre, and the weights there of the two Gaussians."""
    at = (np.arange(2 * REACH // spacing) + 0.5) * spacing - REACH
    narrow, wide = (np.exp(-np.square(at) / (2 * sigma**2)) for sigma in sharper(smoothed))
    return at, narrow / narrow.sum(), wide / wide.sum()


@lru_cache(maxsize=1)
def response_scale() -> float:
    """What the difference of two Gaussian averages is multiplied by to give a response."""
    _, narrow, wide = _averages(1)
    return float(1 / np.linalg.norm(np.outer(narrow, narrow) - np.outer(wide, wide)))


def template_dither(secret: Secret, rows: int, columns: int, *, top: int = 0, left: int = 0) -> NDArray[np.float32]:
    """Dither in [0, 1), cells, of the points [top, top + rows) x [left, left + columns) of a picture.

    Points outside of every picture, of negative numbers say, have the pattern's dither too; their own means nothing.

    Format version 3: 2 bytes a point (little endian, over 65,536), from one plane for points of odd row and odd column,
    and from another, at row and column modulo PERIOD, for all others.
    """
    own = plane_bytes(secret.subkey("template"), rows, columns, 2, top=top, left=left)
    pattern = plane_bytes(secret.subkey("template pattern"), PERIOD, PERIOD, 2)
    repeated = pattern[np.ix_((top + np.arange(rows)) % PERIOD, (left + np.arange(columns)) % PERIOD)]
    chosen = np.where(repeats(rows, columns, top=top, left=left)[..., None], repeated, own)
    return chosen.view("<u2")[..., 0].astype(np.float32) / np.float32(65536)


def repeats(rows: int, columns: int, *, top: int = 0, left: int = 0) -> NDArray[np.bool_]:
    """Which of the points [top, top + rows) x [left, left + columns) take their dither from the pattern."""
    return np.asarray(np.multiply.outer(top + np.arange(rows), left + np.arange(columns)) % 2 == 0)


def respond(plane: Tensor, kernel: Tensor) -> Tensor:
    """The points' responses, N x 1 x H//PITCH x W//PITCH, to luma N x 1 x H x W and the filter."""
    rows, columns = plane.shape[-2] // PITCH, plane.shape[-1] // PITCH
    whole = functional.pad(plane, (MARGIN,) * 4, mode="reflect")
    whole = whole[..., : rows * PITCH + 2 * MARGIN, : columns * PITCH + 2 * MARGIN]
    return functional.conv2d(whole, kernel, stride=PITCH)


def responses_within(samples: NDArray[np.float32], spacing: int = 1, smoothed: float = 0.0) -> NDArray[np.float32]:
    """Points' responses, and how they change as the points move down, and right, by a pixel: 3 x rows x columns.

    samples: of luma, grey levels, showing MARGIN pixels more than the points' cells on every side. spacing: pixels from
    one of them to the next, 1 or 2. smoothed: by a Gaussian of so many pixels already, see `sharper`. In NumPy, axis by
    axis: a search asks thousands of times for little, for which the threads of a tensor library cost more than they do.
    """
    weights = _slope_weights(spacing, smoothed)
    pitch, length = PITCH // spacing, weights.shape[1]
    down = sliding_window_view(samples, length, axis=0)[::pitch] @ weights.T
    both = weights @ sliding_window_view(down, length, axis=1)[:, ::pitch].swapaxes(-1, -2)
    # Along rows (first) and columns (second) narrow, wide, and both of them sloped.
    first, second = (sigma**2 for sigma in sharper(smoothed))
    by = both.transpose(3, 2, 0, 1) * np.float32(response_scale())
    return np.stack(
        [by[0, 0] - by[1, 1], by[2, 0] / first - by[3, 1] / second, by[0, 2] / first - by[1, 3] / second]
    ).astype(np.float32)


@lru_cache(maxsize=8)
def _slope_weights(spacing: int, smoothed: float) -> NDArray[np.float32]:
    """Along one axis, of the narrow and the wide Gaussian and of both times the place: 4 x samples."""
    at, narrow, wide = _averages(spacing, smoothed)
    return np.stack([narrow, wide, narrow * at, wide * at]).astype(np.float32)


def template_residual(plane: Tensor, dither: Tensor) -> Tensor:
    """What to add to luma N x 1 x H x W (grey levels) so that its points respond as their dither, rows x columns, says.

    N x 1 x H x W. It leaves the slots of all blocks as they are. Neighbours' filters overlap, hence some rounds.
    """
    if dither.numel() == 0:  # a strip that is narrower than a point's cell
        return torch.zeros_like(plane)
    kernel = template_filter(plane.device)
    found = respond(plane, kernel)
    nearest = (torch.round(found / STEP - dither) + dither) * STEP
    wanted = found + PULL * (nearest - found)
    height, width = plane.shape[-2:]
    residual = torch.zeros_like(plane)
    for _ in range(_ROUNDS):
        error = wanted - found - respond(residual, kernel)
        spread = functional.conv_transpose2d(error, kernel, stride=PITCH)[..., MARGIN:, MARGIN:]
        spread = functional.pad(spread, (0, max(0, width - spread.shape[-1]), 0, max(0, height - spread.shape[-2])))
        spread = spread[..., :height, :width]
        residual += (spread - synthesise(analyse(spread), height, width)) / 2
    return residual
