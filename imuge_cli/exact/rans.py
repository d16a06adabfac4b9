"""Range asymmetric numeral systems (Duda 2013) for many records side by side.

Every record has a state, a number that grows with each symbol; all records take their steps together, one array
operation for all. A record that has no symbol at some step takes `start` 0 and `frequency` TOTAL, which changes
nothing.

A state begins at a small number of the caller's, and is let run below the range it is kept in later: so nothing is
spent on where it began, and a record that says only likely things is short. A decoder arrives at that number again,
with no word left, if it has read what was written.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PRECISION = 14
TOTAL = 1 << PRECISION
"""Frequencies of a context's symbols sum up to this."""

_WORD = 16
_LOW = 1 << _WORD
_UNIT = 2
_INVERSES = 1 / np.maximum(np.arange(TOTAL + 1), 1)

_States = NDArray[np.int64]
Steps = NDArray[np.int32]


def encode(symbols: Sequence[tuple[Steps, Steps]], first: _States) -> list[bytes]:
    """Records of n streams, each of an even number of bytes, at least two.

    symbols: (start, frequency) pairs of k x n arrays, in the order in which they are to be decoded. first: where the
    states begin, n numbers below 2^16; a decoder has them once it has read all symbols.
    """
    total, count = sum(len(start) for start, _ in symbols), len(first)
    words, written = np.empty((total + 2, count), np.uint16), np.zeros((total + 2, count), bool)
    state, quotient = first.astype(np.int64), np.empty(count, np.int64)
    # Decoding takes back what was done last, so encoding goes backwards, and fills the words from the end.
    place = total + 1
    for starts, frequencies in reversed(symbols):
        wide = frequencies.astype(np.int64)
        limits, gaps, inverses = wide << (2 * _WORD - PRECISION), TOTAL - wide, _INVERSES.take(frequencies)
        for k in range(len(starts) - 1, -1, -1):
            full = np.greater_equal(state, limits[k], out=written[place])
            words[place] = state
            state >>= full * np.int64(_WORD)
            # Half a unit more keeps the quotient of whole numbers (below 2^32 and 2^15) off the edges of rounding.
            quotient[:] = (state + 0.5) * inverses[k]
            quotient *= gaps[k]
            state += quotient
            state += starts[k]
            place -= 1
    words[1], words[0] = state, state >> _WORD
    written[0], written[1] = state >= _LOW, True
    return _packed(words, written)


def _packed(words: NDArray[np.uint16], written: NDArray[np.bool_]) -> list[bytes]:
    """What was written of words, for each column."""
    place, block = np.divmod(np.flatnonzero(written), written.shape[1])
    order = np.argsort(block.astype(np.uint16), kind="stable")
    data = words[place[order], block[order]].astype("<u2").tobytes()
    sizes = written.sum(0) * _UNIT
    ends = np.cumsum(sizes)
    return [data[end - size : end] for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)]


class Decoder:
    """Reads records side by side. Whatever they hold, every step yields symbols; `finished` tells whether all was well.

    records: each of an even number of bytes (a last odd one is not looked at); an empty one reads as a state of zero.
    """

    def __init__(self, records: Sequence[bytes]) -> None:
        sizes = np.array([len(record) // _UNIT for record in records], np.int64)
        joined = b"".join(record[: len(record) // _UNIT * _UNIT] for record in records)
        # Two words behind the last, since those of an empty record are looked at before they are not taken.
        self._words = np.concatenate([np.frombuffer(joined, "<u2"), np.zeros(2, np.uint16)]).astype(np.int64)
        self._end = np.cumsum(sizes)
        self._next = self._end - sizes
        self._state = np.zeros(len(records), np.int64)
        # A lone word is a whole state.
        for least in (1, 2):
            there = sizes >= least
            self._state = np.where(there, self._state << _WORD | self._words[self._next], self._state)
            self._next = self._next + there

    def slots(self) -> _States:
        """n numbers below TOTAL: each lies in its record's next symbol's range."""
        return self._state & (TOTAL - 1)

    def advance(self, slots: _States, starts: _States | Steps, frequencies: _States | Steps) -> None:
        """Go on behind the symbols of these ranges."""
        state = (self._state >> PRECISION) * frequencies
        state += slots
        state -= starts
        more = (state < _LOW) & (self._next < self._end)
        self._state = np.where(more, state << _WORD | self._words[self._next], state)
        self._next += more

    def bits(self, widths: _States) -> _States:
        """Whole numbers of so many bits each (at most PRECISION), every value alike likely; n to n."""
        slots = self.slots()
        rest = PRECISION - widths
        values = slots >> rest
        self.advance(slots, values << rest, np.left_shift(1, rest))
        return values

    def finished(self, widths: _States) -> tuple[_States, NDArray[np.bool_]]:
        """Where the states began, and which records ended as a written one does whose state began below 2^widths."""
        return self._state, (self._state >> widths == 0) & (self._next == self._end)


def bits(values: Steps, widths: Steps) -> tuple[Steps, Steps]:
    """(start, frequency) of whole numbers of so many bits each, at most PRECISION."""
    rest = PRECISION - widths
    return (values << rest).astype(np.int32), np.left_shift(1, rest).astype(np.int32)
