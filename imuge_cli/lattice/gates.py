"""Gates: how far a slot is pulled towards its lattice point (distortion compensation, Chen & Wornell 2001, section V).

What a gate spares is distortion: flat areas, where grain is seen and where the SSIM counts it, are pulled less. What it
leaves undone is a known part of the host's own coefficient, and in a calm block that is known to be small: the
receiver, who sees how busy a block is, goes the rest of the way (see `pulled`).
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.transform import BLOCK, SLOTS, Slots

# Gates of a block without any activity, and of one with very much of it; of fine slots in the former.
CALM, BUSY, FINE_CALM = 0.56, 1.0, 0.3
# Luma variance (grey levels squared) of a block half way between the two.
HALF_WAY = 60.0
# A block's energy falls with frequency like (u^2 + v^2) to the power of minus this.
_FALL = 1.3
# Variance of a host coefficient in a block without activity, grey levels squared.
_STILL = 1.0


def activity(plane: Tensor, *, received: float = 0.0) -> Tensor:
    """Variance of each block of luma N x 1 x H x W (grey levels): N x 1 x H//8 x W//8, grey levels squared.

    received: for a receiver, who sees the activity of what was sent: the variance that the embedding added.
    """
    rows, columns = plane.shape[-2] // BLOCK, plane.shape[-1] // BLOCK
    whole = plane[..., : rows * BLOCK, : columns * BLOCK]
    mean = functional.avg_pool2d(whole, BLOCK)
    centred = whole - functional.interpolate(mean, scale_factor=BLOCK, mode="nearest")
    return (functional.avg_pool2d(centred**2, BLOCK) - received).clamp_min(0)


def gates(active: Tensor, calm: float = CALM) -> Tensor:
    """The gates of blocks of some activity (variance, grey levels squared): the same shape, in (0, 1].

    calm: of a block without any.
    """
    return calm + (BUSY - calm) * active / (active + HALF_WAY)


def pulled(active: Tensor, step: float, slots: Slots = SLOTS, calm: float = CALM) -> tuple[Tensor, Tensor]:
    """How a receiver undoes gates: by what to multiply the coefficients of S slots, and the variance that is left.

    active: N x 1 x h x w, variance of each block as it was sent. calm: see `gates`. Returns N x S x h x w twice,
    factors and variances in squared steps.

    With c the host (mean 0, variance v), e the way to the lattice point (uniform, variance q^2 / 12) and a the gate,
    s = c + a e was sent. s + (1 - a) E[e | s] estimates the lattice point c + e; the linear estimate of e is
    a q^2 / 12 / (v + a^2 q^2 / 12) times s, and leaves (1 - a)^2 q^2 / 12 times v / (v + a^2 q^2 / 12).
    """
    gate = gates(active, calm)
    host = BLOCK**2 * active * _shares(active.device, slots) + _STILL
    uniform = step**2 / 12
    sent = host + gate**2 * uniform
    factor = 1 + (1 - gate) * gate * uniform / sent
    return factor, (1 - gate) ** 2 / 12 * host / sent


@lru_cache(maxsize=4)
def _shares(device: torch.device, slots: Slots) -> Tensor:
    """The share that each of S slots has of a block's energy: S x 1 x 1."""
    weights = {(u, v): float(u * u + v * v) ** -_FALL for u in range(BLOCK) for v in range(BLOCK) if (u, v) != (0, 0)}
    total = sum(weights.values())
    return torch.tensor([weights[slot] / total for slot in slots], device=device)[:, None, None]
