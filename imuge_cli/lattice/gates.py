"""Gates: how far a slot is pulled towards its lattice point (distortion compensation, Chen & Wornell 2001, section V).

What a gate leaves undone is noise of a known size to the receiver; what it spares is distortion. Flat areas, where
grain is seen and where the SSIM counts it, are pulled less.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.transform import BLOCK

# Gates of a block without any activity, and of one with very much of it.
CALM, BUSY = 0.65, 0.95
# Luma variance (grey levels squared) of a block half way between the two.
HALF_WAY = 100.0


def gates(plane: Tensor, *, received: float = 0.0) -> Tensor:
    """The gates of luma N x 1 x H x W (grey levels): N x 1 x H//8 x W//8, in (0, 1].

    received: for a receiver, who sees the activity of what was sent: the variance that the embedding added.
    """
    rows, columns = plane.shape[-2] // BLOCK, plane.shape[-1] // BLOCK
    whole = plane[..., : rows * BLOCK, : columns * BLOCK]
    mean = functional.avg_pool2d(whole, BLOCK)
    centred = whole - functional.interpolate(mean, scale_factor=BLOCK, mode="nearest")
    variance = (functional.avg_pool2d(centred**2, BLOCK) - received).clamp_min(0)
    return CALM + (BUSY - CALM) * variance / (variance + HALF_WAY)


def self_noise(gate: Tensor) -> Tensor:
    """Variance of the phase error that gates leave, in cells squared: what is not moved lies anywhere in its cell."""
    return (1 - gate) ** 2 / 12
