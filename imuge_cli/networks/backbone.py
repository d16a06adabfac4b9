"""The backbone of "From Image to Imuge" (P1 section 3): one U-Net for E, V and R.

The paper draws four encoding segments, a dilated middle and four decoding segments with skip concatenation, and ends
with a 1 x 1 convolution and tanh. Widths, normalization, activation and the number of convolutions in a segment it
leaves open; here they are configuration, and the defaults are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 4
MULTIPLE = 2**LEVELS
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky-relu": lambda: nn.LeakyReLU(0.2),
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
}
_NORMALIZATIONS: dict[str, Callable[[int], nn.Module]] = {
    "group": lambda width: nn.GroupNorm(min(8, width), width),
    "batch": nn.BatchNorm2d,
    "instance": lambda width: nn.InstanceNorm2d(width, affine=True),
    "none": lambda width: nn.Identity(),
}


@dataclass(frozen=True)
class Style:
    """What the paper leaves open.

    width: channels at full resolution, doubled at every level. convolutions: in a segment. normalization: group,
    batch, instance or none; by group, what a batch holds beside a picture has no say in it. activation: leaky-relu,
    elu, relu or silu. dilations: of the middle's convolutions, one each.
    """

    width: int = 24
    convolutions: int = 2
    normalization: str = "group"
    activation: str = "leaky-relu"
    dilations: tuple[int, ...] = (2, 4, 8)

    def __post_init__(self) -> None:
        if self.normalization not in _NORMALIZATIONS:
            raise ValueError(f"normalization {self.normalization!r} is none of {', '.join(_NORMALIZATIONS)}")
        if self.activation not in _ACTIVATIONS:
            raise ValueError(f"activation {self.activation!r} is none of {', '.join(_ACTIVATIONS)}")
        if self.width < 1 or self.width % min(8, self.width):
            raise ValueError(f"width {self.width} is no multiple of 8 (nor smaller)")
        if self.convolutions < 1 or not self.dilations or min(self.dilations) < 1:
            raise ValueError("a segment needs a convolution, and every dilation must be at least 1")

    def channels(self, level: int) -> int:
        """Channels of the segments at 1 / 2^level of the resolution; level 4 is the middle."""
        return self.width << level

    def activate(self) -> nn.Module:
        """A fresh activation."""
        return _ACTIVATIONS[self.activation]()

    def convolution(self, inputs: int, outputs: int, dilation: int = 1) -> list[nn.Module]:
        """Convolution 3 x 3, normalization, activation."""
        return [
            nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation),
            _NORMALIZATIONS[self.normalization](outputs),
            self.activate(),
        ]

    def segment(self, inputs: int, outputs: int) -> nn.Sequential:
        """One segment at one resolution."""
        layers = self.convolution(inputs, outputs)
        for _ in range(self.convolutions - 1):
            layers += self.convolution(outputs, outputs)
        return nn.Sequential(*layers)


DEFAULT_STYLE = Style()


class Middle(nn.Sequential):
    """The dilated segment at 1/16 of the resolution, which sees far: N x channels(3) x h x w to N x channels(4)."""

    def __init__(self, style: Style) -> None:
        inner, layers = style.channels(LEVELS), []
        before = style.channels(LEVELS - 1)
        for dilation in style.dilations:
            layers += style.convolution(before, inner, dilation)
            before = inner
        super().__init__(*layers)


class Decoding(nn.Module):
    """A decoding segment: transposed convolution of stride 2, channels halved, skip concatenation, convolutions."""

    def __init__(self, style: Style, level: int) -> None:
        super().__init__()
        width = style.channels(level)
        self.rise = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.join = style.segment(2 * width, width)

    def forward(self, x: Tensor, skip: Tensor, mask: Tensor | None = None) -> Tensor:
        """x: N x 2w x h x w'; skip: N x w x 2h x 2w'. Returns N x w x 2h x 2w'.

        mask: N x 1 x 2h x 2w', 1 = tampered: local feature sharing (P1 Eq. 2), what the encoder made of lost pixels
        is replaced by what the decoder has there.
        """
        risen = self.rise(x)
        if mask is not None:
            skip = share_features(risen, skip, mask)
        result: Tensor = self.join(torch.cat([skip, risen], 1))
        return result


def share_features(decoded: Tensor, encoded: Tensor, mask: Tensor) -> Tensor:
    """P1 Eq. 2: F_G = F_D * M + F_E * (1 - M). decoded, encoded: N x C x H x W; mask: N x 1 x H x W, 1 = tampered."""
    return decoded * mask + encoded * (1 - mask)


def mask_at(mask: Tensor, level: int) -> Tensor:
    """A mask at 1 / 2^level of its resolution: 1 wherever any pixel under it is 1. N x 1 x H x W."""
    return functional.max_pool2d(mask, 2**level) if level else mask


class Backbone(nn.Module):
    """The U-Net of P1 section 3; N x inputs x H x W to N x outputs x H x W in (-1, 1). H, W: multiples of 16.

    shared_levels: at which levels (0: full resolution) features are shared as in Eq. 2, if a mask is given; the paper
    says "the first two". quiet: the last layer begins near zero, so that an untrained E changes next to nothing.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        style: Style = DEFAULT_STYLE,
        *,
        shared_levels: tuple[int, ...] = (),
        quiet: bool = False,
    ) -> None:
        super().__init__()
        self.shared_levels = shared_levels
        before = [inputs, *(style.channels(level) for level in range(LEVELS - 1))]
        self.encode = nn.ModuleList(style.segment(before[level], style.channels(level)) for level in range(LEVELS))
        self.pool = nn.MaxPool2d(2)
        self.middle = Middle(style)
        self.decode = nn.ModuleList(Decoding(style, level) for level in range(LEVELS))
        self.leave = nn.Conv2d(style.channels(0), outputs, 1)
        if quiet:
            nn.init.normal_(self.leave.weight, std=1e-3)
            nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The answer after tanh."""
        return torch.tanh(self.raw(x, mask))

    def raw(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The answer before tanh: V's logits, halved (sigmoid(2 x) = (tanh(x) + 1) / 2)."""
        result: Tensor = self.leave(self.features(x, mask))
        return result

    def features(self, x: Tensor, mask: Tensor | None = None, top: int = 0) -> Tensor:
        """What the last convolution is given. x: at 1 / 2^top of the resolution, with what segment `top` takes in."""
        return self.back(*self.down(x, top), mask, top)

    def down(self, x: Tensor, top: int = 0) -> tuple[Tensor, list[Tensor]]:
        """The encoding segments from level `top` on: what the middle makes of it, and the skips, finest first."""
        skips = []
        for level in range(top, LEVELS):
            x = self.encode[level](x)
            skips.append(x)
            x = self.pool(x)
        return self.middle(x), skips

    def back(self, x: Tensor, skips: list[Tensor], mask: Tensor | None, top: int = 0) -> Tensor:
        """The decoding segments, up to level `top`. mask: N x 1, at the resolution of that level."""
        for level in reversed(range(top, LEVELS)):
            shared = None
            if mask is not None and level in self.shared_levels:
                shared = mask_at(mask, level - top)
            x = self.decode[level](x, skips[level - top], shared)
        return x
