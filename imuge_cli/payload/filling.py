"""A first guess of what was lost, from what lies around it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SMALLEST = 2


def filled(picture: Tensor, weight: Tensor) -> Tensor:
    """The picture with what has no weight filled in smoothly from its surroundings (push-pull, Gortler et al. 1996).

    picture: N x C x H x W. weight: N x 1 x H x W in [0, 1], how far each pixel is known. What is known in part is mixed
    with what lies around it; four neighbours that are known to a quarter tell as much as one that is known. A picture
    of which nothing is known comes back as zeros.
    """
    height, width = picture.shape[-2:]
    padded = functional.pad(torch.cat([picture * weight, weight], 1), (0, width % 2, 0, height % 2))
    if min(height, width) <= _SMALLEST:
        total = padded.sum((-2, -1), keepdim=True)
        coarse = (total[:, :-1] / total[:, -1:].clamp_min(1e-6)).expand_as(picture)
    else:
        sums = functional.avg_pool2d(padded, 2) * 4
        average = sums[:, :-1] / sums[:, -1:].clamp_min(1e-6)
        coarse = filled(average, sums[:, -1:].clamp_max(1))
        coarse = functional.interpolate(coarse, scale_factor=2, mode="bilinear")[..., :height, :width]
    return picture * weight + (1 - weight) * coarse
