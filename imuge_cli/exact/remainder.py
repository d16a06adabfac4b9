"""The last layer: what the exact content has beyond its lossy reconstruction.

Each sample is predicted from the reconstruction and from how far that was off at samples already coded: around it in
its own channel, on all sides in channels that came before. How far those were off also tells how wide to spread.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.contexts import remainder_groups, remainder_rows
from imuge_cli.exact.models import WEIGHT_SHIFT, Floats, Predictor, Tables, logarithm
from imuge_cli.exact.rans import Decoder, bits
from imuge_cli.exact.symbols import Contexts, Integers, Steps, Written, read_values, write_values
from imuge_cli.exact.transform import AREA, SIDE, UNIT

FRACTION = 8
"""Reconstructions count in eighths of a content's unit."""
SPREADS, LOWEST, PHASES = 22, 9, 4
"""Contexts: by spread in quarters of an octave above 2^LOWEST (of 2^-13 units), by how far from whole a prediction is.
"""

_ONE = FRACTION << WEIGHT_SHIFT
# Fourteen octaves more than the contexts have.
_WIDEST = SPREADS + 14 * 4
_OCTAVE = 4


def to_content(samples: Integers, bases: Integers, depth: int) -> Integers:
    """Samples in 1 / UNIT grey levels as contents, in eighths: where between cells they lie, within what there is."""
    limited = np.clip(samples, 0, 255 * UNIT)
    doubled = limited * 2 if depth == 8 else limited * 514
    found = (doubled - UNIT * (bases - 1) + UNIT // 8 * bases) // (UNIT // 4 * bases)
    result: Integers = np.clip(found, 0, FRACTION * highest(bases, depth)).astype(np.int32)
    return result


def highest(bases: Integers, depth: int) -> Integers:
    """The largest content."""
    result: Integers = ((1 << depth) - 1) // bases
    return result


def texture(reconstruction: Integers) -> Integers:
    """How much each sample of a reconstruction differs from the next ones, (C * 256) x n."""
    squares = reconstruction.reshape(-1, SIDE, SIDE, reconstruction.shape[1])
    found = np.zeros_like(squares)
    across, down = np.abs(np.diff(squares, axis=2)), np.abs(np.diff(squares, axis=1))
    found[:, :, :-1] += across
    found[:, :, 1:] += across
    found[:, :-1] += down
    found[:, 1:] += down
    return found.reshape(reconstruction.shape)


def grain(depth: int) -> int:
    """How many of a sample's units a grey level has: what was learned with 8 bits is worth so many times more."""
    return 1 if depth == 8 else 257


def family_of(bases: Integers, depth: int) -> int:
    """Which family of tables serves a picture: 1 for 8-bit samples where a base is greater than 2, else 0."""
    return int(depth == 8 and bool((bases > 2).any()))


def noise(bases: Integers, depth: int) -> Integers:
    """What is always to be expected, in halves of what it is with 8 bits and base 2: the cells' width, or the grain."""
    result: Integers = np.maximum(bases, 2 * grain(depth))
    return result


class RemainderValues:
    """What predictions look at: errors; and what spreads do: their magnitudes, texture, and how busy a channel is.

    All in eighths of a sample's unit, whatever the bases, so that channels of different bases can be compared.
    reconstruction, levels: (C * 256) x n; bases: (C * 256) x 1.
    """

    def __init__(self, reconstruction: Integers, levels: Integers, bases: Integers, depth: int) -> None:
        channels, count = len(levels) // AREA, levels.shape[1]
        dtype = np.float32 if depth == 8 else np.float64
        self._bases = bases
        self.errors: Floats = np.zeros((remainder_rows(channels), count), dtype)
        self.sizes: Floats = np.zeros((remainder_rows(channels), count), dtype)
        self.sizes[channels * AREA : 2 * channels * AREA] = texture(reconstruction * bases)
        busy = (levels != 0).reshape(channels, AREA, count).sum(1) * (2 * grain(depth))
        self.sizes[2 * channels * AREA : 2 * channels * AREA + channels] = busy

    def put(self, places: NDArray[np.int64] | slice, errors: Integers) -> None:
        """Errors, in eighths of contents' units, of rows."""
        wide = errors * self._bases[places]
        self.errors[places] = wide
        self.sizes[places] = np.abs(wide)


def in_units(sums: Floats, bases: Integers) -> Floats:
    """Weighted sums, which count in samples' units, in contents' units, rounded down."""
    found: Floats = np.floor(sums / bases.astype(sums.dtype))
    return found


def split_prediction(
    reconstruction: Integers, correction: Floats, top: Integers
) -> tuple[Integers, Integers, Integers]:
    """A prediction's nearest content, which side of it the prediction lies on (1 or -1), and how far (a phase)."""
    exact = reconstruction.astype(correction.dtype)
    exact *= 1 << WEIGHT_SHIFT
    exact += correction
    whole = np.floor((exact + _ONE // 2) * (1 / _ONE))
    rest = (exact - whole * _ONE).astype(np.int32)
    phase = np.minimum(np.abs(rest) >> 10, PHASES - 1)
    return np.clip(whole, 0, top).astype(np.int32), np.where(rest < 0, -1, 1).astype(np.int32), phase


def spread_contexts(expected: Floats, phase: Integers, family: int) -> tuple[Contexts, Integers]:
    """Contexts, and how many of a residual's low bits are as good as noise."""
    classes = logarithm(expected, LOWEST, _WIDEST)
    widths = (np.maximum(classes - (SPREADS - 1), 0) + _OCTAVE - 1) // _OCTAVE
    kept = classes - widths * _OCTAVE + family * SPREADS
    return kept * PHASES + phase, widths.astype(np.int32)


class RemainderLayer:
    """(prediction, spread) pairs in two orders: for an encoder, which knows all, and for a decoder."""

    def __init__(
        self,
        tables: Tables,
        at_once: Sequence[tuple[Predictor, Predictor]],
        in_turn: Sequence[tuple[Predictor, Predictor]],
        bases: Integers,
        depth: int,
    ) -> None:
        self._tables, self._at_once, self._in_turn = tables, at_once, in_turn
        self._bases, self._depth, self._family = bases, depth, family_of(bases, depth)
        self._top = highest(bases, depth)

    @classmethod
    def of(cls, tables: Tables, bases: Integers, depth: int, step_class: int) -> RemainderLayer:
        """The layer for bases of (C * 256) x 1."""
        dtype = np.float32 if depth == 8 else np.float64
        chosen = (step_class, dtype, family_of(bases, depth))
        at_once, in_turn = (
            [
                (
                    tables.predictor("mean", mean, *chosen),
                    tables.predictor("spread", wide, *chosen).with_bias(noise(bases[wide.places], depth)),
                )
                for mean, wide in remainder_groups(len(bases) // AREA, both)
            ]
            for both in (True, False)
        )
        return cls(tables, at_once, in_turn, bases, depth)

    def write(self, content: Integers, reconstruction: Integers, levels: Integers) -> Written:
        """Contents, (C * 256) x n. reconstruction: by `to_content`; levels: the refinement's."""
        values = self._values(reconstruction, levels)
        values.put(slice(len(content)), FRACTION * content - reconstruction)
        residuals, widths = np.empty_like(content), np.empty_like(content)
        contexts = np.empty(content.shape, np.intp)
        for mean, spread in self._at_once:
            places = mean.group.places
            whole, side, contexts[places], widths[places] = self._expect(mean, spread, values, reconstruction)
            residuals[places] = (content[places] - whole) * side
        steps: Steps = []
        for mean, _ in self._in_turn:
            places = mean.group.places
            steps += self._write(residuals[places], contexts[places], widths[places])
        nothing = np.zeros(content.shape[1], np.int64)
        return Written(steps, nothing, nothing, contexts)

    def read(self, decoder: Decoder, reconstruction: Integers, levels: Integers) -> tuple[Integers, NDArray[np.bool_]]:
        """Contents, and which blocks' record ended as it should and told only what there is."""
        values = self._values(reconstruction, levels)
        content, possible = np.empty_like(reconstruction), np.ones(reconstruction.shape[1], bool)
        for mean, spread in self._in_turn:
            places = mean.group.places
            whole, side, contexts, widths = self._expect(mean, spread, values, reconstruction)
            found = whole + side * self._read(decoder, contexts, widths)
            content[places] = np.clip(found, 0, self._top[places])
            possible &= (found == content[places]).all(0)
            values.put(places, FRACTION * content[places] - reconstruction[places])
        _, good = decoder.finished(np.zeros(len(possible), np.int64))
        return content, good & possible

    def _values(self, reconstruction: Integers, levels: Integers) -> RemainderValues:
        return RemainderValues(reconstruction, levels, self._bases, self._depth)

    def _expect(
        self, mean: Predictor, spread: Predictor, values: RemainderValues, reconstruction: Integers
    ) -> tuple[Integers, Integers, Contexts, Integers]:
        places = mean.group.places
        bases = self._bases[places]
        correction, expected = in_units(mean(values.errors), bases), in_units(spread(values.sizes), bases)
        whole, side, phase = split_prediction(reconstruction[places], correction, self._top[places])
        contexts, widths = spread_contexts(expected, phase, self._family)
        return whole, side, contexts, widths

    def _write(self, residuals: Integers, contexts: Contexts, widths: Integers) -> Steps:
        tables = self._tables
        high = residuals >> widths
        steps = write_values(high, contexts, tables.remainder, tables.escapes, tables.last_escape)
        noisy = widths.any(1)
        if noisy.any():
            low = residuals[noisy] & (np.left_shift(1, widths[noisy]) - 1)
            steps.append(bits(low, widths[noisy]))
        return steps

    def _read(self, decoder: Decoder, contexts: Contexts, widths: Integers) -> Integers:
        tables = self._tables
        residuals = read_values(decoder, contexts, tables.remainder, tables.escapes, tables.last_escape)
        residuals <<= widths
        for line in np.flatnonzero(widths.any(1)).tolist():
            residuals[line] |= decoder.bits(widths[line].astype(np.int64)).astype(np.int32)
        return residuals
