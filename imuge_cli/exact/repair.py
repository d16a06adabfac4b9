"""The receiver's second question: what did the tiles say that are lost?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.blocks import gather, padded, records_of, scatter, tile_code, unwrapped
from imuge_cli.exact.carrier import SEAL_BYTES, SLOT_BYTES, Samples, seal_digits
from imuge_cli.exact.examine import Examination
from imuge_cli.exact.header import Header
from imuge_cli.exact.layout import Layout
from imuge_cli.exact.protect import seal_tiles, with_edges, write_tiles
from imuge_cli.exact.seal import content_seals
from imuge_cli.exact.streams import LAYERS, Filled, deal_slots, fill_in_records, to_streams, unit_of
from imuge_cli.keys import Secret

_TURNED = 0.2

INTACT, PROVEN, FINE, COARSE, LOST = range(5)
"""What became of a tile: its seal was right; it came back bit for bit, proven; it came back from the first two layers,
or from the first alone; nothing of it did."""


@dataclass(frozen=True)
class Repaired:
    """samples: H x W x C, the original's whole frame; tiles that are LOST keep what the suspect showed there (black
    beyond its frame). fate: rows x columns, INTACT to LOST."""

    samples: Samples
    fate: NDArray[np.int64]


def repair(samples: Samples, alpha: Samples | None, found: Examination, secret: Secret) -> Repaired:
    """Restore what a suspect's intact tiles tell of the others; samples, alpha: as `examine` saw them."""
    layout = found.layout
    canvas = np.zeros((layout.height, layout.width, samples.shape[2]), samples.dtype)
    top, left = found.origin
    canvas[top : top + found.shape[0], left : left + found.shape[1]] = samples
    opaque: Samples | None = None
    if alpha is not None:
        opaque = np.full(canvas.shape[:2], np.iinfo(alpha.dtype).max, alpha.dtype)
        opaque[top : top + found.shape[0], left : left + found.shape[1]] = alpha
    fate = np.where(found.valid, INTACT, LOST).ravel()
    for group in range(layout.groups):
        if (fate[layout.tiles(group)] == LOST).any():
            _repair_group(canvas, opaque, group, fate, found, secret)
    return Repaired(canvas, fate.reshape(found.valid.shape))


@dataclass(frozen=True)
class _Known:
    """A group with what is known of it. before: its tiles' first 16 x 16 samples as the suspect shows them, n x C x 16
    x 16. known: by block, whether its tile is intact.
    """

    tiles: NDArray[np.int64]
    before: Samples
    blocks: NDArray[np.int64]
    known: NDArray[np.bool_]
    filled: Filled


def _repair_group(
    canvas: Samples,
    alpha: Samples | None,
    group: int,
    fate: NDArray[np.int64],
    found: Examination,
    secret: Secret,
) -> None:
    layout = found.layout
    group_now = _fill_in(canvas, group, found, secret)
    lost = group_now.blocks[~group_now.known]
    if group_now.filled.layers == 0:
        return
    chosen = np.flatnonzero(~group_now.known).tolist()
    records = [[layer[n] for n in chosen] for layer in group_now.filled.records]
    block_fate = _restore_blocks(canvas, lost, records, found.header, layout, secret)
    tiles = group_now.tiles[~found.valid.ravel()[group_now.tiles]]
    of_tile = layout.tile_of_block[lost]
    for tile in tiles.tolist():
        fate[tile] = block_fate[of_tile == tile].max()
    if group_now.filled.layers == LAYERS:
        _rewrite(canvas, alpha, group_now, fate, found.header, layout, secret)


def _fill_in(canvas: Samples, group: int, found: Examination, secret: Secret) -> _Known:
    header, layout, valid = found.header, found.layout, found.valid.ravel()
    tiles, blocks = layout.tiles(group), layout.blocks(group)
    known = valid[layout.tile_of_block[blocks]]
    content = header.profile.content(gather(padded(canvas, layout), layout.block_columns, blocks[known]))
    made = records_of(content, blocks[known], header, secret)
    records = []
    for layer in made:
        turn = iter(layer)
        records.append([next(turn) if there else b"" for there in known.tolist()])
    slots = deal_slots(header, layout, tiles)
    intact = valid[tiles[slots.tile]]
    place = np.cumsum(valid) - 1
    cells = found.payload[:, SEAL_BYTES : SEAL_BYTES + header.profile.slots * SLOT_BYTES]
    cells = cells.reshape(len(found.payload), header.profile.slots, SLOT_BYTES)
    held = cells[np.where(intact, place[tiles[slots.tile]], 0), slots.slot]
    before = gather(canvas, layout.columns, tiles)
    return _Known(tiles, before, blocks, known, fill_in_records(records, known, slots, held, intact, unit_of(header)))


def _restore_blocks(
    canvas: Samples,
    blocks: NDArray[np.int64],
    records: list[list[bytes]],
    header: Header,
    layout: Layout,
    secret: Secret,
) -> NDArray[np.int64]:
    """Draw blocks, in place; what became of each, n. Exact ones have no digits yet."""
    code = tile_code(header)
    top = np.iinfo(canvas.dtype).max
    fate = np.full(len(blocks), LOST)
    records = [[unwrapped(record, header) for record in layer] for layer in records]
    proofs = [record[-SEAL_BYTES:] for record in records[2]] if len(records) == LAYERS else []
    bare = [layer if n < 2 else [r[:-SEAL_BYTES] for r in layer] for n, layer in enumerate(records)]
    for layer, reached in ((0, COARSE), (1, FINE), (2, PROVEN)):
        if layer >= len(records):
            break
        decoded = code.decode(*bare[: layer + 1])
        good = decoded.complete
        if layer == 2:
            assert decoded.content is not None
            right = content_seals(decoded.content, blocks, header, secret)
            good = good & np.array([a == b for a, b in zip(right, proofs, strict=True)])
            squares = decoded.content * header.profile.planes()
        else:
            squares = np.clip(np.rint(decoded.samples * (top / 255)), 0, top)
        drawn: Samples = squares[good].astype(canvas.dtype)
        scatter(canvas, layout.block_columns, blocks[good], drawn)
        fate[good] = reached
    return fate


def _rewrite(
    canvas: Samples,
    alpha: Samples | None,
    group: _Known,
    fate: NDArray[np.int64],
    header: Header,
    layout: Layout,
    secret: Secret,
) -> None:
    """Give proven tiles their digits back, in place: payload, edges, seal."""
    proven = fate[group.tiles] == PROVEN
    if not proven.any():
        return
    if layout.rows < layout.block_rows or layout.columns < layout.block_columns:
        edged = with_edges(canvas, layout, header, secret)
        for tile in group.tiles[proven].tolist():
            rows, columns = layout.tile_slices(tile)
            canvas[rows, columns] = edged[rows, columns]
    write_tiles(canvas, group.tiles, to_streams(group.filled.records, header), layout, header, secret, only=proven)
    seal_tiles(canvas, alpha, group.tiles[proven], layout, header, secret)
    if alpha is not None:
        _keep_seals(canvas, group, proven, header, layout)


def _keep_seals(canvas: Samples, group: _Known, proven: NDArray[np.bool_], header: Header, layout: Layout) -> None:
    """Where nothing but alpha was changed, the seal that was there is right, not the one of alpha as it is now."""
    tiles = group.tiles[proven]
    before, after = group.before[proven], gather(canvas, layout.columns, tiles)
    count = seal_digits(header.profile.bases[0])
    differs = (before != after).reshape(len(tiles), -1)
    of_seal, elsewhere = differs[:, :count].sum(1), differs[:, count:].sum(1)
    # A seal that was turned by hand differs in a few digits, one of other alpha in half of them or so.
    right = (elsewhere == 0) & (of_seal > _TURNED * count)
    scatter(canvas, layout.columns, tiles[right], before[right])
