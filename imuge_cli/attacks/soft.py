"""The paper's benign attacks as torch functions with gradients (P1 section 3, attack layer A).

Pictures are N x 3 x H x W, RGB in [0, 1]; all but the crop keep their size. Each picture of a batch has a strength of
its own where the paper draws one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.attacks.differentiable_jpeg import jpeg, straight_clamp, straight_round

__all__ = ["blur", "crop", "jpeg", "noise", "saved", "scale_back"]


def saved(picture: Tensor) -> Tensor:
    """As a file of 8 bits holds it."""
    return straight_round(straight_clamp(picture, 0, 1) * 255) / 255


def noise(picture: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise of mean 0. sigma: in [0, 1] terms; the paper's .1, where pixels run from -1 to 1, is .05 here."""
    drawn = torch.randn(picture.shape, generator=generator, dtype=picture.dtype).to(picture.device)
    return picture + sigma * drawn


def blur(picture: Tensor, kernel: int) -> Tensor:
    """Gaussian blur by binomial taps, as OpenCV has it. kernel: 3 or 5 pixels."""
    if kernel not in (3, 5):
        raise ValueError(f"a blur's kernel must be 3 or 5, not {kernel}")
    reach = kernel // 2
    taps = picture.new_tensor([math.comb(kernel - 1, i) for i in range(kernel)]) / 2 ** (kernel - 1)
    channels = picture.shape[1]
    padded = functional.pad(picture, (reach,) * 4, mode="reflect")
    across = functional.conv2d(padded, taps.view(1, 1, 1, -1).repeat(channels, 1, 1, 1), groups=channels)
    return functional.conv2d(across, taps.view(1, 1, -1, 1).repeat(channels, 1, 1, 1), groups=channels)


def scale_back(picture: Tensor, factor: float) -> Tensor:
    """To `factor` of the size (bilinear, antialiased) and back."""
    height, width = picture.shape[-2:]
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    scaled = functional.interpolate(picture, size=size, mode="bilinear", antialias=factor < 1, align_corners=False)
    return functional.interpolate(
        scaled, size=(height, width), mode="bilinear", antialias=factor > 1, align_corners=False
    )


def crop(picture: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cut away all but `share` of the area, at one random place, and leave grey there: what a recipient who knows the
    place has. Also returns what was cut away, N x 1 x H x W, 1 = gone."""
    count, _, height, width = picture.shape
    side = math.sqrt(share)
    rows, columns = max(1, round(height * side)), max(1, round(width * side))
    top, left = (int(torch.randint(0, room + 1, (), generator=generator)) for room in (height - rows, width - columns))
    gone = torch.ones(count, 1, height, width, dtype=picture.dtype, device=picture.device)
    gone[..., top : top + rows, left : left + columns] = 0
    return picture * (1 - gone) + 0.5 * gone, gone
