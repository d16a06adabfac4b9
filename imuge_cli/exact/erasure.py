"""The erasure code: RaptorQ (RFC 6330) over streams of bytes of which the receiver has most already.

A stream's source symbols are the blocks' own records, which whoever holds an intact block computes himself; only repair
symbols are sent. Symbols of 8 bytes, one source block: fixed by the format version. The library's packets begin with
the symbol's number (RFC 6330, 3.2), big endian.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from raptorq import Decoder, Encoder

SYMBOL = 8
_NUMBER = struct.Struct(">I")
_MOST_SYMBOLS = 56403
LONGEST_STREAM = SYMBOL * _MOST_SYMBOLS
"""Bytes."""


def symbols_in(length: int) -> int:
    """Source symbols of a stream of so many bytes."""
    return -(-length // SYMBOL)


def repair_symbols(stream: bytes, count: int) -> NDArray[np.uint8]:
    """The first `count` repair symbols of a stream, count x 8; zeros for an empty stream.

    Raises ValueError for a stream of more symbols than the code has (451,224 bytes).
    """
    source = symbols_in(len(stream))
    if source > _MOST_SYMBOLS:
        raise ValueError(f"a stream of {len(stream)} bytes is longer than the erasure code's {_MOST_SYMBOLS} symbols")
    if source == 0 or count == 0:
        return np.zeros((count, SYMBOL), np.uint8)
    padded = stream + bytes(source * SYMBOL - len(stream))
    packets = Encoder.with_defaults(padded, SYMBOL).get_encoded_packets(count)[source:]
    return np.frombuffer(b"".join(packets), np.uint8).reshape(count, -1)[:, _NUMBER.size :]


def fill_in(
    stream: NDArray[np.uint8], known: NDArray[np.bool_], repair: NDArray[np.uint8], numbers: NDArray[np.int64]
) -> NDArray[np.uint8] | None:
    """A stream of bytes of which some are known, completed; None where what is there does not suffice.

    known: by byte. repair: m x 8 repair symbols, numbers: which ones (0 the first).
    """
    source = symbols_in(len(stream))
    if bool(known.all()):
        return stream
    padding = source * SYMBOL - len(stream)
    symbols = np.concatenate([stream, np.zeros(padding, np.uint8)]).reshape(source, SYMBOL)
    whole = np.concatenate([known, np.ones(padding, bool)]).reshape(source, SYMBOL).all(1)
    if int(whole.sum()) + len(repair) < source or source > _MOST_SYMBOLS:
        return None
    decoder = Decoder.with_defaults(source * SYMBOL, SYMBOL)
    packets = [_NUMBER.pack(int(n)) + symbols[n].tobytes() for n in np.flatnonzero(whole)]
    packets += [_NUMBER.pack(source + int(n)) + s.tobytes() for n, s in zip(numbers, repair, strict=True)]
    for packet in packets:
        result = decoder.decode(packet)
        if result is not None:
            return np.frombuffer(result, np.uint8)[: len(stream)]
    return None
