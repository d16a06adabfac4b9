"""The tile code: 16 x 16 blocks, each compressed on its own into three records that refine one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.lossy import LossyLayers, coarser, quantize
from imuge_cli.exact.models import Tables, load_tables, step_class
from imuge_cli.exact.rans import Decoder
from imuge_cli.exact.remainder import RemainderLayer, to_content
from imuge_cli.exact.symbols import Written
from imuge_cli.exact.transform import AREA, SIDE, UNIT, Integers, cell_centres, forward, inverse

LONGEST = {8: 510, 16: 1004}
"""Bytes, by depth. What would need a longer record has none, nor any in later layers."""
LAYERS = 3
_CHUNK = 2048
# Bits a record takes beyond what its symbols tell, on average: it ends at a word's boundary, and the remainder, which
# has no signs to begin with, begins wastefully.
_OVERHEAD, _SHORTEST = (5.0, 6.0, 18.5), 16.0
_SMALLEST_STEP, _LARGEST_STEP = 8, 1600


@dataclass(frozen=True)
class Records:
    """A record for every block in each layer; empty where there is none."""

    base: list[bytes]
    refinement: list[bytes]
    remainder: list[bytes]


@dataclass(frozen=True)
class Decoded:
    """samples: n x C x 16 x 16, 8-bit grey levels, not rounded; from the best lossy layer that was readable, medium
    grey without any. content: n x C x 16 x 16, exact where complete; None unless the remainder was given.
    complete: n; whether every layer given was there and could be read to its end. The code has next to no redundancy:
    damaged records are noticed only sometimes, proof is a seal's business.
    """

    samples: NDArray[np.float32]
    content: NDArray[np.int64] | None
    complete: NDArray[np.bool_]


class TileCode:
    """Compresses contents u of samples v = m u + d, d of 0 .. m - 1.

    bases: m, C x 16 x 16 whole numbers from 2 to 256; C of 1 or 3. depth: bits of a sample, 8 or 16. step: the
    refinement's quantizer in sixteenths of a grey level (of 8 bits), 8 to 1600; the base's is twice that.
    tables: those of the format, if None. Raises ValueError for others.
    """

    def __init__(self, bases: NDArray[Any], depth: int, step: int, *, tables: Tables | None = None) -> None:
        if bases.shape not in ((1, SIDE, SIDE), (3, SIDE, SIDE)) or bases.min() < 2 or bases.max() > 256:
            raise ValueError(f"bases must be 1 or 3 x {SIDE} x {SIDE} numbers from 2 to 256")
        if depth not in (8, 16) or not _SMALLEST_STEP <= step <= _LARGEST_STEP:
            raise ValueError(f"depth {depth} or step {step} is out of range")
        self._bases = bases.astype(np.int32).reshape(-1, 1)
        self._depth, self._step, self._channels = depth, step, len(bases)
        tables = tables or load_tables()
        # One channel alone is brightness without the three channels' common factor sqrt(3).
        number = step_class(step if self._channels == 3 else step * 7 // 4)
        self._lossy = LossyLayers.of(tables, self._channels, step, number)
        self._last = RemainderLayer.of(tables, self._bases, depth, number)

    def encode(self, content: NDArray[Any]) -> Records:
        """Records of n x C x 16 x 16 contents, each 0 .. (2^depth - 1) // m; a block's depend on that block alone."""
        records: list[list[bytes]] = [[], [], []]
        for chunk in self._chunks(content):
            made = [layer.records() for layer in self._layers(chunk)]
            for block in zip(*made, strict=True):
                fits = True
                for layer, record in zip(records, block, strict=True):
                    fits = fits and len(record) <= LONGEST[self._depth]
                    layer.append(record if fits else b"")
        return Records(*records)

    def sizes(self, content: NDArray[Any]) -> NDArray[np.float64]:
        """About how many bits `encode` would take, n x 3, without writing them; 0 where there would be no record."""
        found = [np.zeros((0, LAYERS))]
        for chunk in self._chunks(content):
            bits = np.stack([layer.bits() for layer in self._layers(chunk)], 1) + _OVERHEAD
            bits = np.maximum(bits, _SHORTEST)
            found.append(np.where(np.logical_and.accumulate(bits <= 8 * LONGEST[self._depth], axis=1), bits, 0.0))
        return np.concatenate(found)

    def distortion(self, content: NDArray[Any]) -> NDArray[np.float64]:
        """Sums of squared errors of base and refinement against the middles of the samples' cells: n x 2, in squared
        8-bit grey levels."""
        found = [np.zeros((0, 2))]
        for chunk in self._chunks(content):
            centres = cell_centres(chunk, self._bases, self._depth)
            levels = quantize(forward(centres), self._step)
            errors = [samples - centres for samples in self._reconstructions(levels)]
            found.append(np.stack([(error.astype(np.float64) ** 2).sum(0) for error in errors], 1) / UNIT**2)
        return np.concatenate(found)

    def decode(
        self, base: Sequence[bytes], refinement: Sequence[bytes] | None = None, remainder: Sequence[bytes] | None = None
    ) -> Decoded:
        """What n blocks' records say. Never raises for what they hold; ValueError for lists of different lengths."""
        given = [base] + [layer for layer in (refinement, remainder) if layer is not None]
        if any(len(layer) != len(base) for layer in given) or (refinement is None and remainder is not None):
            raise ValueError("each layer needs the layers before it, and a record (or b'') for every block")
        shape = (len(base), self._channels, SIDE, SIDE)
        samples = np.full(shape, 127.5, np.float32)
        content = np.zeros(shape, np.int64) if remainder is not None else None
        complete = np.zeros(len(base), bool)
        for start in range(0, len(base), _CHUNK):
            self._decode(given, np.arange(start, min(start + _CHUNK, len(base))), samples, content, complete)
        return Decoded(samples, content, complete)

    def _decode(
        self,
        given: Sequence[Sequence[bytes]],
        blocks: NDArray[np.int64],
        samples: NDArray[np.float32],
        content: NDArray[np.int64] | None,
        complete: NDArray[np.bool_],
    ) -> None:
        """One chunk, into the arrays; blocks that lack a layer are left out of the next."""
        shape = (-1, self._channels, SIDE, SIDE)
        blocks, decoder = _readable(given[0], blocks, LONGEST[self._depth])
        if not len(blocks):
            return
        read = self._lossy.read_base(decoder, len(blocks))
        found = inverse(self._lossy.base_coefficients(read.levels, read.contexts))
        blocks, levels = self._kept(blocks, read.good, read.levels, found, samples)
        if len(given) > 1:
            kept, decoder = _readable(given[1], blocks, LONGEST[self._depth])
            if not len(kept):
                return
            read = self._lossy.read_fine(decoder, levels[:, np.isin(blocks, kept)])
            found = inverse(self._lossy.fine_coefficients(read.levels, read.contexts))
            blocks, levels = self._kept(kept, read.good, read.levels, found, samples)
            found = found[:, read.good]
        if content is not None:
            kept, decoder = _readable(given[2], blocks, LONGEST[self._depth])
            if not len(kept):
                return
            there = np.isin(blocks, kept)
            reconstruction = to_content(found[:, there], self._bases, self._depth)
            exact, good = self._last.read(decoder, reconstruction, levels[:, there])
            blocks = kept[good]
            content[blocks] = exact[:, good].T.reshape(shape)
        complete[blocks] = True

    def _kept(
        self,
        blocks: NDArray[np.int64],
        good: NDArray[np.bool_],
        levels: Integers,
        found: Integers,
        samples: NDArray[np.float32],
    ) -> tuple[NDArray[np.int64], Integers]:
        """Write what was found of good blocks; these, with their levels."""
        squares = found[:, good].T.reshape(-1, self._channels, SIDE, SIDE)
        samples[blocks[good]] = squares / np.float32(UNIT)
        return blocks[good], levels[:, good]

    def _chunks(self, content: NDArray[Any]) -> Iterator[Integers]:
        """(C * 256) x n each."""
        if content.shape[1:] != (self._channels, SIDE, SIDE):
            raise ValueError(f"content has shape {content.shape}, not n x {self._channels} x {SIDE} x {SIDE}")
        for start in range(0, len(content), _CHUNK):
            chunk = content[start : start + _CHUNK].reshape(-1, self._channels * AREA)
            yield np.ascontiguousarray(chunk.T, dtype=np.int32)

    def _layers(self, content: Integers) -> Iterator[Written]:
        """The three layers of a chunk, one after another."""
        levels = quantize(forward(cell_centres(content, self._bases, self._depth)), self._step)
        base = coarser(levels)
        yield self._lossy.write_base(base)
        refinement = self._lossy.write_fine(base, levels)
        yield refinement
        found = inverse(self._lossy.fine_coefficients(levels, refinement.contexts))
        yield self._last.write(content, to_content(found, self._bases, self._depth), levels)

    def _reconstructions(self, levels: Integers) -> Iterator[Integers]:
        base = coarser(levels)
        yield inverse(self._lossy.base_coefficients(base, self._lossy.write_base(base).contexts))
        yield inverse(self._lossy.fine_coefficients(levels, self._lossy.write_fine(base, levels).contexts))


def _readable(records: Sequence[bytes], blocks: NDArray[np.int64], longest: int) -> tuple[NDArray[np.int64], Decoder]:
    """Those of some blocks that have a record of a possible length, and a decoder of these."""
    chosen = [block for block in blocks.tolist() if 0 < len(records[block]) <= longest and len(records[block]) % 2 == 0]
    return np.array(chosen, np.int64), Decoder([records[block] for block in chosen])
