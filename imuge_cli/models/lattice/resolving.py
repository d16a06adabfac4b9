"""Pictures that were made smaller and brought back, by what S knows of pictures."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.resampling import Resampling, left_open, undo_resampling
from imuge_cli.networks.precision import short_floats
from imuge_cli.networks.resolver import Resolver

# Rows at a time: memory does not grow with a picture's height.
_ROWS = 192


@torch.no_grad()
def resolve(resolver: Resolver, planes: Tensor, resampling: Resampling) -> Tensor:
    """Pictures N x 3 x H x W (grey levels) as they were before: `undo_resampling`, then S. Not limited to 0..255."""
    height, width = planes.shape[-2:]
    undone = functional.pad(undo_resampling(planes, resampling), (0, width % 2, 0, height % 2), mode="replicate")
    rows, columns = (_even(t.to(planes.device)).expand(len(planes), -1) for t in left_open((height, width), resampling))
    parts = []
    for top in range(0, undone.shape[-2], _ROWS):
        around = slice(max(0, top - resolver.margin), top + _ROWS + resolver.margin)
        with short_floats(planes.device):
            part = resolver(undone[..., around, :], rows[:, around], columns)
        inside = top - around.start
        parts.append(part[..., inside : inside + _ROWS, :width].float())
    return torch.cat(parts, -2)[..., :height, :]


def _even(values: Tensor) -> Tensor:
    """With the last one twice, where there is an odd number of them."""
    return torch.cat([values, values[-1:]]) if len(values) % 2 else values
