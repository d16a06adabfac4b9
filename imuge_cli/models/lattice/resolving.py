"""Pictures that were made smaller and brought back, by what S knows of pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from imuge_cli.lattice.resampling import Resampling, left_open, undo_resampling
from imuge_cli.networks.padding import pad_to
from imuge_cli.networks.precision import short_floats
from imuge_cli.networks.resolver import MULTIPLE, Resolver

# Rows at a time: memory does not grow with a picture's height.
_ROWS = 192


@torch.no_grad()
def resolve(resolver: Resolver, planes: Tensor, resampling: Resampling) -> Tensor:
    """Pictures N x 3 x H x W (grey levels) as they were before: `undo_resampling`, then S. Not limited to 0..255."""
    height, width = planes.shape[-2:]
    undone = pad_to(undo_resampling(planes, resampling), MULTIPLE)
    rows, columns = (
        _padded(t.to(planes.device)).expand(len(planes), -1) for t in left_open((height, width), resampling)
    )
    parts = []
    for top in range(0, undone.shape[-2], _ROWS):
        around = slice(max(0, top - resolver.margin), top + _ROWS + resolver.margin)
        with short_floats(planes.device):
            part = resolver(undone[..., around, :], rows[:, around], columns)
        inside = top - around.start
        parts.append(part[..., inside : inside + _ROWS, :width].float())
    return torch.cat(parts, -2)[..., :height, :]


def _padded(values: Tensor) -> Tensor:
    """Of one axis, as `pad_to` makes pictures."""
    return pad_to(values[None, None, :, None], MULTIPLE)[0, 0, :, 0]
