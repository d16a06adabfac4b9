"""The first two layers: transform coefficients, quantized with twice the step, then with the step.

Levels are signed numbers of cells, (C * 256) x n. Both layers go channel by channel and diagonal by diagonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.contexts import DIAGONALS, Group, base_groups, base_rows, fine_groups, fine_rows
from imuge_cli.exact.models import CLASSES_OF_STEPS, Predictor, Tables, logarithm
from imuge_cli.exact.rans import Decoder
from imuge_cli.exact.symbols import (
    Alphabet,
    Contexts,
    Integers,
    SignsRead,
    Written,
    read_values,
    signs_apart,
    write_values,
)
from imuge_cli.exact.transform import AREA, UNIT

LARGEST = 1 << 13
# A coefficient's magnitude is rounded down after so many twentieths of a step were added: noise becomes zero.
_ROUNDING, _PARTS = 7, 20
_SIXTEENTHS = UNIT // 16

BASE_CLASSES, FINE_CLASSES, KEPT_CLASSES, LOWEST = 72, 48, 12, 2
"""Contexts by expectation: of the base, of what the base has as zero, of what it has not; quarters of an octave above
2^LOWEST."""
MAGNITUDES, SCALE = 64, 16


def _compressed() -> NDArray[np.float32]:
    """Magnitudes 0 .. 63 as they enter weighted sums: 16 q^(3/4), so that the largest do not rule."""
    # In integers, since a library's power function may change: the largest r with r^4 <= 16^4 q^3.
    roots, root = [], 0
    for magnitude in range(MAGNITUDES):
        while (root + 1) ** 4 <= SCALE**4 * magnitude**3:
            root += 1
        roots.append(root)
    return np.array(roots, np.float32)


_COMPRESSED = _compressed()


def quantize(coefficients: Integers, step: int) -> Integers:
    """Levels of the finer quantizer for coefficients in 1 / UNIT grey levels; step: sixteenths of a grey level."""
    size = step * _SIXTEENTHS
    levels = np.minimum((np.abs(coefficients) * _PARTS + _ROUNDING * size) // (_PARTS * size), LARGEST)
    result: Integers = np.where(coefficients < 0, -levels, levels).astype(np.int32)
    return result


def coarser(levels: Integers) -> Integers:
    """The base's levels from the refinement's: half the magnitude, rounded down."""
    halved = np.abs(levels) >> 1
    result: Integers = np.where(levels < 0, -halved, halved)
    return result


def compressed(levels: Integers) -> NDArray[np.float32]:
    """Levels as they enter weighted sums."""
    return _COMPRESSED.take(np.minimum(np.abs(levels), MAGNITUDES - 1))


class BaseValues:
    """What the base's contexts look at: rows x n, filled group by group, or at once."""

    def __init__(self, channels: int, count: int) -> None:
        self.rows = np.zeros((base_rows(channels), count), np.float32)
        self._channels = channels

    def put(self, group: Group, levels: Integers) -> None:
        """The group's levels, k x n, are known now."""
        values = compressed(levels)
        self.rows[group.places] = values
        self.rows[self._channels * AREA + group.channel * DIAGONALS + int(group.part[0])] = values.sum(0)


class FineValues:
    """What the refinement's contexts look at; the base is known from the beginning."""

    def __init__(self, channels: int, base: Integers, groups: Sequence[Group]) -> None:
        self.rows = np.zeros((fine_rows(channels), base.shape[1]), np.float32)
        self._channels = channels
        coarse = compressed(base)
        self.rows[channels * AREA : 2 * channels * AREA] = coarse
        sums = 2 * channels * AREA + channels * DIAGONALS
        for group in groups:
            row = sums + group.channel * DIAGONALS + int(group.part[0])
            self.rows[row] = coarse[group.places].sum(0)

    def put(self, group: Group, levels: Integers) -> None:
        """The group's levels, k x n, are known now."""
        values = compressed(levels)
        self.rows[group.places] = values
        row = 2 * self._channels * AREA + group.channel * DIAGONALS + int(group.part[0])
        self.rows[row] = values.sum(0)


def base_contexts(group: Group, expected: NDArray[Any], step_class: int) -> Contexts:
    """k x n. The mean has contexts of its own."""
    if group.part[0] == 0:
        return np.full(expected.shape, 3 * BASE_CLASSES + group.channel * CLASSES_OF_STEPS + step_class, np.intp)
    return group.channel * BASE_CLASSES + logarithm(expected, LOWEST, BASE_CLASSES)


def escape_row(group: Group, step_class: int) -> int:
    """Which table tells how large the base's largest levels are."""
    return 3 + group.channel * CLASSES_OF_STEPS + step_class if group.part[0] == 0 else group.channel


def fine_contexts(group: Group, expected: NDArray[Any], base: Integers) -> Contexts:
    """k x n, by what the base has for the group's positions (k x n)."""
    classes = logarithm(expected, LOWEST, FINE_CLASSES)
    magnitudes = np.minimum(np.abs(base), 4)
    kept = 3 * FINE_CLASSES + (magnitudes - 1) * KEPT_CLASSES + classes // (FINE_CLASSES // KEPT_CLASSES)
    return np.where(magnitudes > 0, kept, group.channel * FINE_CLASSES + classes)


def fine_symbols(base: Integers, levels: Integers) -> Integers:
    """What the refinement says: 0, 1, 2 for zero, plus and minus one, or the halved magnitude's lowest bit."""
    result: Integers = (levels & 1) + ((levels < 0) & (base == 0))
    return result


@dataclass(frozen=True)
class Read:
    """levels, contexts: (C * 256) x n. good: n, whether the record ended as it should."""

    levels: Integers
    contexts: Contexts
    good: NDArray[np.bool_]


class LossyLayers:
    """Both layers under one step. levels, contexts: (C * 256) x n."""

    def __init__(
        self, tables: Tables, step: int, step_class: int, base: Sequence[Predictor], fine: Sequence[Predictor]
    ) -> None:
        self._tables, self._size, self._class = tables, step * _SIXTEENTHS, step_class
        self._base, self._fine = base, fine
        self._channels = base[-1].group.channel + 1
        self._order = np.concatenate([predict.group.places for predict in base])

    @classmethod
    def of(cls, tables: Tables, channels: int, step: int, step_class: int) -> LossyLayers:
        """The layers for 1 or 3 channels; step: sixteenths of a grey level."""
        base, fine = (
            [tables.predictor(name, group, step_class, np.float32) for group in groups]
            for name, groups in (("base", base_groups(channels)), ("fine", fine_groups(channels)))
        )
        return cls(tables, step, step_class, base, fine)

    def write_base(self, levels: Integers) -> Written:
        """Steps of the base's levels."""
        values, steps = BaseValues(self._channels, levels.shape[1]), []
        contexts = np.empty(levels.shape, np.intp)
        apart, first, signs = signs_apart(levels != 0, levels < 0, self._order)
        for predict in self._base:
            values.put(predict.group, levels[predict.group.places])
        for predict in self._base:
            group, places = predict.group, predict.group.places
            contexts[places] = base_contexts(group, predict(values.rows), self._class)
            steps += write_values(levels[places], contexts[places], *self._base_tables(group), apart[places])
        return Written(steps, first, signs, contexts)

    def read_base(self, decoder: Decoder, count: int) -> Read:
        """What `write_base` wrote."""
        values, signs = BaseValues(self._channels, count), SignsRead(count)
        levels = np.empty((self._channels * AREA, count), np.int32)
        contexts = np.empty(levels.shape, np.intp)
        for predict in self._base:
            group, places = predict.group, predict.group.places
            contexts[places] = base_contexts(group, predict(values.rows), self._class)
            found = read_values(decoder, contexts[places], *self._base_tables(group), signs)
            levels[places] = np.clip(found, -LARGEST, LARGEST)
            values.put(group, levels[places])
        good = signs.finish(decoder, levels, self._order)
        return Read(levels, contexts, good)

    def _base_tables(self, group: Group) -> tuple[Alphabet, Alphabet, int]:
        return self._tables.base, self._tables.escapes, escape_row(group, self._class)

    def write_fine(self, base: Integers, levels: Integers) -> Written:
        """Steps of the refinement's levels."""
        values, steps = FineValues(self._channels, base, [p.group for p in self._fine]), []
        contexts = np.empty(levels.shape, np.intp)
        symbols = fine_symbols(base, levels)
        apart, first, signs = signs_apart((base == 0) & (levels != 0), levels < 0, self._order)
        for predict in self._fine:
            values.put(predict.group, levels[predict.group.places])
        for predict in self._fine:
            group, places = predict.group, predict.group.places
            contexts[places] = fine_contexts(group, predict(values.rows), base[places])
            steps.append(self._tables.fine.steps(symbols[places], contexts[places], apart[places]))
        return Written(steps, first, signs, contexts)

    def read_fine(self, decoder: Decoder, base: Integers) -> Read:
        """What `write_fine` wrote."""
        values = FineValues(self._channels, base, [p.group for p in self._fine])
        signs = SignsRead(base.shape[1])
        levels, contexts = np.empty_like(base), np.empty(base.shape, np.intp)
        for predict in self._fine:
            group, places = predict.group, predict.group.places
            known = base[places]
            contexts[places] = fine_contexts(group, predict(values.rows), known)
            lines = zip(contexts[places], known == 0, strict=True)
            symbols = np.stack([signs.read(decoder, self._tables.fine, line, fresh) for line, fresh in lines])
            fresh = (symbols & 1) - (symbols >> 1)
            kept = 2 * known + np.where(known < 0, -symbols, symbols)
            levels[places] = np.where(known == 0, fresh, kept)
            values.put(group, levels[places])
        good = signs.finish(decoder, levels, self._order)
        return Read(levels, contexts, good)

    def base_coefficients(self, levels: Integers, contexts: Contexts) -> Integers:
        """Where the base's levels put coefficients, in 1 / UNIT grey levels."""
        points = self._tables.base_points.take(contexts * 3 + np.clip(np.abs(levels) - 1, 0, 2))
        return _placed(levels, points, 2 * self._size)

    def fine_coefficients(self, levels: Integers, contexts: Contexts) -> Integers:
        """Where the refinement's levels put coefficients."""
        points = self._tables.fine_points.take(contexts * 2 + (levels & 1))
        return _placed(levels, points, self._size)


def _placed(levels: Integers, points: Integers, size: int) -> Integers:
    magnitudes = np.abs(levels) * size + ((points * size) >> 8)
    return np.where(levels == 0, 0, np.where(levels < 0, -magnitudes, magnitudes)).astype(np.int32)
