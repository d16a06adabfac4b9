"""The 8 x 8 block DCT and the slots of it that carry symbols."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 8
# The lowest alternating coefficients (row frequency, column frequency) of a luma block, by falling robustness.
SLOTS: tuple[tuple[int, int], ...] = (
    (0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1),
    (2, 2), (0, 3), (3, 0), (1, 3), (3, 1), (2, 3), (3, 2),
)  # fmt: skip
# Further ones, by about how JPEG spares them: format version 4 sends more in them with a much smaller step.
FINE_SLOTS: tuple[tuple[int, int], ...] = (
    (4, 0), (0, 4), (4, 1), (1, 4), (3, 3), (4, 2), (2, 4), (5, 0), (0, 5), (5, 1), (1, 5), (4, 3),
    (3, 4), (5, 2), (2, 5), (6, 0), (0, 6), (4, 4), (6, 1), (1, 6), (5, 3), (3, 5), (7, 0), (0, 7),
)  # fmt: skip
Slots = tuple[tuple[int, int], ...]
LUMA = (0.299, 0.587, 0.114)


@lru_cache(maxsize=16)
def dct_matrix(size: int) -> Tensor:
    """The orthonormal DCT-II matrix, size x size, float64: row k holds the basis function of frequency k."""
    k = torch.arange(size, dtype=torch.float64)[:, None]
    x = torch.arange(size, dtype=torch.float64)[None]
    matrix: Tensor = torch.cos(torch.pi * (2 * x + 1) * k / (2 * size)) * (2 / size) ** 0.5
    matrix[0] /= 2**0.5
    return matrix


@lru_cache(maxsize=8)
def slot_basis(device: torch.device, slots: Slots = SLOTS) -> Tensor:
    """The basis pictures of S slots: S x 64 (pixels of a block in rows), float32."""
    d = dct_matrix(BLOCK)
    return torch.stack([torch.outer(d[u], d[v]) for u, v in slots]).flatten(1).float().to(device)


def luma(rgb: Tensor) -> Tensor:
    """Luma of N x 3 x H x W RGB (any range): N x 1 x H x W, weights of ITU-R BT.601."""
    r, g, b = LUMA
    return r * rgb[:, 0:1] + g * rgb[:, 1:2] + b * rgb[:, 2:3]


def analyse(plane: Tensor, slots: Slots = SLOTS) -> Tensor:
    """Coefficients of S slots of luma N x 1 x H x W (grey levels): N x S x H//8 x W//8; a partial block is left out."""
    rows, columns = plane.shape[-2] // BLOCK, plane.shape[-1] // BLOCK
    pixels = functional.pixel_unshuffle(plane[..., : rows * BLOCK, : columns * BLOCK], BLOCK)
    return torch.einsum("sp,nphw->nshw", slot_basis(plane.device, slots), pixels)


def synthesise(coefficients: Tensor, height: int, width: int, slots: Slots = SLOTS) -> Tensor:
    """The luma N x 1 x height x width that coefficients of S slots, N x S x h x w, stand for; zero in partial
    blocks."""
    pixels = torch.einsum("sp,nshw->nphw", slot_basis(coefficients.device, slots), coefficients)
    plane = functional.pixel_shuffle(pixels, BLOCK)
    return functional.pad(plane, (0, width - plane.shape[-1], 0, height - plane.shape[-2]))
