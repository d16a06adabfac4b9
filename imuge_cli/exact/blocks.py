"""Samples as tiles and blocks, and the records of blocks."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.carrier import Profile, Samples
from imuge_cli.exact.header import Header
from imuge_cli.exact.layout import SIDE, Layout
from imuge_cli.exact.seal import content_seals
from imuge_cli.exact.streams import longest_record, unit_of
from imuge_cli.exact.tilecode import TileCode
from imuge_cli.keys import Secret


def padded(pixels: Samples, layout: Layout) -> Samples:
    """H x W x C samples with the last row and column repeated until whole blocks are full."""
    bottom, right = layout.block_rows * SIDE - layout.height, layout.block_columns * SIDE - layout.width
    result: Samples = np.pad(pixels, ((0, bottom), (0, right), (0, 0)), mode="edge") if bottom or right else pixels
    return result


def gather(samples: Samples, columns: int, numbers: NDArray[np.int64]) -> Samples:
    """16 x 16 squares of samples (h x w x C) by number, row by row, `columns` in a row: n x C x 16 x 16."""
    rows, places = numbers // columns, numbers % columns
    grid = samples[: samples.shape[0] // SIDE * SIDE, : columns * SIDE]
    squares = grid.reshape(-1, SIDE, columns, SIDE, samples.shape[2])
    result: Samples = squares[rows, :, places].transpose(0, 3, 1, 2)
    return result


def scatter(samples: Samples, columns: int, numbers: NDArray[np.int64], squares: Samples) -> None:
    """Write squares n x C x 16 x 16 to where `gather` takes them from, in place; what lies beyond is cut off."""
    height, width = samples.shape[:2]
    for number, square in zip(numbers.tolist(), squares, strict=True):
        row, column = (SIDE * place for place in divmod(number, columns))
        bottom, right = min(row + SIDE, height), min(column + SIDE, width)
        samples[row:bottom, column:right] = square[:, : bottom - row, : right - column].transpose(1, 2, 0)


def tile_code(header: Header) -> TileCode:
    """The code under which a picture's blocks are compressed."""
    return code_of(header.profile, header.step)


def code_of(profile: Profile, step: int) -> TileCode:
    """See `tile_code`; step: sixteenths of a grey level."""
    bases = np.broadcast_to(profile.planes(), (profile.channels, SIDE, SIDE)).astype(np.int64)
    return TileCode(bases, profile.depth, step)


def records_of(
    content: NDArray[np.int64], blocks: NDArray[np.int64], header: Header, secret: Secret
) -> list[list[bytes]]:
    """The three layers' records of blocks, n x C x 16 x 16 contents with their numbers. The last layer's end with a
    checksum of the content."""
    made = tile_code(header).encode(content)
    proofs = content_seals(content, blocks, header, secret)
    last = [record and record + proof for record, proof in zip(made.remainder, proofs, strict=True)]
    unit, longest = unit_of(header), longest_record(header)
    layers: list[list[bytes]] = [[], [], []]
    for block in zip(made.base, made.refinement, last, strict=True):
        fits = True
        for layer, record in zip(layers, block, strict=True):
            whole = _wrapped(record, unit)
            fits = fits and 0 < len(whole) <= longest
            layer.append(whole if fits else b"")
    return layers


def _wrapped(record: bytes, unit: int) -> bytes:
    """A record brought to whole units of four bytes, where lengths are counted in these: how many bytes were added, in
    two bytes, the record, and those. Records of even length, counted in twos, stay as they are."""
    if unit == 2 or not record:
        return record
    added = -len(record) - 2 & 3
    return bytes([added, 0]) + record + bytes(added)


def unwrapped(record: bytes, header: Header) -> bytes:
    """A record of the tile code, from what a stream says."""
    if unit_of(header) == 2 or len(record) < 4:
        return record
    return record[2 : len(record) - min(record[0], 2)]


def edge_digits(layout: Layout, header: Header, secret: Secret) -> tuple[Samples, Samples]:
    """Digits of the samples beyond the last whole row and column of blocks, which carry nothing: keyed noise, so that
    they can be told again. Below (h x W x C) and to the right (H x w x C), before `% base`."""
    channels = header.profile.channels
    below = (layout.height - layout.rows * SIDE, layout.width, channels)
    right = (layout.height, layout.width - layout.columns * SIDE, channels)
    stream = hashlib.shake_256(secret.subkey("exact edges") + header.nonce)
    noise = np.frombuffer(stream.digest(int(np.prod(below) + np.prod(right))), np.uint8)
    return noise[: int(np.prod(below))].reshape(below), noise[int(np.prod(below)) :].reshape(right)
