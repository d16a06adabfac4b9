"""S: what a picture showed that was made smaller and brought back, beyond what is linear in it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from imuge_cli.networks.blocks import Residual

_REDUCTION = 2
MULTIPLE = _REDUCTION
# Grey levels: of a channel's half range, and of a correction of 1.
_HALF, _CORRECTION = 128.0, 16.0
# Shares of the variance below this are all the same; the middle of what occurs, as a power of ten.
_LEAST_OPEN, _MIDDLE = 1e-4, -2.5


class Resolver(nn.Module):
    """Single-image super-resolution by residual learning (Kim et al. 2016, VDSR), for any size and interpolation.

    Resampling folds high frequencies into low ones; where an edge or a texture continues tells what was folded. The
    answer is what is given plus a learned correction, so that an untrained S returns what it is given.

    margin: pixels on every side that have a say in a pixel, at most.
    """

    def __init__(self, width: int = 48, depth: int = 6) -> None:
        super().__init__()
        # One for each convolution, and one for where in a square a pixel lies.
        self.margin = _REDUCTION * (2 * depth + 3)
        self.enter = nn.Conv2d(5 * _REDUCTION**2, width, 3, padding=1)
        self.middle = nn.Sequential(*(Residual(width) for _ in range(depth)))
        self.leave = nn.Conv2d(width, 3 * _REDUCTION**2, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, undone: Tensor, open_rows: Tensor, open_columns: Tensor) -> Tensor:
        """Pictures as they were before, N x 3 x H x W, grey levels, not limited; H and W multiples of
        `MULTIPLE`.

        undone: N x 3 x H x W, grey levels, the linear estimate. open_rows, open_columns: N x H and N x W, the share of
        the variance that it leaves open along each axis (`lattice.resampling.left_open`): it tells by how much the
        picture was made smaller, and between which old samples a pixel lies.
        """
        height, width = undone.shape[-2:]
        planes = (
            _logarithm(open_rows)[:, None, :, None].expand(-1, 1, height, width),
            _logarithm(open_columns)[:, None, None].expand(-1, 1, height, width),
        )
        x = functional.pixel_unshuffle(torch.cat([undone / _HALF - 1, *planes], 1), _REDUCTION)
        correction = self.leave(self.middle(self.enter(x)))
        return undone + functional.pixel_shuffle(correction, _REDUCTION) * _CORRECTION


def _logarithm(share: Tensor) -> Tensor:
    return torch.log10(share.clamp_min(_LEAST_OPEN)) - _MIDDLE
