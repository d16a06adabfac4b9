"""From values and contexts to steps of the entropy coder, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact import rans
from imuge_cli.exact.rans import PRECISION, TOTAL, Decoder

Integers = NDArray[np.int32]
Contexts = NDArray[np.intp]
Steps = list[tuple[Integers, Integers]]
"""(start, frequency) pairs, each k x n."""

EXPONENTS = 15
_COSTS = (PRECISION - np.log2(np.maximum(np.arange(TOTAL + 1), 1))).astype(np.float32)


@dataclass(frozen=True)
class Alphabet:
    """The symbols of a family of contexts. One more context than was given means: no symbol here.

    A value's symbol is 2 |v|, or 2 |v| - 1 for a positive one; a pair of these may be coded as one, without the sign.

    frequencies, starts: (2 * contexts) * symbols, those of symbols and then those of pairs. lookup: contexts * TOTAL,
    the symbol of each slot. symbols: how many. limits: contexts; the magnitude that stands for itself and all larger.
    """

    symbols: int
    frequencies: Integers
    starts: Integers
    lookup: NDArray[np.uint8]
    limits: Integers

    @classmethod
    def of(cls, frequencies: NDArray[Any]) -> Alphabet:
        """From contexts x symbols frequencies whose rows sum up to TOTAL; symbols a context lacks have none."""
        nothing = np.zeros((1, frequencies.shape[1]), np.int32)
        nothing[0, 0] = TOTAL
        table = np.concatenate([frequencies.astype(np.int32), nothing])
        starts = np.cumsum(table, axis=1, dtype=np.int32) - table
        # The symbol a pair begins with, and the last one of it.
        numbers = np.arange(table.shape[1])
        first, last = (numbers + 1) // 2 * 2 - 1, np.minimum((numbers + 1) // 2 * 2, len(numbers) - 1)
        first[0] = 0
        pairs = table[:, first] + np.where(last > first, table[:, last], 0)
        return cls(
            symbols=table.shape[1],
            frequencies=np.concatenate([table, pairs]).ravel(),
            starts=np.concatenate([starts, starts[:, first]]).ravel(),
            lookup=np.repeat(np.tile(numbers.astype(np.uint8), len(table)), table.ravel()),
            limits=((table > 0).sum(1) // 2).astype(np.int32),
        )

    @property
    def nothing(self) -> int:
        """The context of no symbol."""
        return len(self.limits) - 1

    def steps(
        self, symbols: NDArray[Any], contexts: Contexts, unsigned: NDArray[np.bool_] | None = None
    ) -> tuple[Integers, Integers]:
        """(start, frequency) of symbols, any shape. unsigned: which go without their sign."""
        place = contexts * self.symbols + symbols
        if unsigned is not None:
            place += unsigned * (len(self.limits) * self.symbols)
        return self.starts.take(place), self.frequencies.take(place)

    def read(self, decoder: Decoder, contexts: Contexts, unsigned: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
        """The next symbol of each record, n to n; of those that went unsigned either one of the pair."""
        slots = decoder.slots()
        symbols = self.lookup.take(contexts * TOTAL + slots).astype(np.intp)
        starts, frequencies = self.steps(symbols, contexts, unsigned)
        decoder.advance(slots, starts, frequencies)
        return symbols


@dataclass(frozen=True)
class Written:
    """A layer of n blocks, ready for the entropy coder.

    first: n, where the states begin. signs: n, how many bits that holds. contexts: rows x n, what values were seen in.
    """

    steps: Steps
    first: NDArray[np.int64]
    signs: NDArray[np.int64]
    contexts: Contexts

    def records(self) -> list[bytes]:
        """A record for each block."""
        return rans.encode(self.steps, self.first)

    def bits(self) -> NDArray[np.float64]:
        """What the symbols tell, in bits: n."""
        total = self.signs.astype(np.float64)
        for _, frequencies in self.steps:
            total += _COSTS.take(frequencies).sum(0)
        return total


def write_values(
    values: Integers,
    contexts: Contexts,
    alphabet: Alphabet,
    escapes: Alphabet,
    row: int,
    unsigned: NDArray[np.bool_] | None = None,
) -> Steps:
    """Steps for signed values, k x n. escapes, row: the table of how much larger the largest are."""
    magnitudes = np.abs(values)
    limits = alphabet.limits.take(contexts)
    symbols = 2 * np.minimum(magnitudes, limits) - (values > 0)
    steps = [alphabet.steps(symbols, contexts, unsigned)]
    beyond = magnitudes - limits
    large = np.flatnonzero((beyond >= 0).any(1))
    if len(large):
        escaped = beyond[large] >= 0
        exponents, widths, mantissas = _split(np.where(escaped, beyond[large], 0))
        chosen = np.where(escaped, row, escapes.nothing)
        steps.append(escapes.steps(exponents, chosen))
        steps.append(rans.bits(mantissas, widths))
    return steps


def read_values(
    decoder: Decoder,
    contexts: Contexts,
    alphabet: Alphabet,
    escapes: Alphabet,
    row: int,
    signs: SignsRead | None = None,
) -> Integers:
    """What `write_values` wrote. signs: which went unsigned, as it turns out."""
    if signs is None:
        symbols = np.stack([alphabet.read(decoder, line) for line in contexts])
    else:
        symbols = np.stack([signs.read(decoder, alphabet, line) for line in contexts])
    magnitudes = (symbols + 1) >> 1
    escaped = magnitudes == alphabet.limits.take(contexts)
    large = np.flatnonzero(escaped.any(1))
    if len(large):
        chosen = np.where(escaped[large], row, escapes.nothing)
        exponents = [escapes.read(decoder, line) for line in chosen]
        mantissas = [decoder.bits(line) for line in exponents]
        magnitudes[large] += np.left_shift(1, np.stack(exponents)) - 1 + np.stack(mantissas)
    return np.where(symbols & 1, magnitudes, -magnitudes).astype(np.int32)


def _split(values: Integers) -> tuple[Integers, Integers, Integers]:
    """Of values + 1: the exponent (twice: as symbol and as width) and the mantissa."""
    # The exponent of a float64 that holds a small whole number is exact.
    exponents = (np.frexp((values + 1).astype(np.float64))[1] - 1).astype(np.int32)
    return exponents, exponents, (values + 1 - np.left_shift(1, exponents)).astype(np.int32)


SIGNS = 16
"""So many signs of a block, the first that there are, travel where its state begins."""


def signs_apart(
    there: NDArray[np.bool_], negative: NDArray[np.bool_], order: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Which values go unsigned (rows x n), where the blocks' states begin, and how many signs are in there (n each).

    there: which values have a sign to be told; order: of the rows, as they are coded.
    """
    number, count = np.empty(there.shape, np.int16), np.zeros(there.shape[1], np.int16)
    for row in order.tolist():
        count += there[row]
        number[row] = count
    apart = there & (number <= SIGNS)
    row, block = np.divmod(np.flatnonzero(apart & negative), there.shape[1])
    shifts = number[row, block].astype(np.int64) - 1
    first = np.bincount(block, np.left_shift(1, shifts), minlength=there.shape[1])
    return apart, first.astype(np.int64), np.minimum(count, SIGNS).astype(np.int64)


class SignsRead:
    """Keeps track of the values of n blocks that went unsigned."""

    def __init__(self, count: int) -> None:
        self._count = np.zeros(count, np.int64)
        self._numbers: list[NDArray[np.int64]] = []

    def read(
        self, decoder: Decoder, alphabet: Alphabet, contexts: Contexts, fresh: NDArray[np.bool_] | None = None
    ) -> NDArray[np.intp]:
        """A symbol of each record. fresh: which of them would have a sign."""
        unsigned = self._count < SIGNS
        if fresh is not None:
            unsigned &= fresh
        symbols = alphabet.read(decoder, contexts, unsigned)
        unsigned &= symbols > 0
        self._numbers.append(np.where(unsigned, self._count, SIGNS))
        self._count += unsigned
        return symbols

    def finish(self, decoder: Decoder, values: Integers, order: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Give values (rows x n, read in an order of rows) their signs; which records ended as they should."""
        first, good = decoder.finished(self._count)
        numbers = np.stack(self._numbers)
        negative = (first >> numbers & 1).astype(bool)
        magnitudes = np.abs(values[order])
        values[order] = np.where(numbers < SIGNS, np.where(negative, -magnitudes, magnitudes), values[order])
        return good
