"""Progressive recovery (P1 section 3): R and its discriminator grow from 1/8 of the resolution to all of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from imuge_cli.networks.backbone import DEFAULT_STYLE, LEVELS, Backbone, Style, mask_at

STAGES = 4
"""1/8, 1/4, 1/2 and the full resolution."""


def level_of(stage: int) -> int:
    """The finest level that a stage (1 to 4) has: 3 to 0."""
    if not 1 <= stage <= STAGES:
        raise ValueError(f"stage {stage} is not between 1 and {STAGES}")
    return LEVELS - stage


class ProgressiveRecoverer(nn.Module):
    """The paper's R: from the rectified picture (tampered pixels removed) and the mask to the recovered picture.

    At stage s it consists of the s deepest encoding and decoding segments, entered and left by 1 x 1 convolutions of
    its own resolution. What a stage adds is faded in as in Karras et al. 2018: at alpha 0 the network does exactly
    what the stage before did, at alpha 1 that one's doors are used no more. The mask is a fourth input plane, so that
    black is not taken for removed.
    """

    def __init__(self, style: Style = DEFAULT_STYLE, *, shared_levels: tuple[int, ...] = (0, 1)) -> None:
        super().__init__()
        self.net = Backbone(4, 3, style, shared_levels=shared_levels)
        # By level, from 1/2 of the resolution down: the finest has the backbone's own.
        self.enter = nn.ModuleList(
            nn.Sequential(nn.Conv2d(4, style.channels(level - 1), 1), style.activate()) for level in range(1, LEVELS)
        )
        self.leave = nn.ModuleList(nn.Conv2d(style.channels(level), 3, 1) for level in range(1, LEVELS))

    def forward(self, rectified: Tensor, mask: Tensor, stage: int = STAGES, alpha: float = 1.0) -> Tensor:
        """The recovered picture, N x 3 x h x w in (-1, 1), at the stage's resolution.

        rectified: N x 3 x h x w in [-1, 1], zero where tampered; mask: N x 1 x h x w, 1 = tampered, both at that
        resolution. alpha: how far the stage's own segments are faded in, 0 to 1.
        """
        level = level_of(stage)
        x = torch.cat([rectified, mask], 1)
        fading = alpha < 1 and stage > 1
        if not fading:
            return torch.tanh(self._out(self.net.features(self._in(x, level), mask, level), level))
        skip = self.net.encode[level](self._in(x, level))
        inner_mask = mask_at(mask, 1)
        # Half lost is lost: the stage before never saw such pixels.
        small = functional.avg_pool2d(rectified, 2) * (1 - inner_mask)
        before = self._in(torch.cat([small, inner_mask], 1), level + 1)
        entered = alpha * self.net.pool(skip) + (1 - alpha) * before
        coarse = self.net.features(entered, inner_mask, level + 1)
        shared = mask if level in self.net.shared_levels else None
        fine = self._out(self.net.decode[level](coarse, skip, shared), level)
        old = functional.interpolate(torch.tanh(self._out(coarse, level + 1)), scale_factor=2, mode="nearest")
        return alpha * torch.tanh(fine) + (1 - alpha) * old

    def _in(self, x: Tensor, level: int) -> Tensor:
        if level == 0:
            return x
        entered: Tensor = self.enter[level - 1](x)
        return entered

    def _out(self, features: Tensor, level: int) -> Tensor:
        left: Tensor = self.net.leave(features) if level == 0 else self.leave[level - 1](features)
        return left


class ProgressiveDiscriminator(nn.Module):
    """D_S and, at the last stage alone, D_C: PatchGAN (Isola et al. 2017), least squares, grown with R (P1 section 3).

    Stage s has s strided convolutions behind the picture's entry; every answer sees a patch, and nothing of the rest.
    """

    def __init__(self, widths: tuple[int, ...] = (32, 64, 96, 128)) -> None:
        super().__init__()
        if len(widths) != STAGES:
            raise ValueError(f"{STAGES} widths expected, finest first; got {len(widths)}")
        outputs = [*widths[1:], widths[-1]]
        self.enter = nn.ModuleList(nn.Sequential(nn.Conv2d(3, w, 1), nn.LeakyReLU(0.2)) for w in widths)
        self.down = nn.ModuleList(_Halving(a, b) for a, b in zip(widths, outputs, strict=True))
        self.leave = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, picture: Tensor, stage: int = STAGES, alpha: float = 1.0) -> Tensor:
        """N x 1 x h / 2^stage x w / 2^stage; 1 for genuine, 0 for made. picture: N x 3 x h x w in [-1, 1]."""
        level = level_of(stage)
        x = self.down[level](self.enter[level](picture))
        if alpha < 1 and stage > 1:
            x = alpha * x + (1 - alpha) * self.enter[level + 1](functional.avg_pool2d(picture, 2))
        for deeper in range(level + 1, LEVELS):
            x = self.down[deeper](x)
        result: Tensor = self.leave(x)
        return result


class _Halving(nn.Sequential):
    def __init__(self, inputs: int, outputs: int) -> None:
        # Of each picture by itself: what a batch holds beside it says nothing of how genuine it is.
        super().__init__(
            nn.Conv2d(inputs, outputs, 4, 2, 1), nn.InstanceNorm2d(outputs, affine=True), nn.LeakyReLU(0.2)
        )
