"""Seals: one keyed checksum a tile, bound to the picture, its size and the tile's place.

BLAKE2b (RFC 7693), 64 bits: whoever does not have the key passes with probability 2^-64 a tile. A seal covers the
header (image id, nonce, size), the tile's row and column, every bit of its samples but the seal's own, and alpha.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.carrier import SEAL_BYTES, Samples, seal_digits
from imuge_cli.exact.header import Header
from imuge_cli.exact.layout import SIDE, Layout
from imuge_cli.keys import Secret


def seals(
    pixels: Samples,
    alpha: Samples | None,
    header: Header,
    secret: Secret,
    tiles: NDArray[np.int64],
    origin: tuple[int, int] = (0, 0),
) -> NDArray[np.uint8]:
    """Seals of some tiles, n x 8 bytes.

    pixels: h x w x C samples, the part of the picture that begins at row and column `origin`; the tiles must lie
    inside. alpha: h x w; None, and tiles that are opaque throughout, count alike.
    """
    layout = Layout(header.height, header.width)
    key, context = secret.subkey("exact seal"), header.to_bytes()
    kind = pixels.dtype.newbyteorder("<")  # whatever the machine's own order
    found = np.empty((len(tiles), SEAL_BYTES), np.uint8)
    for number, tile in enumerate(tiles.tolist()):
        rows, columns = layout.tile_slices(tile)
        part = (
            slice(rows.start - origin[0], rows.stop - origin[0]),
            slice(columns.start - origin[1], columns.stop - origin[1]),
        )
        digest = hashlib.blake2b(context, digest_size=SEAL_BYTES, key=key)
        digest.update(struct.pack("<II", *divmod(tile, layout.columns)))
        digest.update(unsealed(pixels[part], header.profile.bases[0]).astype(kind).tobytes())
        if alpha is not None and not _opaque(alpha[part]):
            digest.update(alpha[part].astype(kind).tobytes())
        found[number] = np.frombuffer(digest.digest(), np.uint8)
    return found


def opaque_tiles(alpha: Samples, layout: Layout, tiles: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some tiles, n, are opaque throughout. alpha: H x W, the whole picture's."""
    return np.array([_opaque(alpha[layout.tile_slices(tile)]) for tile in tiles.tolist()], bool)


def _opaque(alpha: Samples) -> bool:
    return bool((alpha == np.iinfo(alpha.dtype).max).all())


def unsealed(tile: Samples, base: int) -> Samples:
    """A tile's samples, h x w x C, without the digits in which its seal lies (those that come first)."""
    cleared, count = tile.copy(), seal_digits(base)
    first = cleared[:SIDE, :SIDE, 0].ravel()
    first[:count] -= first[:count] % base
    cleared[:SIDE, :SIDE, 0] = first.reshape(SIDE, SIDE)
    return cleared


def content_seals(content: NDArray[np.int64], blocks: NDArray[np.int64], header: Header, secret: Secret) -> list[bytes]:
    """Checksums of what blocks say, n x C x 16 x 16 contents with their numbers: 8 bytes each.

    They travel with the last layer of the blocks' records, and prove what comes back of a block that was lost.
    """
    key, context = secret.subkey("exact content"), header.nonce
    small = content.astype("<u2")
    return [
        hashlib.blake2b(
            context + struct.pack("<I", block) + small[number].tobytes(), digest_size=SEAL_BYTES, key=key
        ).digest()
        for number, block in enumerate(blocks.tolist())
    ]
