"""Suspects of which somebody took the colours away: black and white, sepia, anything in which brightness tells colour.

What is shown in such a picture is what was sent, in luma. Its chroma tells nothing of the original's, which symbols
still describe, and against which whatever was colourful would count as changed.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.transform import BLOCK, luma

LEVELS = 256
# Of pixels that are brighter or darker by less than that, grey levels, the mean colour is taken.
_ALIKE = 4
# JPEG mixes colours of neighbouring pixels and rounds them: so many grey levels do its blocks lie off what their
# brightness tells, but for such a share of them.
_OFF, _MOST = 6.0, 0.99


def is_toned(picture: Tensor, inside: Tensor) -> bool:
    """Whether brightness tells every pixel's colour, within JPEG's precision (N = 1).

    picture: 1 x 3 x H x W, grey levels. inside: 1 x 1 x H x W, 1 where it counts.
    """
    picture, whole = (functional.avg_pool2d(plane, BLOCK) for plane in (picture, inside))
    whole = whole[0, 0] == 1
    colours, light = picture[0][:, whole], luma(picture)[0, 0][whole]
    if not light.numel():
        return False
    off = (colours - _by_brightness(ramp(light, colours), light)).abs().amax(0)
    return bool((off < _OFF).float().mean() >= _MOST)


def without_colours(picture: Tensor) -> Tensor:
    """Every channel as luma: N x 3 x H x W, grey levels."""
    return luma(picture).expand_as(picture).contiguous()


def ramp(light: Tensor, colours: Tensor) -> Tensor:
    """The colour of every brightness, 3 x 256 grey levels. light: n pixels' brightness, colours: 3 x n of them."""
    at = light.round().clamp(0, LEVELS - 1).long()
    sums = light.new_zeros(4, LEVELS).index_add_(1, at, torch.cat([colours - light, torch.ones_like(light)[None]]))
    near = functional.avg_pool1d(sums[None], 2 * _ALIKE + 1, 1, _ALIKE)[0]
    seen = near[3] > 0
    levels = torch.arange(LEVELS, device=light.device)
    # Of what is not there, the nearest brightness that is.
    nearest = levels[seen][(levels[:, None] - levels[seen][None]).abs().argmin(1)]
    return (near[:3] / near[3].clamp_min(1e-9))[:, nearest] + levels


def ramp_of(picture: Tensor, suspect: Tensor, inside: Tensor) -> Tensor:
    """The colour that a suspect has for every brightness of a picture made of it, 3 x 256 grey levels (N = 1).

    picture, suspect: 1 x 3 x H x W. inside: 1 x 1 x H x W, 1 where they count.
    """
    counts = inside[0, 0] == 1
    return ramp(luma(picture)[0, 0][counts], suspect[0][:, counts])


def toned(picture: Tensor, colours: Tensor) -> Tensor:
    """Luma of 1 x 3 x H x W in the colours of a ramp."""
    light = luma(picture)[0, 0]
    return _by_brightness(colours, light.flatten()).view(1, 3, *light.shape)


def _by_brightness(colours: Tensor, light: Tensor) -> Tensor:
    """3 x n grey levels, between those of the two nearest brightnesses."""
    low = light.floor().clamp(0, LEVELS - 2).long()
    share = (light - low).clamp(0, 1)
    return colours[:, low] * (1 - share) + colours[:, low + 1] * share
