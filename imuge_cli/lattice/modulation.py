"""Quantization index modulation: phases into slot coefficients (Chen & Wornell 2001)."""

from __future__ import annotations

import torch
from torch import Tensor

from imuge_cli.lattice.transform import SLOTS, Slots, analyse, luma, synthesise


def wrap(phase: Tensor) -> Tensor:
    """Phases in cells brought into [-0.5, 0.5)."""
    return phase - torch.floor(phase + 0.5)


def embed(rgb: Tensor, phases: Tensor, step: Tensor, gate: Tensor, slots: Slots = SLOTS, *, rounds: int = 6) -> Tensor:
    """Pull the coefficients of S slots towards the nearest values of the wanted phases.

    rgb: N x 3 x H x W, grey levels in [0, 255]. phases: N x S x H//8 x W//8 in cells, dither included. gate:
    broadcastable to phases, in (0, 1]: how much of the way it goes. step: broadcastable to phases, grey levels.
    Returns the immunized picture, N x 3 x H x W, not yet rounded.
    The same residual goes to R, G and B, so chroma stays as it was. Where pixels near 0 and 255 clip, the picture
    is projected in turn onto the range and onto the lattice of SLOTS, the first of the slots; DC and all others are
    free to give way.
    """
    height, width = rgb.shape[-2:]
    coefficients = analyse(luma(rgb), slots)
    nearest = (torch.round(coefficients / step - phases) + phases) * step
    target = coefficients + gate * (nearest - coefficients)
    residual = synthesise(target - coefficients, height, width, slots)
    for _ in range(rounds):
        clipped = (rgb + residual).clamp(0, 255)
        error = target[:, : len(SLOTS)] - analyse(luma(clipped))
        if float(error.abs().max()) < 0.25:
            break
        residual = residual + synthesise(error, height, width)
    return (rgb + residual).clamp(0, 255)
