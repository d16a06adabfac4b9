"""The linear minimum-mean-square-error solution: from received symbols and known pixels to coefficients.

Prior: coefficients u (in the sender's units) are independent, zero mean, variance v. Received symbols
y = A u + noise of known variance (infinite where a symbol was lost). Known pixels: 8 x 8 block DCT coefficients
o = F u + noise of known variance (infinite inside the tampered area). The solution minimises

    |u|^2 / v + |y - A u|^2 / n + |o - F u|^2 / w,

a symmetric positive definite system, solved by preconditioned conjugate gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from imuge_cli.lattice.transform import BLOCK
from imuge_cli.payload.mixing import Mixing, MixingPair
from imuge_cli.payload.source import (
    BAND,
    COEFFICIENTS,
    SOURCE_BLOCK,
    Operator,
    SourceGrid,
    bands_normal,
    bands_transposed,
    cell_diagonal,
    cells_normal,
    cells_transposed,
    frequencies,
    sender_scale,
)


@dataclass(frozen=True)
class SymbolEvidence:
    """Received symbols and how far to trust them.

    values: N x outputs, in the units of A u. precision: N x outputs, one over the noise variance; 0 = lost.
    """

    mixing: Mixing | MixingPair
    values: Tensor
    precision: Tensor


@dataclass(frozen=True)
class PixelEvidence:
    """The suspect's own pixels as 8 x 8 block DCT bands, and how far to trust them.

    values, precision: N x 3 x rows x columns x 32 x 32 as `payload.source.bands` arranges them; grey levels and
    one over grey levels squared; precision 0 = tampered or outside.
    cells, cell_precision: the same for cells of 2 x 2 pixels, in blocks of which a part is intact; cell_trust: N x rows
    x columns x 32 x 32, how far each of them counts beyond its block, in [0, 1]; None = unused.
    whole, whole_precision: the coefficients themselves, where all of a source block is intact: N x rows x columns x
    COEFFICIENTS; None = unused.
    """

    values: Tensor
    precision: Tensor
    cells: Tensor | None = None
    cell_precision: Tensor | None = None
    cell_trust: Tensor | None = None
    whole: Tensor | None = None
    whole_precision: Tensor | None = None


class _Shown:
    """What the pixels say of coefficients, as an operator in the sender's units, N x grid.size to the same: the
    coefficients that are read off, in `diagonal` (None: none is), and the views by bands and by cells, there and back,
    of the source blocks that have any."""

    def __init__(self, pixels: PixelEvidence) -> None:
        self._pixels = pixels
        self._scale = sender_scale(pixels.precision.device)
        whole = pixels.whole_precision
        self.diagonal = None if whole is None else (whole * self._scale**2).flatten(1)
        views = [(bands_normal, pixels.precision)]
        if pixels.cell_precision is not None:
            views.append((cells_normal, pixels.cell_precision))
        self._views: list[tuple[Tensor, Operator]] = []
        for normal, precision in views:
            by_block = precision.transpose(0, 1).flatten(1, 3)
            told = (by_block > 0).any(-1).any(-1).any(0).nonzero()[:, 0]
            if len(told):
                self._views.append((told, normal(by_block.index_select(1, told))))

    def views(self, u: Tensor) -> Tensor | None:
        """Without the coefficients that are read off; None where nothing else tells anything."""
        if not self._views:
            return None
        blocks = u.reshape(-1, COEFFICIENTS)
        result = torch.zeros_like(blocks)
        for told, normal in self._views:
            result.index_add_(0, told, normal(blocks.index_select(0, told) * self._scale) * self._scale)
        return result.view_as(u)

    def pull(self, mean: Tensor | None) -> Tensor:
        """What the pixels pull the coefficients towards, N x grid.size; mean: what to count from."""
        pixels = self._pixels
        right = bands_transposed(pixels.precision * pixels.values)
        if pixels.whole is not None and pixels.whole_precision is not None:
            right = right + pixels.whole_precision * pixels.whole
        if pixels.cells is not None and pixels.cell_precision is not None:
            right = right + cells_transposed(pixels.cell_precision * pixels.cells)
        right = (right * self._scale).flatten(1)
        if mean is None:
            return right
        if self.diagonal is not None:
            right = right - self.diagonal * mean
        said = self.views(mean)
        return right if said is None else right - said


def _operator(variance: Tensor, symbols: SymbolEvidence, shown: _Shown | None) -> Operator:
    """Of the system that `solve` solves."""
    diagonal = 1 / variance
    if shown is not None and shown.diagonal is not None:
        diagonal = diagonal + shown.diagonal
    # Before any symbol is believed the pixels are asked alone: then nothing needs to be mixed.
    mixed = symbols.mixing.normal(symbols.precision) if bool(symbols.precision.any()) else None

    def operator(u: Tensor) -> Tensor:
        result = diagonal * u
        if mixed is not None:
            result = result + mixed(u)
        said = None if shown is None else shown.views(u)
        return result if said is None else result + said

    return operator


def operator_diagonal(
    grid: SourceGrid, variance: Tensor, symbols: SymbolEvidence, pixels: PixelEvidence | None
) -> Tensor:
    """The operator's diagonal, N x grid.size; what pixels say is taken as constant inside a 64 x 64 block."""
    diagonal = 1 / variance + (symbols.precision.sum(1, keepdim=True) / symbols.mixing.length)
    if pixels is not None:
        diagonal = diagonal + pixel_diagonal(grid, pixels)
    return diagonal


def _preconditioner(
    grid: SourceGrid, variance: Tensor, symbols: SymbolEvidence, pixels: PixelEvidence | None
) -> Tensor:
    """The operator's diagonal with the cells' part.

    That part is no measure of what the cells tell: many coefficients share a few of them.
    """
    diagonal = operator_diagonal(grid, variance, symbols, pixels)
    if pixels is not None and pixels.cell_precision is not None:
        scale = sender_scale(diagonal.device)
        diagonal = diagonal + (cell_diagonal(pixels.cell_precision) * scale**2).flatten(1)
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
    by_coefficient = per_band.permute(1, 2, 3, 0)
    if pixels.whole_precision is not None:
        by_coefficient = by_coefficient + pixels.whole_precision
    return (by_coefficient * sender_scale(device) ** 2).reshape(count, grid.size)


def conjugate_gradients(
    operator: Operator,
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
        x = torch.addcmul(x, rate, direction)
        residual = torch.addcmul(residual, rate, image, value=-1)
        scaled = residual / diagonal
        previous, energy = energy, (residual * scaled).sum(1, keepdim=True)
        if bool((energy <= stop).all()):
            break
        direction = torch.addcmul(scaled, energy / previous.clamp_min(1e-30), direction)
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
    tolerance: float = 3e-4,
) -> Tensor:
    """The most probable coefficients, N x rows x columns x COEFFICIENTS in grey levels.

    tolerance: of the residual, relative. A looser one than the default ends the receiver's passes too early, because
    a solution that starts near the last one counts as converged: 1e-3 costs .2 dB at JPEG 50, 3e-3 2 dB.

    variance: prior variance in the sender's units, broadcastable to N x grid.size.
    mean: prior mean in the sender's units, N x grid.size; zero if None. start: a first guess, N x grid.size, in
    the sender's units; what is near saves iterations.
    """
    count = symbols.values.shape[0]
    shape = (count, grid.rows, grid.columns, -1)
    variance = variance.expand(count, grid.size)
    values = symbols.values if mean is None else symbols.values - symbols.mixing.forward(mean)
    right = symbols.mixing.transposed(symbols.precision * values)
    shown = None if pixels is None else _Shown(pixels)
    if shown is not None:
        right = right + shown.pull(mean)
    u = conjugate_gradients(
        _operator(variance, symbols, shown),
        right,
        _preconditioner(grid, variance, symbols, pixels),
        iterations=iterations,
        tolerance=tolerance,
        start=None if start is None else (start if mean is None else start - mean),
    )
    if mean is not None:
        u = u + mean
    return u.view(shape) * sender_scale(u.device)
