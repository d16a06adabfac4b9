"""Pictures that were made smaller and brought back, by what S knows of pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from imuge_cli.lattice.resampling import Resampling, left_open, undo_resampling
from imuge_cli.models.lattice.ways import WAYS
from imuge_cli.networks.padding import pad_to
from imuge_cli.networks.precision import short_floats
from imuge_cli.networks.resolver import MULTIPLE, Resolver

# Rows at a time: memory does not grow with a picture's height.
_ROWS = 192
# Pixels that S is asked for of a picture, all its looks together: at most, but for one look.
_AFFORDED = 2**20


def affordable_looks(height: int, width: int) -> int:
    """How often S looks at a picture of that size: 1 to 8."""
    return max(1, min(len(WAYS), _AFFORDED // (height * width)))


@torch.no_grad()
def resolve(resolver: Resolver, planes: Tensor, resampling: Resampling, *, looks: int = 1) -> Tensor:
    """Pictures N x 3 x H x W (grey levels) as they were before: `undo_resampling`, then S. Not limited to 0..255.

    looks: 1 to 8, the mean of as many (`WAYS`): S errs otherwise each time (Timofte, Rothe & Van Gool 2016, "Seven
    ways to improve example-based single image super resolution"), and takes as many times as long.
    """
    height, width = planes.shape[-2:]
    undone = pad_to(undo_resampling(planes, resampling), MULTIPLE)
    rows, columns = (
        _padded(t.to(planes.device)).expand(len(planes), -1) for t in left_open((height, width), resampling)
    )
    total = torch.zeros_like(undone)
    for way in WAYS[:looks]:
        shares = (
            rows.flip(-1) if -2 in way.mirrored else rows,
            columns.flip(-1) if -1 in way.mirrored else columns,
        )
        total += way.upright(_look(resolver, way.laid(undone), *(shares[::-1] if way.transposed else shares)))
    return total[..., :height, :width] / looks


def _look(resolver: Resolver, undone: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """S on whole pictures, some rows at a time: see `Resolver`."""
    parts = []
    for top in range(0, undone.shape[-2], _ROWS):
        around = slice(max(0, top - resolver.margin), top + _ROWS + resolver.margin)
        with short_floats(undone.device):
            part = resolver(undone[..., around, :], rows[:, around], columns)
        inside = top - around.start
        parts.append(part[..., inside : inside + _ROWS, :].float())
    return torch.cat(parts, -2)


def _padded(values: Tensor) -> Tensor:
    """Of one axis, as `pad_to` makes pictures."""
    return pad_to(values[None, None, :, None], MULTIPLE)[0, 0, :, 0]
