"""What the tile code expects of pictures.

A weighted sum of what lies around a position, in whole numbers, says how large a value to expect; its logarithm is the
context, and the context has a table of frequencies. Weights and frequencies were learned from photographs
(`imuge_cli.training.exact_tables`) and are part of the format.

Sums are products of float32 (float64 for 16-bit samples) that hold whole numbers small enough for every partial sum to
be exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.contexts import Group
from imuge_cli.exact.symbols import Alphabet, Integers
from imuge_cli.exact.transform import AREA

Floats = NDArray[Any]
"""float32 or float64, whole numbers."""

WEIGHT_SHIFT = 10
"""Weights are whole multiples of 2^-WEIGHT_SHIFT."""
STEP_CLASSES = (31, 50, 79, 126, 200, 317)
"""Steps (sixteenths of a grey level) from which the next set of weights is used."""
CLASSES_OF_STEPS = len(STEP_CLASSES) + 1
FAMILIES = 2
"""The remainder's tables are there twice: for base 2 and for finer contents; and for coarser ones."""
_SETS = 3


@dataclass(frozen=True)
class Tables:
    """Everything learned.

    weights: for each of "base", "fine", "mean" and "spread" and each set (a channel; for the remainder, its place in
    the order, first for one family and then for the other): step classes x parts x taps. bias: for "base" and "fine"
    step classes x 256, else step classes x parts. points: where in its cell a coefficient is put, 256ths of the cell.
    escapes: rows for the base's channels, their means, and the remainder.
    """

    weights: Mapping[str, Sequence[NDArray[Any]]]
    bias: Mapping[str, Sequence[NDArray[Any]]]
    base: Alphabet
    fine: Alphabet
    remainder: Alphabet
    escapes: Alphabet
    base_points: Integers
    fine_points: Integers

    def predictor(self, name: str, group: Group, number: int, dtype: type, family: int = 0) -> Predictor:
        """A group's weighted sums under step class `number`. name: a key of `weights`; family: of the remainder's."""
        chosen = group.number + family * _SETS
        bias = self.bias[name][chosen][number]
        # Along diagonals every position has a bias of its own.
        own = bias[group.positions] if bias.size == AREA else bias[group.part]
        return Predictor.of(group, self.weights[name][chosen][number][group.part], own, dtype)

    @property
    def last_escape(self) -> int:
        """The remainder's row of `escapes`."""
        return self.escapes.nothing - 1


@lru_cache(maxsize=1)
def load_tables() -> Tables:
    """The tables of format version 1."""
    with resources.files("imuge_cli.exact").joinpath("tables-1.npz").open("rb") as file, np.load(file) as arrays:
        return tables_of(dict(arrays))


def tables_of(arrays: Mapping[str, NDArray[Any]]) -> Tables:
    """Tables from the arrays of a file."""
    names = {"base": _SETS, "fine": _SETS, "mean": FAMILIES * _SETS, "spread": FAMILIES * _SETS}
    return Tables(
        weights={name: [arrays[f"{name}_weights_{number}"] for number in range(n)] for name, n in names.items()},
        bias={name: [arrays[f"{name}_bias_{number}"] for number in range(n)] for name, n in names.items()},
        base=Alphabet.of(arrays["base_frequencies"]),
        fine=Alphabet.of(arrays["fine_frequencies"]),
        remainder=Alphabet.of(arrays["remainder_frequencies"]),
        escapes=Alphabet.of(arrays["escape_frequencies"]),
        base_points=arrays["base_points"].astype(np.int32).ravel(),
        fine_points=arrays["fine_points"].astype(np.int32).ravel(),
    )


def step_class(step: int) -> int:
    """Which set of weights serves a step."""
    return int(np.searchsorted(STEP_CLASSES, step, side="right"))


@dataclass(frozen=True)
class Predictor:
    """Weighted sums for a group. weights: k x 1 x taps; bias: k x 1."""

    group: Group
    weights: Floats
    bias: Floats

    @classmethod
    def of(cls, group: Group, weights: NDArray[Any], bias: NDArray[Any], dtype: type) -> Predictor:
        """weights: k x taps; bias: k; whole multiples of 2^-WEIGHT_SHIFT."""
        return cls(group, weights[:, None].astype(dtype), bias[:, None].astype(dtype))

    def with_bias(self, halves: Integers) -> Predictor:
        """The same weights; the bias (k x 1) times so many halves, rounded down."""
        return Predictor(self.group, self.weights, np.floor(self.bias * halves.astype(self.bias.dtype) / 2))

    def __call__(self, values: Floats) -> Floats:
        """rows x n to k x n, times 2^WEIGHT_SHIFT."""
        sums: Floats = np.matmul(self.weights, values.take(self.group.rows, axis=0))[:, 0]
        sums += self.bias
        return sums


def logarithm(expected: Floats, lowest: int, classes: int) -> NDArray[np.intp]:
    """Quarters of an octave above 2^lowest, 0 .. classes - 1, of whole numbers; exact, read off their exponents."""
    kept = np.maximum(expected, 1)
    if kept.dtype == np.float32:
        quarters = (kept.view(np.int32) >> 21) - (127 + lowest) * 4
    else:
        quarters = ((kept.view(np.int64) >> 50) - (1023 + lowest) * 4).astype(np.int32)
    result: NDArray[np.intp] = np.clip(quarters, 0, classes - 1).astype(np.intp)
    return result
