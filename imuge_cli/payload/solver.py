"""The linear minimum-mean-square-error solution: from received symbols and known pixels to coefficients.

Prior: coefficients u (in the sender's units) are independent, zero mean, variance v. Received symbols
y = A u + noise of known variance (infinite where a symbol was lost). Known pixels: 8 x 8 block DCT coefficients
o = F u + noise of known variance (infinite inside the tampered area). The solution minimises

    |u|^2 / v + |y - A u|^2 / n + |o - F u|^2 / w,

a symmetric positive definite system, solved by preconditioned conjugate gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from imuge_cli.lattice.transform import BLOCK
from imuge_cli.payload.mixing import Mixing
from imuge_cli.payload.source import (
    BAND,
    SOURCE_BLOCK,
    SourceGrid,
    bands,
    bands_transposed,
    frequencies,
    sender_scale,
)


@dataclass(frozen=True)
class SymbolEvidence:
    """Received symbols and how far to trust them.

    values: N x outputs, in the units of A u. precision: N x outputs, one over the noise variance; 0 = lost.
    """

    mixing: Mixing
    values: Tensor
    precision: Tensor


@dataclass(frozen=True)
class PixelEvidence:
    """The suspect's own pixels as 8 x 8 block DCT bands, and how far to trust them.

    values, precision: N x 3 x rows x columns x 32 x 32 as `payload.source.bands` arranges them; grey levels and
    one over grey levels squared; precision 0 = tampered or outside.
    """

    values: Tensor
    precision: Tensor


def _apply(
    u: Tensor, grid: SourceGrid, variance: Tensor, symbols: SymbolEvidence, pixels: PixelEvidence | None
) -> Tensor:
    result = u / variance
    result = result + symbols.mixing.transposed(symbols.precision * symbols.mixing.forward(u))
    if pixels is not None:
        scale = sender_scale(u.device)
        spectrum = u.view(u.shape[0], grid.rows, grid.columns, -1) * scale
        result = result + (bands_transposed(pixels.precision * bands(spectrum)) * scale).reshape(u.shape)
    return result


def operator_diagonal(
    grid: SourceGrid, variance: Tensor, symbols: SymbolEvidence, pixels: PixelEvidence | None
) -> Tensor:
    """The operator's diagonal, N x grid.size; what pixels say is taken as constant inside a 64 x 64 block."""
    diagonal = 1 / variance + (symbols.precision.sum(1, keepdim=True) / symbols.mixing.length)
    if pixels is not None:
        diagonal = diagonal + pixel_diagonal(grid, pixels)
    return diagonal


def pixel_diagonal(grid: SourceGrid, pixels: PixelEvidence) -> Tensor:
    """How much the pixels say of each coefficient, as a precision in the sender's units: N x grid.size."""
    device = pixels.precision.device
    channel, row, column = frequencies(device)
    count, channels, rows, columns, _, _ = pixels.precision.shape
    blocks = SOURCE_BLOCK // BLOCK
    mean = pixels.precision.view(count, channels, rows, columns, blocks, BAND, blocks, BAND).mean((4, 6))
    row, column = ((f // blocks).clamp_max(BAND - 1) for f in (row, column))
    per_band = mean[:, channel, :, :, row, column]
    # Advanced indexing around slices puts the coefficients first.
    return (per_band.permute(1, 2, 3, 0) * sender_scale(device) ** 2).reshape(count, grid.size)


def conjugate_gradients(
    operator: Callable[[Tensor], Tensor],
    right: Tensor,
    diagonal: Tensor,
    *,
    iterations: int,
    tolerance: float,
    start: Tensor | None = None,
) -> Tensor:
    """Solve operator(x) = right for each row of N x K, preconditioned by a diagonal; stops when all rows converged."""
    x = torch.zeros_like(right) if start is None else start
    residual = right - operator(x) if start is not None else right.clone()
    scaled = residual / diagonal
    direction = scaled.clone()
    energy = (residual * scaled).sum(1, keepdim=True)
    stop = (right * right / diagonal).sum(1, keepdim=True) * tolerance**2
    for _ in range(iterations):
        image = operator(direction)
        rate = energy / (direction * image).sum(1, keepdim=True).clamp_min(1e-30)
        x = x + rate * direction
        residual = residual - rate * image
        scaled = residual / diagonal
        previous, energy = energy, (residual * scaled).sum(1, keepdim=True)
        if bool((energy <= stop).all()):
            break
        direction = scaled + energy / previous.clamp_min(1e-30) * direction
    return x


def solve(
    grid: SourceGrid,
    variance: Tensor,
    symbols: SymbolEvidence,
    pixels: PixelEvidence | None = None,
    *,
    mean: Tensor | None = None,
    start: Tensor | None = None,
    iterations: int = 40,
    tolerance: float = 1e-3,
) -> Tensor:
    """The most probable coefficients, N x rows x columns x COEFFICIENTS in grey levels.

    variance: prior variance in the sender's units, broadcastable to N x grid.size.
    mean: prior mean in the sender's units, N x grid.size; zero if None. start: a first guess, N x grid.size, in
    the sender's units; what is near saves iterations.
    """
    count = symbols.values.shape[0]
    variance = variance.expand(count, grid.size)
    values = symbols.values if mean is None else symbols.values - symbols.mixing.forward(mean)
    right = symbols.mixing.transposed(symbols.precision * values)
    scale = sender_scale(right.device)
    if pixels is not None:
        known = pixels.values
        if mean is not None:
            known = known - bands(mean.view(count, grid.rows, grid.columns, -1) * scale)
        right = right + (bands_transposed(pixels.precision * known) * scale).reshape(right.shape)
    u = conjugate_gradients(
        lambda t: _apply(t, grid, variance, symbols, pixels),
        right,
        operator_diagonal(grid, variance, symbols, pixels),
        iterations=iterations,
        tolerance=tolerance,
        start=None if start is None else (start if mean is None else start - mean),
    )
    if mean is not None:
        u = u + mean
    return u.view(count, grid.rows, grid.columns, -1) * scale
