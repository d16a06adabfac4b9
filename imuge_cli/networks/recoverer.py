"""R: from the draft and its surroundings to what the original showed."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from imuge_cli.networks.blocks import UNet

_REDUCTION = 2
MULTIPLE = 16


class Recoverer(nn.Module):
    """The paper's R (P1 section 3): rectified picture to recovered picture; here it also sees the decoded draft.

    The answer is the draft plus a learned correction, so that an untrained R returns the draft.
    """

    def __init__(self, widths: tuple[int, ...] = (48, 64, 96, 160)) -> None:
        super().__init__()
        self.net = UNet(9 * _REDUCTION**2, 3 * _REDUCTION**2, widths, depth=1, middle=4)

    def forward(self, suspect: Tensor, mask: Tensor, draft: Tensor, noise: Tensor, doubt: Tensor) -> Tensor:
        """The recovered picture N x 3 x H x W, nominally in [0, 1], not clipped; H and W multiples of 16.

        suspect, draft: N x 3 x H x W in [0, 1]. mask: N x 1 x H x W, 1 = tampered. noise: N, mean phase noise in
        cells squared. doubt: N, variance left in a symbol in standard deviations squared.
        """
        rectified = suspect * (1 - mask) + draft * mask
        facts = torch.stack([torch.log(noise * 100), torch.log(doubt * 10)], 1) / 2
        planes = facts[:, :, None, None].expand(-1, -1, *mask.shape[-2:])
        x = torch.cat([rectified * 2 - 1, mask, draft * 2 - 1, planes], 1)
        correction = self.net(functional.pixel_unshuffle(x, _REDUCTION))
        return draft + functional.pixel_shuffle(correction, _REDUCTION) / 2
