"""From records to what tiles carry, and back: six streams a group, each under an erasure code of its own.

For each of the three layers there is a stream of the records' lengths (in units of two bytes, of four in pictures of 16
bits; a byte a block) and one
of the records themselves, in the order of the group's blocks. The slots of the group's tiles are dealt to the streams
in the proportion of the header's shares, evenly along the order of the tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.erasure import LONGEST_STREAM, SYMBOL, fill_in, repair_symbols
from imuge_cli.exact.header import STREAMS, Header, piece_of
from imuge_cli.exact.layout import Layout

LAYERS = STREAMS // 2
_LONGEST = 255


class StreamTooLong(Exception):
    """A group's records of this layer pass what the erasure code can take."""

    def __init__(self, layer: int) -> None:
        super().__init__(f"layer {layer} is too long for the erasure code")
        self.layer = layer


Records = Sequence[Sequence[bytes]]
"""For each layer, a record for each of the group's blocks; empty where the layer has none."""


@dataclass(frozen=True)
class Slots:
    """A group's slots in order: the place of their tile among the group's tiles, their number inside of it, the stream
    that each was dealt to, and which of that stream's repair symbols it holds. All of one length."""

    tile: NDArray[np.int64]
    slot: NDArray[np.int64]
    stream: NDArray[np.int64]
    number: NDArray[np.int64]


def deal_slots(header: Header, layout: Layout, tiles: NDArray[np.int64]) -> Slots:
    """The slots of a group's tiles, those aside that hold a piece of the header."""
    last = header.profile.slots - 1
    holds_piece = piece_of(tiles // layout.columns, tiles % layout.columns) >= 0
    tile, slot = np.indices((len(tiles), last + 1))
    free = (slot < last) | ~holds_piece[:, None]
    tile, slot = tile[free], slot[free]
    pattern = _pattern(header.shares)
    stream = pattern[np.arange(len(tile)) % len(pattern)]
    number = np.empty_like(stream)
    for s in range(STREAMS):
        number[stream == s] = np.arange(int((stream == s).sum()))
    return Slots(tile, slot, stream, number)


def _pattern(shares: tuple[int, ...]) -> NDArray[np.int64]:
    """Streams in turn, each as often as its share, as evenly as can be."""
    streams = np.repeat(np.arange(STREAMS), shares)
    places = np.concatenate([(np.arange(share) + 0.5) / share for share in shares if share])
    return streams[np.argsort(places, kind="stable")]


def unit_of(header: Header) -> int:
    """Bytes that a record's length is counted in."""
    return 2 if header.profile.depth == 8 else 4


def longest_record(header: Header) -> int:
    """Bytes."""
    return _LONGEST * unit_of(header)


def to_streams(records: Records, header: Header) -> list[bytes]:
    """The six streams, lengths before records; empty for layers that the header has not. Raises StreamTooLong."""
    streams, unit = [], unit_of(header)
    for number, layer in enumerate(records):
        if number >= header.layers:
            streams += [b"", b""]
            continue
        length = sum(len(record) for record in layer)
        if length > LONGEST_STREAM:
            raise StreamTooLong(number)
        streams.append(bytes(len(record) // unit for record in layer))
        streams.append(b"".join(layer))
    return streams


def carried(streams: Sequence[bytes], slots: Slots) -> NDArray[np.uint8]:
    """What the slots hold: m x 8 bytes."""
    result = np.empty((len(slots.tile), SYMBOL), np.uint8)
    for number, stream in enumerate(streams):
        mine = slots.stream == number
        result[mine] = repair_symbols(stream, int(mine.sum()))
    return result


@dataclass(frozen=True)
class Filled:
    """records: for each layer, the group's records, complete; fewer than three layers where too much was lost."""

    records: list[list[bytes]]

    @property
    def layers(self) -> int:
        """How many layers are complete."""
        return len(self.records)


def fill_in_records(
    records: Records,
    known: NDArray[np.bool_],
    slots: Slots,
    held: NDArray[np.uint8],
    intact: NDArray[np.bool_],
    header: Header,
) -> Filled:
    """Complete a group's records.

    records, known: by block; those of unknown blocks do not matter. held: what the slots hold, m x 8; intact: m,
    whether their tile is.
    """
    done: list[list[bytes]] = []
    unit = unit_of(header)
    for layer, listed in enumerate(records[: header.layers]):
        lengths = np.array([len(record) // unit for record in listed], np.uint8)
        told = _complete(2 * layer, lengths, known, slots, held, intact)
        if told is None:
            break
        ends = np.cumsum(told.astype(np.int64) * unit)
        stream, seen = np.zeros(int(ends[-1]), np.uint8), np.zeros(int(ends[-1]), bool)
        for number in np.flatnonzero(known).tolist():
            part = slice(int(ends[number]) - len(listed[number]), int(ends[number]))
            stream[part], seen[part] = np.frombuffer(listed[number], np.uint8), True
        whole = _complete(2 * layer + 1, stream, seen, slots, held, intact)
        if whole is None:
            break
        data = whole.tobytes()
        starts = ends - told.astype(np.int64) * unit
        done.append([data[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)])
    return Filled(done)


def _complete(
    number: int,
    stream: NDArray[np.uint8],
    known: NDArray[np.bool_],
    slots: Slots,
    held: NDArray[np.uint8],
    intact: NDArray[np.bool_],
) -> NDArray[np.uint8] | None:
    mine = intact & (slots.stream == number)
    return fill_in(stream, known, held[mine], slots.number[mine])
