"""Building blocks shared by the networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """x + conv(silu(conv(silu(x)))): two 3 x 3 convolutions of equal width (He et al. 2016, pre-activation)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """N x width x H x W to the same."""
        result: Tensor = x + self.second(functional.silu(self.first(functional.silu(x))))
        return result


class Down(nn.Sequential):
    """Halves height and width by a strided 4 x 4 convolution, then residual blocks."""

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 4, 2, 1), *(Residual(outputs) for _ in range(depth)))


class Up(nn.Module):
    """Doubles height and width (1 x 1 convolution, pixel shuffle), joins the skip connection, residual blocks."""

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        self.rise = nn.Sequential(nn.Conv2d(inputs, outputs * 4, 1), nn.PixelShuffle(2))
        self.join = nn.Conv2d(2 * outputs, outputs, 1)
        self.refine = nn.Sequential(*(Residual(outputs) for _ in range(depth)))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """x: N x inputs x H x W; skip: N x outputs x 2H x 2W. Returns N x outputs x 2H x 2W."""
        result: Tensor = self.refine(self.join(torch.cat([self.rise(x), skip], 1)))
        return result


class UNet(nn.Module):
    """A U-Net whose first level has its own width and no reduction.

    widths: channels of each level; each level halves height and width. depth: residual blocks per encoding level;
    middle: at the bottom. Height and width must be multiples of 2 ** (levels - 1).
    """

    def __init__(self, inputs: int, outputs: int, widths: tuple[int, ...], *, depth: int, middle: int) -> None:
        super().__init__()
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        self.enter = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.down = nn.ModuleList(Down(a, b, depth) for a, b in pairs)
        self.middle = nn.Sequential(*(Residual(widths[-1]) for _ in range(middle)))
        self.up = nn.ModuleList(Up(b, a, 2) for a, b in reversed(pairs))
        self.leave = nn.Conv2d(widths[0], outputs, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """N x inputs x H x W to N x outputs x H x W; zero before training."""
        result: Tensor = self.leave(self.features(x))
        return result

    def features(self, x: Tensor) -> Tensor:
        """What the last convolution is given, N x widths[0] x H x W."""
        levels = [self.enter(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        y: Tensor = self.middle(levels.pop())
        for up in self.up:
            y = up(y, levels.pop())
        return y
