"""The sender: write seals, parity and header into a picture's digits."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.blocks import edge_digits, gather, padded, records_of, scatter
from imuge_cli.exact.budget import plan_budget
from imuge_cli.exact.carrier import SEAL_BYTES, SLOT_BYTES, Profile, Samples, write_payload, write_seals
from imuge_cli.exact.header import Header, cover, piece_of, pieces
from imuge_cli.exact.layout import SIDE, Layout
from imuge_cli.exact.seal import seals
from imuge_cli.exact.streams import StreamTooLong, carried, deal_slots, to_streams
from imuge_cli.keys import Secret

NONCE_BYTES = 8
TOGETHER = 4
"""Groups that are worked on at a time: many blocks are coded faster than few, and take more memory."""
_SAMPLED = 512


@dataclass(frozen=True)
class Protected:
    """samples: H x W x C, the digits replaced, the content as it was."""

    samples: Samples
    header: Header


def protect(
    samples: Samples,
    alpha: Samples | None,
    *,
    profile: Profile,
    secret: Secret,
    image_id: int,
    nonce: bytes | None = None,
    family: int = 0,
) -> Protected:
    """Give a picture of H x W x C samples (32 at least on either side) its exact layer.

    alpha: H x W, covered by the seals. nonce: 8 bytes; fresh ones if None, as they must be outside of tests. family:
    the number of the model's that the picture was immunized with.
    """
    layout = Layout(samples.shape[0], samples.shape[1])
    whole = padded(samples, layout)
    numbers = np.arange(layout.block_rows * layout.block_columns)
    chosen = numbers[:: max(1, len(numbers) // _SAMPLED)]
    budget = plan_budget(profile.content(gather(whole, layout.block_columns, chosen)), profile)
    header = Header(
        profile=profile,
        step=budget.step,
        shares=budget.shares,
        qualities=budget.qualities,
        height=layout.height,
        width=layout.width,
        image_id=image_id,
        nonce=secrets.token_bytes(NONCE_BYTES) if nonce is None else nonce,
        family=family,
    )
    while True:
        try:
            result = _with_payload(samples, whole, layout, header, secret)
            break
        except StreamTooLong as error:
            # Noise rather than a photograph: this layer, and what builds on it, cannot be had.
            header = replace(header, shares=budget.without(error.layer))
    seal_tiles(result, alpha, np.arange(layout.rows * layout.columns), layout, header, secret)
    return Protected(result, header)


def _with_payload(samples: Samples, whole: Samples, layout: Layout, header: Header, secret: Secret) -> Samples:
    """A copy with everything but the seals. whole: `padded` samples. Raises StreamTooLong."""
    result = with_edges(samples, layout, header, secret)
    for first in range(0, layout.groups, TOGETHER):
        groups = range(first, min(first + TOGETHER, layout.groups))
        blocks = [layout.blocks(group) for group in groups]
        numbers = np.concatenate(blocks)
        content = header.profile.content(gather(whole, layout.block_columns, numbers))
        records = records_of(content, numbers, header, secret)
        ends = np.cumsum([len(part) for part in blocks]).tolist()
        for group, part, end in zip(groups, blocks, ends, strict=True):
            streams = to_streams([layer[end - len(part) : end] for layer in records], header)
            write_tiles(result, layout.tiles(group), streams, layout, header, secret)
    return result


def with_edges(samples: Samples, layout: Layout, header: Header, secret: Secret) -> Samples:
    """A copy whose samples beyond the last whole row and column of blocks have keyed digits."""
    result, bases = samples.copy(), np.array(header.profile.bases)
    highest = (np.iinfo(samples.dtype).max + 1) // bases - 1
    below, right = edge_digits(layout, header, secret)
    for part, digits in ((np.s_[layout.rows * SIDE :], below), (np.s_[:, layout.columns * SIDE :], right)):
        content = np.minimum(samples[part] // bases, highest)
        result[part] = (content * bases + digits % bases).astype(samples.dtype)
    return result


def write_tiles(
    samples: Samples,
    tiles: NDArray[np.int64],
    streams: list[bytes],
    layout: Layout,
    header: Header,
    secret: Secret,
    only: NDArray[np.bool_] | None = None,
) -> None:
    """Write a group's payload into its tiles, in place, the seals left out (zero). only: by tile, which to write."""
    profile = header.profile
    slots = deal_slots(header, layout, tiles)
    rows, columns = tiles // layout.columns, tiles % layout.columns
    covers, piece = cover(secret, rows, columns), piece_of(rows, columns)
    payload = np.zeros((len(tiles), profile.capacity), np.uint8)
    cells = payload[:, SEAL_BYTES : SEAL_BYTES + profile.slots * SLOT_BYTES]
    cells = cells.reshape(len(tiles), profile.slots, SLOT_BYTES)
    cells[slots.tile, slots.slot] = carried(streams, slots)
    holding = piece >= 0
    cells[holding, -1] = pieces(header, piece[holding], covers[holding])
    payload[:, SEAL_BYTES : SEAL_BYTES + profile.slots * SLOT_BYTES] = cells.reshape(len(tiles), -1)
    chosen = np.ones(len(tiles), bool) if only is None else only
    content = profile.content(gather(samples, layout.columns, tiles[chosen]))
    squares = write_payload(content, payload[chosen], covers[chosen, SLOT_BYTES:], profile)
    scatter(samples, layout.columns, tiles[chosen], squares)


def seal_tiles(
    samples: Samples,
    alpha: Samples | None,
    tiles: NDArray[np.int64],
    layout: Layout,
    header: Header,
    secret: Secret,
) -> None:
    """Write the seals of finished tiles, in place."""
    profile = header.profile
    found = seals(samples, alpha, header, secret, tiles)
    squares = gather(samples, layout.columns, tiles)
    write_seals(squares, found, profile.bases[0])
    scatter(samples, layout.columns, tiles, squares)
