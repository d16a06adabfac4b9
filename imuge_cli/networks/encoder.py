"""E: what else the symbols should say of a picture, learned (deep joint source-channel coding, behind a switch)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from imuge_cli.networks.blocks import Down, Residual


class Encoder(nn.Module):
    """The paper's E (P1 section 3) in the lattice's terms: a correction to the linear description.

    Six halvings take the picture to one position per 64 x 64 block; a last 1 x 1 convolution, zero before training,
    gives the correction of each coefficient in units of its own spread. Training passes the channel straight through:
    what arrives is what was sent plus an error that is measured, not differentiated.
    """

    def __init__(self, coefficients: int, widths: tuple[int, ...] = (16, 32, 48, 64, 96, 128)) -> None:
        super().__init__()
        if len(widths) != 6:
            raise ValueError(f"six widths expected, one per halving to 1/64; got {len(widths)}")
        steps = zip((3, *widths[:-1]), widths, strict=True)
        self.body = nn.Sequential(*(Down(a, b, 1) for a, b in steps), Residual(widths[-1]))
        self.leave = nn.Conv2d(widths[-1], coefficients, 1)
        nn.init.zeros_(self.leave.weight)
        if self.leave.bias is not None:
            nn.init.zeros_(self.leave.bias)

    def forward(self, picture: Tensor) -> Tensor:
        """Corrections N x rows x columns x coefficients for N x 3 x H x W in [0, 1]; H and W multiples of 64."""
        features = functional.silu(self.body(picture * 2 - 1))
        result: Tensor = self.leave(features).permute(0, 2, 3, 1)
        return result
