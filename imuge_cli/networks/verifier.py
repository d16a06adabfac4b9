"""V: from what pilots, symbols and pixels say to the probability that a pixel was tampered with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from imuge_cli.networks.blocks import UNet

# Log likelihood ratios of 14 slots, cosine and sine of the two known phases, inside the frame, draft given.
BLOCK_PLANES = 14 + 4 + 1 + 1
_REDUCTION = 4
MULTIPLE = 16


class Verifier(nn.Module):
    """The paper's V (P1 section 3) with the lattice's evidence as further input.

    Works at a quarter of the resolution and answers at full resolution. It looks twice: first without a draft
    (draft equal to the suspect, `given` 0, no data ratios), then with the draft its first answer allowed.
    """

    def __init__(self, widths: tuple[int, ...] = (64, 96, 128)) -> None:
        super().__init__()
        self.net = UNet(6 * _REDUCTION**2 + BLOCK_PLANES, _REDUCTION**2, widths, depth=2, middle=1)

    def forward(self, suspect: Tensor, draft: Tensor, evidence: Tensor) -> Tensor:
        """Logits N x 1 x H x W; H and W multiples of 16.

        suspect, draft: N x 3 x H x W in [0, 1]. evidence: N x 20 x H/8 x W/8, see block_evidence.
        """
        pixels = torch.cat([suspect * 2 - 1, (draft - suspect) * 4], 1)
        small = functional.pixel_unshuffle(pixels, _REDUCTION)
        planes = functional.interpolate(evidence, scale_factor=2, mode="nearest")
        return functional.pixel_shuffle(self.net(torch.cat([small, planes], 1)), _REDUCTION)


def block_evidence(ratios: Tensor, errors: Tensor, known: Tensor, given: bool) -> Tensor:
    """V's input by block, N x 20 x h x w.

    ratios: N x 14 x h x w, natural log likelihood ratios. errors: N x 2 x h x w, cells. known: N x 1 x h x w.
    given: whether a draft was used.
    """
    angle = 2 * torch.pi * errors
    flag = torch.full_like(known, float(given))
    return torch.cat([(ratios / 3).clamp(-2, 3), torch.cos(angle) * known, torch.sin(angle) * known, known, flag], 1)
