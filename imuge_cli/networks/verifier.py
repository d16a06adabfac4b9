"""V: from what pilots, symbols and pixels say to the probability that a pixel was tampered with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from imuge_cli.networks.blocks import Residual, UNet

# Log likelihood ratios of 14 slots, cosine and sine of the two known phases, inside the frame, draft given.
BLOCK_PLANES = 14 + 4 + 1 + 1
_REDUCTION = 4
MULTIPLE = 16


class Verifier(nn.Module):
    """The paper's V (P1 section 3) with the lattice's evidence as further input.

    A U-Net at a quarter of the resolution finds what was tampered with; a few layers at half the resolution, which
    see the pixels again, draw its edges. It looks twice: first without a draft (draft equal to the suspect, `given`
    0, no data ratios), then with the draft its first answer allowed.
    """

    def __init__(self, widths: tuple[int, ...] = (64, 96, 128), edge_width: int = 32) -> None:
        super().__init__()
        self.net = UNet(6 * _REDUCTION**2 + BLOCK_PLANES, _REDUCTION**2, widths, depth=2, middle=1)
        self.edges = _Edges(6, widths[0], edge_width)

    def forward(self, suspect: Tensor, draft: Tensor, evidence: Tensor) -> Tensor:
        """Logits N x 1 x H x W; H and W multiples of 16.

        suspect, draft: N x 3 x H x W in [0, 1]. evidence: N x 20 x H/8 x W/8, see block_evidence.
        """
        pixels = torch.cat([suspect * 2 - 1, (draft - suspect) * 4], 1)
        small = functional.pixel_unshuffle(pixels, _REDUCTION)
        planes = functional.interpolate(evidence, scale_factor=2, mode="nearest")
        features = self.net.features(torch.cat([small, planes], 1))
        coarse = functional.pixel_shuffle(self.net.leave(features), _REDUCTION)
        result: Tensor = coarse + self.edges(pixels, features)
        return result


class _Edges(nn.Module):
    """What to add to the U-Net's logits, from its features and the pixels themselves, at half the resolution."""

    def __init__(self, planes: int, features: int, width: int) -> None:
        super().__init__()
        half = _REDUCTION // 2
        self.enter = nn.Conv2d(planes * half**2, width, 3, padding=1)
        self.rise = nn.Sequential(nn.Conv2d(features, width * 4, 1), nn.PixelShuffle(2))
        self.refine = nn.Sequential(Residual(width), Residual(width), nn.SiLU())
        self.leave = nn.Conv2d(width, half**2, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor, features: Tensor) -> Tensor:
        """pixels: N x planes x H x W; features: N x features x H/4 x W/4. Returns N x 1 x H x W."""
        half = _REDUCTION // 2
        x = self.enter(functional.pixel_unshuffle(pixels, half)) + self.rise(features)
        return functional.pixel_shuffle(self.leave(self.refine(x)), half)


def block_evidence(ratios: Tensor, errors: Tensor, known: Tensor, given: bool) -> Tensor:
    """V's input by block, N x 20 x h x w.

    ratios: N x 14 x h x w, natural log likelihood ratios. errors: N x 2 x h x w, cells. known: N x 1 x h x w.
    given: whether a draft was used.
    """
    angle = 2 * torch.pi * errors
    flag = torch.full_like(known, float(given))
    return torch.cat([(ratios / 3).clamp(-2, 3), torch.cos(angle) * known, torch.sin(angle) * known, known, flag], 1)
