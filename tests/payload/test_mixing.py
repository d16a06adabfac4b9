"""The keyed mixing and the Hartley transform under it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from imuge_cli.keys import Secret
from imuge_cli.payload.mixing import LONGEST, MixingPair, fast_length, hartley, make_mixing

SECRET = Secret(b"s" * 32)
CPU = torch.device("cpu")


def is_smooth(number: int) -> bool:
    for prime in (2, 3, 5):
        while number % prime == 0:
            number //= prime
    return number == 1


@settings(max_examples=60)
@given(st.integers(1, 20000))
def test_fast_length_is_the_smallest_smooth_number(minimum: int) -> None:
    expected = next(n for n in range(minimum, 2 * minimum + 1) if is_smooth(n))
    assert fast_length(minimum) == expected


@pytest.mark.parametrize("length", [1, 2, 9, 20, 45])
def test_hartley_is_its_definition_orthonormal_and_its_own_inverse(length: int) -> None:
    n = torch.arange(length, dtype=torch.float64)
    angle = 2 * math.pi * torch.outer(n, n) / length
    matrix = (torch.cos(angle) + torch.sin(angle)) / math.sqrt(length)
    unit = torch.eye(length, dtype=torch.float64)
    torch.testing.assert_close(hartley(unit), matrix, atol=1e-10, rtol=0)
    torch.testing.assert_close(hartley(unit) @ hartley(unit).T, unit, atol=1e-10, rtol=0)
    torch.testing.assert_close(hartley(hartley(unit)), unit, atol=1e-10, rtol=0)


def values(count: int, seed: int) -> Tensor:
    return torch.randn(3, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=25)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 99))
def test_transposed_is_the_adjoint(inputs: int, outputs: int, seed: int) -> None:
    mixing = make_mixing(SECRET, inputs, outputs, CPU)
    x, y = values(inputs, seed), values(outputs, seed + 1)
    assert mixing.forward(x).shape == (3, outputs)
    assert mixing.transposed(y).shape == (3, inputs)
    left, right = (mixing.forward(x) * y).sum(1), (x * mixing.transposed(y)).sum(1)
    torch.testing.assert_close(left, right, atol=1e-9, rtol=1e-9)


@settings(max_examples=25)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 99))
def test_the_normal_operator_is_there_and_back(inputs: int, outputs: int, seed: int) -> None:
    mixing = make_mixing(SECRET, inputs, outputs, CPU)
    x, precision = values(inputs, seed), values(outputs, seed + 1).abs()
    expected = mixing.transposed(precision * mixing.forward(x))
    torch.testing.assert_close(mixing.normal(precision)(x), expected, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(mixing.normal(precision[:1])(x[:1]), expected[:1], atol=1e-9, rtol=1e-9)


def test_the_normal_operator_of_several_transforms_is_there_and_back() -> None:
    mixing = make_mixing(SECRET, 2 * LONGEST + 1, 300, CPU)
    assert mixing.transforms == 3
    x, precision = values(mixing.inputs, 1), values(300, 2).abs()
    torch.testing.assert_close(mixing.normal(precision)(x), mixing.transposed(precision * mixing.forward(x)))


def test_the_matrix_is_a_part_of_an_orthonormal_one() -> None:
    square = make_mixing(SECRET, 120, 120, CPU)
    assert square.length == 120
    matrix = square.forward(torch.eye(120, dtype=torch.float64))
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(120, dtype=torch.float64), atol=1e-10, rtol=0)
    few = make_mixing(SECRET, 120, 70, CPU)
    assert few.length == 120
    rows = few.forward(torch.eye(120, dtype=torch.float64)).T
    torch.testing.assert_close(rows @ rows.T, torch.eye(70, dtype=torch.float64), atol=1e-10, rtol=0)


def test_every_symbol_carries_a_little_of_everything() -> None:
    matrix = make_mixing(SECRET, 400, 300, CPU).forward(torch.eye(400, dtype=torch.float64))
    assert float(matrix.abs().max()) <= math.sqrt(2 / 400) + 1e-9
    assert float((matrix.abs() > 0.2 / math.sqrt(400)).double().mean()) > 0.8


def test_mixing_depends_on_the_secret_and_both_counts() -> None:
    x = values(200, 1)
    one = make_mixing(SECRET, 200, 150, CPU).forward(x)
    torch.testing.assert_close(one, make_mixing(SECRET, 200, 150, CPU).forward(x))
    other = make_mixing(Secret(b"t" * 32), 200, 150, CPU).forward(x)
    longer = make_mixing(SECRET, 200, 151, CPU).forward(x)[:, :150]
    for mixed in (other, longer):
        assert abs(float(torch.corrcoef(torch.stack([one.flatten(), mixed.flatten()]))[0, 1])) < 0.25


@pytest.mark.parametrize(("first", "second"), [(30, 50), (100, 20)])
def test_a_pair_is_one_mixing_of_both_lengths(first: int, second: int) -> None:
    parts = [make_mixing(SECRET, 40, count, CPU, name=f"pair {count}") for count in (first, second)]
    pair = MixingPair(*parts)
    unit = torch.eye(40, dtype=torch.float64)
    matrix = pair.forward(unit).T
    assert matrix.shape == (pair.outputs, 40) == (first + second, 40)
    shares = [(part.length / pair.length) ** 0.5 for part in parts]
    expected = [share * part.forward(unit).T for share, part in zip(shares, parts, strict=True)]
    torch.testing.assert_close(matrix, torch.cat(expected))
    symbols, precision = values(pair.outputs, 1), values(pair.outputs, 2).abs()
    torch.testing.assert_close(pair.transposed(symbols), symbols @ matrix)
    normal = pair.normal(precision)(values(40, 3))
    torch.testing.assert_close(normal, pair.transposed(precision * pair.forward(values(40, 3))))
    # Were all rows kept its columns would be orthonormal: on average a row has as much power in either part.
    power = matrix.square().sum(1) * pair.length / 40
    assert float(power[:first].mean()) == pytest.approx(1, abs=0.1)
    assert float(power[first:].mean()) == pytest.approx(1, abs=0.1)


def test_a_name_of_its_own_makes_another_mixing() -> None:
    one, other = (make_mixing(SECRET, 64, 64, CPU, name=name) for name in ("payload mixing", "payload fine mixing"))
    assert not torch.equal(one.positions, other.positions) and not torch.equal(one.signs, other.signs)
