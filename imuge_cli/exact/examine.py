"""The receiver's first question: which tiles are bit for bit what was published?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.blocks import gather
from imuge_cli.exact.carrier import PROFILES, SEAL_BYTES, SLOT_BYTES, Profile, Samples, read_payload
from imuge_cli.exact.header import Header, cover, piece_of, read_headers
from imuge_cli.exact.layout import SIDE, Layout, Window
from imuge_cli.exact.seal import seals
from imuge_cli.keys import Secret

# Seals to try before all of them, where a header may be wrong.
_TRIED = 256


@dataclass(frozen=True)
class Examination:
    """What seals say of a suspect, whose first row and column are the original's `origin`.

    inside, valid: rows x columns of tiles; whether a tile lies wholly in the suspect, and whether its seal is right.
    payload: what the valid tiles carry, in the order of their numbers, n x capacity bytes.
    """

    header: Header
    origin: tuple[int, int]
    shape: tuple[int, int]
    inside: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    payload: NDArray[np.uint8]

    @cached_property
    def layout(self) -> Layout:
        """The original's layout."""
        return Layout(self.header.height, self.header.width)

    @property
    def window(self) -> Window:
        """Where the suspect lies in the original's frame."""
        (top, left), (height, width) = self.origin, self.shape
        return slice(top, top + height), slice(left, left + width)

    @property
    def whole(self) -> bool:
        """Whether the suspect has the original's frame."""
        return self.origin == (0, 0) and self.shape == (self.header.height, self.header.width)

    @property
    def exact(self) -> bool:
        """Whether the suspect is the published picture, bit for bit."""
        return self.whole and bool(self.valid.all())

    def mask(self) -> NDArray[np.bool_]:
        """The suspect's samples, h x w, that no valid seal vouches for.

        In a crop the tiles along its edges are cut: they count as doubted only if a tile beside them that was not cut
        is.
        """
        doubted = ~self.valid
        cut = doubted & ~self.inside
        if cut.any() and not self.whole:
            doubted = doubted & (self.inside | _beside(doubted & self.inside))
        mask: NDArray[np.bool_] = self.layout.tile_samples(doubted, self.window)
        return mask


def examine(
    samples: Samples, alpha: Samples | None, secret: Secret, origin: tuple[int, int] = (0, 0)
) -> Examination | None:
    """Look for the exact layer in h x w x C samples that begin at row and column `origin` of the original.

    None where no seal is right: never there, destroyed by any change to every tile, or of another key.
    """
    depth = 8 * samples.dtype.itemsize
    for profile in PROFILES:
        if profile.depth == depth and profile.channels == samples.shape[2]:
            found = _examine(samples, alpha, secret, origin, profile)
            if found is not None:
                return found
    return None


def _examine(
    samples: Samples, alpha: Samples | None, secret: Secret, origin: tuple[int, int], profile: Profile
) -> Examination | None:
    shown, top, left = _aligned(samples, origin)
    if min(shown.shape[:2]) < SIDE:
        return None
    rows, columns = shown.shape[0] // SIDE, shown.shape[1] // SIDE
    row, column = (index.ravel() for index in np.indices((rows, columns)))
    covers, piece = cover(secret, row + top, column + left), piece_of(row + top, column + left)
    holding = np.flatnonzero(piece >= 0)
    last = SEAL_BYTES + (profile.slots - 1) * SLOT_BYTES
    told = read_payload(gather(shown, columns, holding), profile)[:, last : last + SLOT_BYTES]
    found = None
    for header in read_headers(told, piece[holding], covers[holding]):
        if header.profile == profile:
            sealed = _sealed(samples, alpha, secret, origin, header)
            if sealed is not None and (found is None or sealed.valid.sum() > found.valid.sum()):
                found = sealed
            if found is not None and found.valid.sum() > found.inside.sum() / 2:
                break
    return found


def _sealed(
    samples: Samples, alpha: Samples | None, secret: Secret, origin: tuple[int, int], header: Header
) -> Examination | None:
    layout, shape = Layout(header.height, header.width), (int(samples.shape[0]), int(samples.shape[1]))
    if origin[0] + shape[0] > layout.height or origin[1] + shape[1] > layout.width:
        return None
    inside = np.zeros((layout.rows, layout.columns), bool)
    rows = [_covered(layout.tile_slices(r * layout.columns)[0], origin[0], shape[0]) for r in range(layout.rows)]
    columns = [_covered(layout.tile_slices(c)[1], origin[1], shape[1]) for c in range(layout.columns)]
    inside[:] = np.array(rows)[:, None] & np.array(columns)[None]
    tiles = np.flatnonzero(inside)
    if len(tiles) == 0:
        return None
    shown, top, left = _aligned(samples, origin)
    wide = shown.shape[1] // SIDE
    squares = gather(shown, wide, (tiles // layout.columns - top) * wide + tiles % layout.columns - left)
    payload = read_payload(squares, header.profile)
    tried = slice(None, None, max(1, len(tiles) // _TRIED))
    told = payload[:, :SEAL_BYTES]
    if not (told[tried] == seals(samples, alpha, header, secret, tiles[tried], origin)).all(1).any():
        return None
    right = (told == seals(samples, alpha, header, secret, tiles, origin)).all(1)
    if not right.any():
        return None
    valid = np.zeros(layout.rows * layout.columns, bool)
    valid[tiles[right]] = True
    return Examination(header, origin, shape, inside, valid.reshape(inside.shape), payload[right])


def _covered(part: slice, start: int, length: int) -> bool:
    return bool(start <= part.start and part.stop <= start + length)


def _aligned(samples: Samples, origin: tuple[int, int]) -> tuple[Samples, int, int]:
    """A suspect from its first whole row and column of tiles on, and the numbers of these."""
    top, left = -(-origin[0] // SIDE), -(-origin[1] // SIDE)
    return samples[top * SIDE - origin[0] :, left * SIDE - origin[1] :], top, left


def _beside(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether any of a tile's eight neighbours is marked."""
    framed = np.pad(marked, 1)
    rows, columns = marked.shape
    shifts = [framed[y : y + rows, x : x + columns] for y in range(3) for x in range(3)]
    result: NDArray[np.bool_] = np.logical_or.reduce(shifts)
    return result
