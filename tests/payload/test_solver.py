"""The linear solution against a dense one, and what evidence does to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from imuge_cli.keys import Secret
from imuge_cli.payload.mixing import make_mixing
from imuge_cli.payload.solver import (
    PixelEvidence,
    SymbolEvidence,
    conjugate_gradients,
    operator_diagonal,
    pixel_diagonal,
    solve,
)
from imuge_cli.payload.source import (
    SourceGrid,
    bands,
    cells_of_picture,
    model_variance,
    sender_scale,
    synthesise_source,
)

GRID = SourceGrid(1, 1)
OUTPUTS = 500


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def variance() -> Tensor:
    return (model_variance() / sender_scale() ** 2)[None]


@pytest.fixture
def truth(variance: Tensor) -> Tensor:
    return torch.randn(1, GRID.size, generator=generator(1)) * variance.sqrt()


@pytest.fixture
def symbols(truth: Tensor) -> SymbolEvidence:
    mixing = make_mixing(Secret(b"s" * 32), GRID.size, OUTPUTS, torch.device("cpu"))
    precision = torch.rand(1, OUTPUTS, generator=generator(2)) * 0.02 + 0.001
    precision[:, ::5] = 0
    noise = torch.randn(1, OUTPUTS, generator=generator(3)) / precision.clamp_min(1e-3).sqrt()
    return SymbolEvidence(mixing, mixing.forward(truth) + noise, precision)


@pytest.fixture
def pixels(truth: Tensor) -> PixelEvidence:
    precision = torch.full((1, 3, 1, 1, 32, 32), 0.02)
    precision[..., :12, :20] = 0
    shown = bands(truth.view(1, 1, 1, -1) * sender_scale())
    return PixelEvidence(shown + torch.randn(shown.shape, generator=generator(4)) * 50**0.5, precision)


@pytest.fixture
def partly(pixels: PixelEvidence, truth: Tensor) -> PixelEvidence:
    """Some pixels of the blocks that give no evidence as a whole."""
    precision = torch.zeros_like(pixels.precision)
    precision[..., 3:10, 5:9] = 0.01
    shown = show_cells(truth)
    noise = torch.randn(shown.shape, generator=generator(5)) * 10
    return replace(pixels, cells=shown + noise, cell_precision=precision)


@pytest.fixture
def whole(pixels: PixelEvidence, truth: Tensor) -> PixelEvidence:
    """The coefficients themselves, some better known than others."""
    shown = truth.view(1, 1, 1, -1) * sender_scale()
    precision = torch.rand(shown.shape, generator=generator(6)) * 0.1
    noise = torch.randn(shown.shape, generator=generator(7)) * 3
    return replace(pixels, whole=shown + noise, whole_precision=precision)


def show_cells(sent: Tensor) -> Tensor:
    return cells_of_picture(synthesise_source(sent.view(len(sent), 1, 1, -1) * sender_scale()))


def dense(symbols: SymbolEvidence, pixels: PixelEvidence | None, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Normal equations: the matrix is built by showing forward operators every unit vector. float64."""
    unit = torch.eye(GRID.size)
    mix = symbols.mixing.forward(unit).double()
    weighted = mix * symbols.precision.double()
    matrix, right = weighted @ mix.T + torch.diag(1 / variance[0].double()), weighted @ symbols.values[0].double()
    if pixels is not None:
        show = bands(unit.view(GRID.size, 1, 1, -1) * sender_scale()).flatten(1).double()
        weighted = show * pixels.precision.flatten().double()
        matrix, right = matrix + weighted @ show.T, right + weighted @ pixels.values.flatten().double()
    if pixels is not None and pixels.cells is not None and pixels.cell_precision is not None:
        show = show_cells(unit).flatten(1).double()
        weighted = show * pixels.cell_precision.flatten().double()
        matrix, right = matrix + weighted @ show.T, right + weighted @ pixels.cells.flatten().double()
    if pixels is not None and pixels.whole is not None and pixels.whole_precision is not None:
        weight = (pixels.whole_precision.flatten() * sender_scale()).double()
        matrix = matrix + torch.diag(weight * sender_scale().double())
        right = right + weight * pixels.whole.flatten().double()
    return matrix, right


@pytest.mark.parametrize("view", ["none", "pixels", "partly", "whole"])
def test_the_solution_is_the_dense_solution(
    symbols: SymbolEvidence,
    pixels: PixelEvidence,
    partly: PixelEvidence,
    whole: PixelEvidence,
    variance: Tensor,
    view: str,
) -> None:
    evidence = {"none": None, "pixels": pixels, "partly": partly, "whole": whole}[view]
    matrix, right = dense(symbols, evidence, variance)
    expected = torch.linalg.solve(matrix, right).float()
    found = solve(GRID, variance, symbols, evidence, iterations=400, tolerance=1e-6) / sender_scale()
    gap = (found.flatten() - expected) / expected.std()
    assert float(gap.abs().max()) < 3e-3


def test_a_prior_mean_is_where_the_solution_stays_without_evidence(
    symbols: SymbolEvidence, truth: Tensor, variance: Tensor
) -> None:
    silent = SymbolEvidence(symbols.mixing, symbols.values, torch.zeros_like(symbols.precision))
    found = solve(GRID, variance, silent, mean=truth) / sender_scale()
    torch.testing.assert_close(found.flatten(1), truth, atol=1e-4, rtol=1e-4)


def test_a_prior_mean_shifts_the_problem(
    symbols: SymbolEvidence, whole: PixelEvidence, truth: Tensor, variance: Tensor
) -> None:
    matrix, right = dense(symbols, whole, variance)
    mean = truth * 0.5
    expected = torch.linalg.solve(matrix, right + mean[0].double() / variance[0].double()).float()
    found = solve(GRID, variance, symbols, whole, mean=mean, iterations=400, tolerance=1e-6) / sender_scale()
    assert float(((found.flatten() - expected) / expected.std()).abs().max()) < 3e-3


def test_more_evidence_is_nearer_to_the_truth(
    symbols: SymbolEvidence, pixels: PixelEvidence, truth: Tensor, variance: Tensor
) -> None:
    silent = SymbolEvidence(symbols.mixing, symbols.values, torch.zeros_like(symbols.precision))
    errors = [
        float(((solve(GRID, variance, s, p, iterations=100).flatten(1) / sender_scale() - truth) ** 2).mean())
        for s, p in ((silent, None), (symbols, None), (silent, pixels), (symbols, pixels))
    ]
    assert errors[1] < errors[0]
    assert errors[3] < 0.7 * errors[1]
    assert errors[3] < errors[2] < errors[0]


def test_the_start_does_not_change_the_solution(
    symbols: SymbolEvidence, pixels: PixelEvidence, variance: Tensor
) -> None:
    one = solve(GRID, variance, symbols, pixels, iterations=400, tolerance=1e-6)
    start = torch.randn(1, GRID.size, generator=generator(9)) * 20
    other = solve(GRID, variance, symbols, pixels, start=start, iterations=400, tolerance=1e-6)
    assert float((one - other).abs().max()) < 0.05 * float(one.std())


def test_pictures_of_a_batch_do_not_mix(symbols: SymbolEvidence, pixels: PixelEvidence, variance: Tensor) -> None:
    two = SymbolEvidence(symbols.mixing, symbols.values.repeat(2, 1), symbols.precision * torch.tensor([[1.0], [0.0]]))
    known = PixelEvidence(pixels.values.repeat(2, 1, 1, 1, 1, 1), pixels.precision.repeat(2, 1, 1, 1, 1, 1))
    both = solve(GRID, variance, two, known, iterations=400, tolerance=1e-6)
    for i in range(2):
        single = SymbolEvidence(two.mixing, two.values[i : i + 1], two.precision[i : i + 1])
        alone = solve(GRID, variance, single, pixels, iterations=400, tolerance=1e-6)
        assert float((both[i] - alone[0]).abs().max()) < 0.01 * float(alone.std())


def test_blocks_that_are_read_off_alone_change_nothing(
    symbols: SymbolEvidence, partly: PixelEvidence, whole: PixelEvidence, variance: Tensor
) -> None:
    """They are left out of the transforms of those that bands and cells show."""
    assert partly.cells is not None and partly.cell_precision is not None
    assert whole.whole is not None and whole.whole_precision is not None
    read = replace(whole, precision=torch.zeros_like(whole.precision))
    shown = replace(partly, whole=whole.whole, whole_precision=torch.zeros_like(whole.whole_precision))
    both = PixelEvidence(
        values=torch.cat([shown.values, read.values]),
        precision=torch.cat([shown.precision, read.precision]),
        cells=partly.cells.repeat(2, 1, 1, 1, 1, 1),
        cell_precision=torch.cat([partly.cell_precision, torch.zeros_like(partly.cell_precision)]),
        whole=whole.whole.repeat(2, 1, 1, 1),
        whole_precision=torch.cat([torch.zeros_like(whole.whole_precision), whole.whole_precision]),
    )
    two = SymbolEvidence(symbols.mixing, symbols.values.repeat(2, 1), symbols.precision.repeat(2, 1))
    found = solve(GRID, variance, two, both, iterations=400, tolerance=1e-6) / sender_scale()
    for number, evidence in enumerate((shown, read)):
        matrix, right = dense(symbols, evidence, variance)
        expected = torch.linalg.solve(matrix, right).float()
        assert float(((found[number].flatten() - expected) / expected.std()).abs().max()) < 3e-3
    only = solve(GRID, variance, symbols, read, iterations=400, tolerance=1e-6) / sender_scale()
    torch.testing.assert_close(only[0], found[1], atol=1e-2, rtol=1e-3)


def test_the_diagonal_is_the_operators(symbols: SymbolEvidence, pixels: PixelEvidence, variance: Tensor) -> None:
    even = PixelEvidence(pixels.values, torch.full_like(pixels.precision, 0.02))
    matrix, _ = dense(symbols, None, variance)
    without = operator_diagonal(GRID, variance, symbols, None)[0].double()
    # Mixing spreads evenly only on average: a diagonal serves as preconditioner within some per cent.
    assert float((matrix.diagonal() / without - 1).abs().max()) < 0.25
    full = dense(symbols, even, variance)[0].diagonal() - matrix.diagonal()
    rough = pixel_diagonal(GRID, even)[0].double()
    assert 0.4 < float((full / rough).quantile(0.1)) < float((full / rough).quantile(0.9)) < 1.05


def test_conjugate_gradients_end_where_the_answer_is_exact() -> None:
    steps = []
    diagonal = torch.tensor([[1.0, 2.0, 5.0]])

    def operator(x: Tensor) -> Tensor:
        steps.append(1)
        return x * diagonal

    right = torch.tensor([[1.0, 2.0, 3.0]])
    x = conjugate_gradients(operator, right, diagonal, iterations=50, tolerance=1e-5)
    torch.testing.assert_close(x, right / diagonal)
    assert len(steps) == 1
    zero = conjugate_gradients(operator, right * 0, diagonal, iterations=50, tolerance=1e-5)
    torch.testing.assert_close(zero, right * 0)
