"""JPEG as a torch function: what libjpeg does to pixels, with gradients (P1 section 3; ITU-T T.81).

Going forward every rounding is a rounding, so that pictures come out as from the real codec; going back, roundings
pass gradients as they are (straight through; Bengio et al. 2013). Blocks' coefficients that fall to zero thereby keep a
gradient: without it nothing could learn to lift them over the step.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
"""T.81 annex K, tables K.1 and K.2."""
_TO_YCBCR = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))


class _Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient


def straight_round(x: Tensor) -> Tensor:
    """Rounded going forward, as it is going back."""
    rounded: Tensor = _Rounded.apply(x)  # type: ignore[no-untyped-call]
    return rounded


def straight_clamp(x: Tensor, low: float, high: float) -> Tensor:
    """Cut off going forward, as it is going back: what was cut off may come back."""
    return x + (x.clamp(low, high) - x).detach()


def quantization_tables(quality: Tensor) -> Tensor:
    """Steps of luminance and chrominance as libjpeg scales them. quality: N, 1 to 100. N x 2 x 8 x 8."""
    quality = quality.clamp(1, 100)
    scale = torch.where(quality < 50, torch.floor(5000 / quality), 200 - 2 * quality)
    tables = torch.tensor((_LUMINANCE, _CHROMINANCE), dtype=torch.float32, device=quality.device)
    return torch.floor((tables * scale.view(-1, 1, 1, 1) + 50) / 100).clamp(1, 255)


def jpeg(picture: Tensor, quality: Tensor, *, subsampled: bool = True) -> Tensor:
    """Save and load as JPEG.

    picture: N x 3 x H x W, RGB in [0, 1], any size. quality: N whole numbers, 1 to 100. subsampled: 4:2:0, else
    4:4:4. Returns N x 3 x H x W in [0, 1], multiples of 1/255.
    """
    height, width = picture.shape[-2:]
    # The encoder repeats the last row and column up to whole blocks, of luminance and of chrominance.
    unit = 16 if subsampled else 8
    padded = functional.pad(picture * 255, (0, -width % unit, 0, -height % unit), mode="replicate")
    matrix = torch.tensor(_TO_YCBCR, dtype=picture.dtype, device=picture.device)
    planes = torch.einsum("ij,njhw->nihw", matrix, straight_round(straight_clamp(padded, 0, 255)))
    planes = straight_round(planes + planes.new_tensor([0.0, 128, 128]).view(1, 3, 1, 1))
    luma, chroma = planes[:, :1], planes[:, 1:]
    if subsampled:
        chroma = straight_round(functional.avg_pool2d(chroma, 2))
    tables = quantization_tables(quality).to(picture.dtype)
    luma, chroma = _coded(luma, tables[:, :1]), _coded(chroma, tables[:, 1:])
    if subsampled:
        chroma = straight_round(_raised(_raised(chroma).transpose(-1, -2)).transpose(-1, -2))
    both = torch.cat([luma, chroma - 128], 1)
    result = torch.einsum("ij,njhw->nihw", torch.linalg.inv(matrix.double()).to(picture.dtype), both)
    result = straight_round(straight_clamp(result, 0, 255)) / 255
    return result[..., :height, :width]


def _coded(plane: Tensor, table: Tensor) -> Tensor:
    """Quantized by 8 x 8 blocks. plane: N x C x H x W, 0 to 255; table: N x 1 x 8 x 8."""
    basis = _basis().to(plane.device, plane.dtype)
    count, channels, height, width = plane.shape
    blocks = (plane - 128).reshape(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    steps = table.view(count, 1, 1, 1, 8, 8)
    levels = straight_round(basis @ blocks @ basis.T / steps)
    back = (basis.T @ (levels * steps) @ basis).transpose(3, 4).reshape(count, channels, height, width)
    return straight_round(straight_clamp(back + 128, 0, 255))


@lru_cache(maxsize=1)
def _basis() -> Tensor:
    """The orthonormal DCT-II of 8 samples, frequencies by samples."""
    angle = torch.outer(torch.arange(8.0, dtype=torch.float64), 2 * torch.arange(8.0, dtype=torch.float64) + 1)
    basis = torch.cos(angle * math.pi / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis


def _raised(plane: Tensor) -> Tensor:
    """Twice as wide by libjpeg's triangle filter: 3/4 of the nearer sample, 1/4 of the one beyond."""
    left = torch.cat([plane[..., :1], plane[..., :-1]], -1)
    right = torch.cat([plane[..., 1:], plane[..., -1:]], -1)
    return torch.stack([0.75 * plane + 0.25 * left, 0.75 * plane + 0.25 * right], -1).flatten(-2)
