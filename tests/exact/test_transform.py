"""The transform is exact, orthonormal and its own inverse but for rounding."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from imuge_cli.exact import transform
from imuge_cli.exact.transform import AREA, SIDE, UNIT, cell_centres, forward, inverse

TWO = np.array(2, np.int32)


def random_samples(channels: int, count: int, seed: int = 0) -> NDArray[np.int32]:
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, 256, (channels * AREA, count)) * UNIT
    samples[:, 0], samples[:, 1] = 0, 255 * UNIT
    # The loudest there can be: a coefficient's own signs, black and white.
    samples[:, 2] = np.tile(
        np.where(transform._DCT[1][:, None] * transform._DCT[15] > 0, 255 * UNIT, 0).ravel(), channels
    )
    return samples.astype(np.int32)


def definition(samples: NDArray[np.int32]) -> NDArray[np.float64]:
    """Colour transform and DCT-II as formulas, in floating point."""
    n = np.arange(SIDE)
    dct = np.sqrt(2 / SIDE) * np.cos(math.pi * (2 * n + 1) * n[:, None] / (2 * SIDE))
    dct[0] /= math.sqrt(2)
    colour = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
    blocks = samples.reshape(-1, SIDE, SIDE, samples.shape[1]) / UNIT - 128
    if len(blocks) == 3:
        blocks = np.einsum("ck,kijn->cijn", colour, blocks)
    return np.einsum("ui,cijn,vj->cuvn", dct, blocks, dct).reshape(samples.shape)


@pytest.mark.parametrize("channels", [1, 3])
def test_forward_is_its_definition(channels: int) -> None:
    samples = random_samples(channels, 40)
    wrong = forward(samples) / UNIT - definition(samples)
    # The cosines' rounding shows in the loudest block, whose coefficients are near 2,000.
    assert np.abs(wrong).max() < 0.3 and np.std(wrong) < 0.012


@pytest.mark.parametrize("channels", [1, 3])
def test_there_and_back(channels: int) -> None:
    samples = random_samples(channels, 40, seed=1)
    assert np.abs(inverse(forward(samples)) - samples).max() <= 0.11 * UNIT
    assert np.sqrt(np.mean((inverse(forward(samples)) - samples) ** 2)) < 0.02 * UNIT


def in_whole_numbers(values: NDArray[np.int32], matrix: NDArray[np.float64]) -> list[int]:
    """matrix X matrix^T of one channel of one block in Python's own numbers, rounded."""
    x, m = values.reshape(SIDE, SIDE).tolist(), matrix.astype(int).tolist()
    rows = [[sum(m[u][i] * x[i][j] for i in range(SIDE)) for j in range(SIDE)] for u in range(SIDE)]
    both = [sum(rows[u][j] * m[v][j] for j in range(SIDE)) for u in range(SIDE) for v in range(SIDE)]
    return [(value + (1 << 27)) >> 28 for value in both]


def test_products_are_exact() -> None:
    samples = random_samples(1, 4, seed=2)
    found = forward(samples)
    back = inverse(found)
    for block in range(4):
        assert found[:, block].tolist() == in_whole_numbers(samples[:, block] - 128 * UNIT, transform._DCT)
        expected = in_whole_numbers(found[:, block], transform._DCT.T)
        assert (back[:, block] - 128 * UNIT).tolist() == expected


def test_no_partial_sum_leaves_what_is_exact() -> None:
    gain = float(np.abs(transform._DCT).sum(1).max())
    colour = np.abs(np.array(transform._COLOUR)).sum(1).max()
    assert 128 * UNIT * colour < 2**53
    assert 128 * UNIT * math.sqrt(3) * gain**2 < 2**53
    gain = float(np.abs(transform._DCT).sum(0).max())
    assert transform._LARGEST * gain**2 < 2**53


def test_damaged_coefficients_stay_in_range() -> None:
    wild = np.full((3 * AREA, 2), np.iinfo(np.int32).max, np.int32)
    wild[:, 1] = np.iinfo(np.int32).min + 1
    assert np.abs(inverse(wild)).max() < 1 << 25


def test_blocks_do_not_depend_on_each_other() -> None:
    samples = random_samples(3, 33, seed=3)
    together = forward(samples)
    assert all((forward(samples[:, n : n + 1])[:, 0] == together[:, n]).all() for n in range(33))


def test_cell_centres() -> None:
    content = np.array([[0], [5], [127]], np.int32)
    assert (cell_centres(content, TWO, 8).ravel() == np.array([0.5, 10.5, 254.5]) * UNIT).all()
    assert cell_centres(np.array([[7]], np.int32), np.array(3, np.int32), 8)[0, 0] == 22 * UNIT
    deep = cell_centres(np.array([[0], [4095]], np.int32), np.array(16, np.int32), 16)
    assert deep.ravel().tolist() == pytest.approx([7.5 / 257 * UNIT, 65527.5 / 257 * UNIT], abs=0.51)
