"""The receiver's second question: what did the tiles say that are lost?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.blocks import gather, padded, records_of, scatter, tile_code, unwrapped
from imuge_cli.exact.carrier import SEAL_BYTES, SLOT_BYTES, Samples, keep_seals, seal_digits
from imuge_cli.exact.examine import Examination
from imuge_cli.exact.header import Header
from imuge_cli.exact.layout import Layout
from imuge_cli.exact.protect import TOGETHER, seal_tiles, with_edges, write_tiles
from imuge_cli.exact.seal import content_seals, opaque_tiles
from imuge_cli.exact.streams import LAYERS, Filled, deal_slots, fill_in_records, to_streams
from imuge_cli.keys import Secret

_TURNED = 0.2
# Where more than some three fifths of the tiles are lost nothing comes back; this is far beyond.
_HOPELESS = 16

INTACT, PROVEN, FINE, COARSE, LOST = range(5)
"""What became of a tile: its seal was right; it came back bit for bit, proven; it came back from the first two layers,
or from the first alone; nothing of it did."""


@dataclass(frozen=True)
class Repaired:
    """samples: H x W x C, the original's whole frame; tiles that are LOST keep what the suspect showed there (black
    beyond its frame); None where so little is left that nothing can come back. fate: rows x columns, INTACT to LOST."""

    samples: Samples | None
    fate: NDArray[np.int64]


def repair(samples: Samples, alpha: Samples | None, found: Examination, secret: Secret) -> Repaired:
    """Restore what a suspect's intact tiles tell of the others; samples, alpha: as `examine` saw them."""
    layout = found.layout
    if found.valid.sum() * _HOPELESS < found.valid.size:
        # A suspect says how large the original was: of a small one that lies, nothing large may be made.
        return Repaired(None, np.where(found.valid, INTACT, LOST))
    canvas = np.zeros((layout.height, layout.width, samples.shape[2]), samples.dtype)
    top, left = found.origin
    canvas[top : top + found.shape[0], left : left + found.shape[1]] = samples
    opaque: Samples | None = None
    if alpha is not None:
        opaque = np.full(canvas.shape[:2], np.iinfo(alpha.dtype).max, alpha.dtype)
        opaque[top : top + found.shape[0], left : left + found.shape[1]] = alpha
    fate = np.where(found.valid, INTACT, LOST).ravel()
    work = _Work(canvas, opaque, fate, found, secret)
    damaged = [group for group in range(layout.groups) if (fate[layout.tiles(group)] == LOST).any()]
    for at in range(0, len(damaged), TOGETHER):
        _repair_groups(work, damaged[at : at + TOGETHER])
    return Repaired(canvas, fate.reshape(found.valid.shape))


@dataclass(frozen=True)
class _Work:
    """canvas: the original's frame, drawn into. alpha: of it. fate: by tile, filled in."""

    canvas: Samples
    alpha: Samples | None
    fate: NDArray[np.int64]
    found: Examination
    secret: Secret


@dataclass(frozen=True)
class _Group:
    """A group. before: its tiles' first 16 x 16 samples as the suspect shows them, n x C x 16 x 16. known: by block,
    whether its tile is intact. filled: its records, as far as they could be completed.
    """

    tiles: NDArray[np.int64]
    before: Samples
    blocks: NDArray[np.int64]
    known: NDArray[np.bool_]
    filled: Filled

    @property
    def lost(self) -> NDArray[np.int64]:
        """The numbers of the blocks that are not known."""
        return self.blocks[~self.known]

    def records_of_lost(self, layer: int) -> list[bytes]:
        """Their records of a layer that is complete."""
        return [self.filled.records[layer][number] for number in np.flatnonzero(~self.known).tolist()]


def _repair_groups(work: _Work, numbers: list[int]) -> None:
    """Some groups side by side, since what is done to many blocks at a time is done faster."""
    groups, layout = _filled_in(work, numbers), work.found.layout
    for layers in range(1, LAYERS + 1):
        mine = [group for group in groups if group.filled.layers == layers]
        if not mine:
            continue
        blocks = np.concatenate([group.lost for group in mine])
        records = [[r for group in mine for r in group.records_of_lost(layer)] for layer in range(layers)]
        block_fate = _restore_blocks(work, blocks, records)
        tiles = layout.tile_of_block[blocks]
        work.fate[tiles] = INTACT
        # An edge tile of several blocks is what the worst of them is.
        np.maximum.at(work.fate, tiles, block_fate)
    for group in groups:
        if group.filled.layers == LAYERS:
            _rewrite(work, group)


def _filled_in(work: _Work, numbers: list[int]) -> list[_Group]:
    header, layout, valid = work.found.header, work.found.layout, work.found.valid.ravel()
    tiles, blocks = [layout.tiles(n) for n in numbers], [layout.blocks(n) for n in numbers]
    known = [valid[layout.tile_of_block[part]] for part in blocks]
    shown = np.concatenate([part[there] for part, there in zip(blocks, known, strict=True)])
    whole = padded(work.canvas, layout)
    content = header.profile.content(gather(whole, layout.block_columns, shown))
    turns = [iter(layer) for layer in records_of(content, shown, header, work.secret)]
    place = np.cumsum(valid) - 1
    cells = work.found.payload[:, SEAL_BYTES : SEAL_BYTES + header.profile.slots * SLOT_BYTES]
    cells = cells.reshape(-1, header.profile.slots, SLOT_BYTES)
    groups = []
    for number in range(len(numbers)):
        records = [[next(turn) if there else b"" for there in known[number].tolist()] for turn in turns]
        slots = deal_slots(header, layout, tiles[number])
        of_tile = tiles[number][slots.tile]
        intact = valid[of_tile]
        held = cells[np.where(intact, place[of_tile], 0), slots.slot]
        filled = fill_in_records(records, known[number], slots, held, intact, header)
        before = gather(work.canvas, layout.columns, tiles[number])
        groups.append(_Group(tiles[number], before, blocks[number], known[number], filled))
    return groups


def _restore_blocks(work: _Work, blocks: NDArray[np.int64], records: list[list[bytes]]) -> NDArray[np.int64]:
    """Draw blocks, in place; what became of each, n. Exact ones have no digits yet."""
    header, layout = work.found.header, work.found.layout
    code, top = tile_code(header), np.iinfo(work.canvas.dtype).max
    told = [[unwrapped(record, header) for record in layer] for layer in records]
    proofs = [record[-SEAL_BYTES:] for record in told[2]] if len(told) == LAYERS else []
    bare = [layer if n < 2 else [r[:-SEAL_BYTES] for r in layer] for n, layer in enumerate(told)]
    fate, pending = np.full(len(blocks), LOST), np.arange(len(blocks))
    # The last layer first; what it does not reach, from those before.
    for layer in range(len(bare) - 1, -1, -1):
        decoded = code.decode(*([part[n] for n in pending.tolist()] for part in bare[: layer + 1]))
        good = decoded.complete
        if layer == LAYERS - 1:
            assert decoded.content is not None
            right = content_seals(decoded.content, blocks[pending], header, work.secret)
            good = good & np.array([proof == proofs[n] for proof, n in zip(right, pending.tolist(), strict=True)], bool)
            squares = decoded.content * header.profile.planes()
        else:
            squares = np.clip(np.rint(decoded.samples * (top / 255)), 0, top)
        drawn: Samples = squares[good].astype(work.canvas.dtype)
        scatter(work.canvas, layout.block_columns, blocks[pending[good]], drawn)
        fate[pending[good]] = (COARSE, FINE, PROVEN)[layer]
        pending = pending[~good]
        if not len(pending):
            break
    return fate


def _rewrite(work: _Work, group: _Group) -> None:
    """Give proven tiles their digits back, in place: payload, edges, seal.

    What alpha was nothing proves here. Where the suspect's is not opaque a new seal would vouch for it, and so the
    suspect's own digits are kept: the right ones where the seal was left alone.
    """
    header, layout, canvas = work.found.header, work.found.layout, work.canvas
    proven = work.fate[group.tiles] == PROVEN
    if not proven.any():
        return
    # Only tiles of the last row and column reach beyond whole blocks; a copy of all of the picture is dear.
    last = layout.reaches_beyond(group.tiles) & proven
    if last.any():
        edged = with_edges(canvas, layout, header, work.secret)
        for tile in group.tiles[last].tolist():
            rows, columns = layout.tile_slices(tile)
            canvas[rows, columns] = edged[rows, columns]
    streams = to_streams(group.filled.records, header)
    write_tiles(canvas, group.tiles, streams, layout, header, work.secret, only=proven)
    if work.alpha is None:
        seal_tiles(canvas, None, group.tiles[proven], layout, header, work.secret)
        return
    opaque = proven.copy()
    opaque[proven] = opaque_tiles(work.alpha, layout, group.tiles[proven])
    if opaque.any():
        seal_tiles(canvas, None, group.tiles[opaque], layout, header, work.secret)
        _undo_seals(canvas, group, opaque, header, layout)
    sheer = proven & ~opaque
    squares = gather(canvas, layout.columns, group.tiles[sheer])
    keep_seals(squares, group.before[sheer], header.profile.bases[0])
    scatter(canvas, layout.columns, group.tiles[sheer], squares)


def _undo_seals(canvas: Samples, group: _Group, opaque: NDArray[np.bool_], header: Header, layout: Layout) -> None:
    """Where nothing but alpha was changed, the seal that was there is right, not the one of alpha as it is now."""
    tiles = group.tiles[opaque]
    before, after = group.before[opaque], gather(canvas, layout.columns, tiles)
    count = seal_digits(header.profile.bases[0])
    differs = (before != after).reshape(len(tiles), -1)
    of_seal, elsewhere = differs[:, :count].sum(1), differs[:, count:].sum(1)
    # A seal that was turned by hand differs in a few digits, one of other alpha in half of them or so.
    right = (elsewhere == 0) & (of_seal > _TURNED * count)
    scatter(canvas, layout.columns, tiles[right], before[right])
