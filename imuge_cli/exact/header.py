"""The exact layer's header: 32 bytes that every reader needs first, in pieces all over the picture.

Four pieces of 8 bytes lie in the last slot of one tile in four, covered with keyed bytes of the tile's place, so that
no pattern in the picture can pass for them. What most tiles say is taken; whether it was right the seals tell, which
cover the header too.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.carrier import PROFILES, SLOT_BYTES, Profile
from imuge_cli.keys import Secret, plane_bytes

FORMAT_VERSION = 1
FAMILIES = 3
"""Families of models that a header can name."""

STREAMS = 6
"""Erasure-coded streams: for each of three layers, the records' lengths and the records."""

STEPS = tuple(round(24 * 1.12**number) for number in range(36))
"""The quantizers there are, sixteenths of a grey level: 1.5 to 79. The header holds a number in this list."""

_FORMAT = struct.Struct("<BBBB6s2sIII8s")
_PIECES = _FORMAT.size // SLOT_BYTES
_FILLER_BYTES = 16
_RIVALS = 4


@dataclass(frozen=True)
class Header:
    """step: of the finer quantizer, one of STEPS. shares: of the slots, by stream, in parts of their sum.
    qualities: PSNR of the first two layers against the immunized picture, quarters of a decibel. height, width: of
    the immunized picture. nonce: new for every immunization, so that nothing of an older version fits. family: which
    model's immunization lies beneath, 0 to 2.
    """

    profile: Profile
    step: int
    shares: tuple[int, ...]
    qualities: tuple[int, int]
    height: int
    width: int
    image_id: int
    nonce: bytes
    family: int = 0

    @property
    def layers(self) -> int:
        """How many layers there are: those whose records have slots."""
        return next((number for number in range(STREAMS // 2) if not self.shares[2 * number + 1]), STREAMS // 2)

    def to_bytes(self) -> bytes:
        """32 bytes."""
        return _FORMAT.pack(
            FORMAT_VERSION,
            self.profile.number,
            self.family,
            STEPS.index(self.step),
            bytes(self.shares),
            bytes(self.qualities),
            self.height,
            self.width,
            self.image_id,
            self.nonce,
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Header | None:
        """None where it cannot be one."""
        if len(data) != _FORMAT.size:
            return None
        version, number, family, step, shares, qualities, height, width, image_id, nonce = _FORMAT.unpack(data)
        profile = next((p for p in PROFILES if p.number == number), None)
        sane = version == FORMAT_VERSION and family < FAMILIES and step < len(STEPS) and min(height, width) >= 32
        if profile is None or not sane or max(height, width) > 65535 or sum(shares) == 0:
            return None
        pair = (qualities[0], qualities[1])
        return cls(profile, STEPS[step], tuple(shares), pair, height, width, image_id, nonce, family)


def piece_of(row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which piece of the header a tile's last slot holds, -1 for none."""
    place = (7 * row + column) % 16
    return np.where(place % 4 == 0, place // 4, -1)


def cover(secret: Secret, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Keyed bytes of tiles, n x 24: the first 8 cover a piece, the others fill what carries nothing."""
    if len(row) == 0:
        return np.zeros((0, SLOT_BYTES + _FILLER_BYTES), np.uint8)
    top, left = int(row.min()), int(column.min())
    shape = (int(row.max()) - top + 1, int(column.max()) - left + 1)
    plane = plane_bytes(secret.subkey("exact cover"), *shape, SLOT_BYTES + _FILLER_BYTES, top=top, left=left)
    return plane[row - top, column - left]


def pieces(header: Header, piece: NDArray[np.int64], covers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What tiles hold that have these pieces: n x 8 bytes."""
    data = np.frombuffer(header.to_bytes(), np.uint8).reshape(_PIECES, SLOT_BYTES)
    return data[piece] ^ covers[:, :SLOT_BYTES]


def read_headers(slots: NDArray[np.uint8], piece: NDArray[np.int64], covers: NDArray[np.uint8]) -> list[Header]:
    """The headers that the last slots (n x 8) of tiles with pieces may tell, the likeliest first.

    Two are in earnest where about half of a picture comes from another one under the same key; in small pictures a
    piece may be left once only. Most of what chance puts together is no header.
    """
    told = []
    for number in range(_PIECES):
        held = np.ascontiguousarray((slots ^ covers[:, :SLOT_BYTES])[piece == number]).view("<u8").ravel()
        values, counts = np.unique(held, return_counts=True)
        best = np.argsort(-counts, kind="stable")[:_RIVALS]
        told.append([values[n].tobytes() for n in best] or [b""])
    found = [Header.from_bytes(b"".join(parts)) for parts in product(*told)]
    return list(dict.fromkeys(header for header in found if header is not None))
