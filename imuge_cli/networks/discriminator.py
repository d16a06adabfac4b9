"""D: whether a picture's patches are genuine. Only training needs it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """PatchGAN (Isola et al. 2017, "Image-to-image translation with conditional adversarial networks"), as P1 section 3
    has for its recovered pictures: every answer sees some 50 pixels around it, and nothing of the rest."""

    def __init__(self, widths: tuple[int, ...] = (48, 96, 192)) -> None:
        super().__init__()
        first, *others = widths
        layers: list[nn.Module] = [nn.Conv2d(4, first, 4, 2, 1), nn.LeakyReLU(0.2)]
        before = first
        for width in others:
            # Of each picture by itself: what a batch holds beside it says nothing of how genuine it is.
            layers += [nn.Conv2d(before, width, 4, 2, 1), nn.InstanceNorm2d(width, affine=True), nn.LeakyReLU(0.2)]
            before = width
        self.net = nn.Sequential(*layers, nn.Conv2d(before, 1, 3, padding=1))

    def forward(self, picture: Tensor, mask: Tensor) -> Tensor:
        """N x 1 x H/8 x W/8, 1 for what is genuine and 0 for what is not once it has learned (least squares).

        picture: N x 3 x H x W in [0, 1]. mask: N x 1 x H x W, 1 = recovered. H and W: multiples of 8.
        """
        answers: Tensor = self.net(torch.cat([picture * 2 - 1, mask * 2 - 1], 1))
        return answers
