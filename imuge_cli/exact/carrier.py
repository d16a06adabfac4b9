"""The carrier: samples as content and digits, digits as bytes.

A sample v is base * content + digit. Content is what is protected and compressed; the digits of a tile's first 16 x 16
samples hold its payload, whatever it says, without changing any content: parity can therefore be computed from content
before it is written beside it. Taking the content of the rounded sample costs the least that such a carrier can:
(base^2 - 1) / 6 squared grey levels a sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.layout import SIDE

Samples = NDArray[Any]  # uint8 or uint16; numpy cannot spell the union
Bytes = NDArray[np.uint8]

SEAL_BYTES = 8
SLOT_BYTES = 8
_DIGITS = SIDE * SIDE
# So many digits of base three hold 64 bits.
_TRITS = 41


@dataclass(frozen=True)
class Profile:
    """How samples carry digits. number: in the header. depth: bits of a sample. bases: by channel, 2, 3 or 16."""

    number: int
    depth: int
    bases: tuple[int, ...]

    @property
    def channels(self) -> int:
        """1 (grey) or 3."""
        return len(self.bases)

    @property
    def capacity(self) -> int:
        """Bytes in a tile."""
        return sum(_bytes_in(base) for base in self.bases)

    @property
    def slots(self) -> int:
        """Slots of 8 bytes in a tile, beside the seal."""
        return (self.capacity - SEAL_BYTES) // SLOT_BYTES

    def planes(self) -> NDArray[np.int64]:
        """bases as an array that broadcasts against ... x C x 16 x 16."""
        return np.array(self.bases, np.int64).reshape(-1, 1, 1)

    def content(self, samples: Samples) -> NDArray[np.int64]:
        """What is protected of ... x C x h x w samples. Base 3 has no content of its own for white."""
        highest = (np.iinfo(samples.dtype).max + 1) // self.planes() - 1
        content: NDArray[np.int64] = np.minimum(samples // self.planes(), highest)
        return content


PROFILES = (
    Profile(0, 8, (2, 2, 2)),
    Profile(1, 8, (3,)),
    Profile(2, 16, (16, 16, 16)),
    Profile(3, 16, (16,)),
    Profile(4, 8, (2, 2, 3)),
    Profile(5, 8, (2, 3, 3)),
)
"""All that are read. Numbers are never given again."""

REPAIRS = {"light": 0, "normal": 4, "strong": 5}
"""How much can be restored of 8-bit colour, against how visible it is: the profile's number."""
USUAL = "normal"


def profile_for(depth: int, channels: int, repair: str = USUAL) -> Profile:
    """What is written: the profile for samples of 8 or 16 bits, 1 or 3 channels. repair: of 8-bit colour."""
    if (depth, channels) == (8, 3):
        return next(profile for profile in PROFILES if profile.number == REPAIRS[repair])
    return next(profile for profile in PROFILES if (profile.depth, profile.channels) == (depth, channels))


def _bytes_in(base: int) -> int:
    return _DIGITS // _TRITS * 8 if base == 3 else _DIGITS * (base.bit_length() - 1) // 8


def seal_digits(base: int) -> int:
    """How many of a tile's first digits hold its seal."""
    return _TRITS if base == 3 else SEAL_BYTES * 8 // (base.bit_length() - 1)


def write_seals(tiles: Samples, seals: Bytes, base: int) -> None:
    """Put seals, n x 8 bytes, into the first digits of n x C x 16 x 16 samples, in place. base: the first channel's."""
    count = seal_digits(base)
    payload = np.zeros((len(tiles), _bytes_in(base)), np.uint8)
    payload[:, :SEAL_BYTES] = seals
    digits = _to_digits(payload, np.zeros((len(tiles), _DIGITS), np.uint8), base)[:, :count]
    first = tiles[:, 0].reshape(len(tiles), _DIGITS)
    first[:, :count] += digits - first[:, :count] % base
    tiles[:, 0] = first.reshape(len(tiles), SIDE, SIDE)


def keep_seals(tiles: Samples, source: Samples, base: int) -> None:
    """Give n x C x 16 x 16 samples the seal's digits of `source`, of the same shape, whatever they say, in place.

    base: the first channel's.
    """
    count = seal_digits(base)
    first, said = (part[:, 0].reshape(len(part), _DIGITS) for part in (tiles, source))
    first[:, :count] += said[:, :count] % base - first[:, :count] % base
    tiles[:, 0] = first.reshape(len(tiles), SIDE, SIDE)


def read_payload(tiles: Samples, profile: Profile) -> Bytes:
    """The payload of n x C x 16 x 16 samples: n x capacity bytes."""
    digits = [
        (tiles[:, channel].reshape(len(tiles), _DIGITS) % base).astype(np.uint8)
        for channel, base in enumerate(profile.bases)
    ]
    return np.concatenate([_to_bytes(d, base) for d, base in zip(digits, profile.bases, strict=True)], axis=1)


def write_payload(content: NDArray[np.int64], payload: Bytes, filler: Bytes, profile: Profile) -> Samples:
    """n x C x 16 x 16 samples of some content that carry n x capacity bytes.

    filler: n x 16 bytes for the digits of base three that are left over, so that they look like the others.
    """
    digits, at = [], 0
    for base in profile.bases:
        count = _bytes_in(base)
        digits.append(_to_digits(payload[:, at : at + count], filler, base).reshape(-1, SIDE, SIDE))
        at += count
    samples: Samples = (content * profile.planes() + np.stack(digits, 1)).astype(
        np.uint8 if profile.depth == 8 else np.uint16
    )
    return samples


def _to_bytes(digits: Bytes, base: int) -> Bytes:
    """n x 256 digits to n x bytes."""
    count = len(digits)
    if base == 2:
        return np.packbits(digits, axis=1)
    if base == 16:
        return (digits[:, 0::2] << 4 | digits[:, 1::2]).astype(np.uint8)
    words = digits[:, : _DIGITS // _TRITS * _TRITS].reshape(count, -1, _TRITS).astype(np.uint64)
    value = np.zeros(words.shape[:2], np.uint64)
    for place in range(_TRITS - 1, -1, -1):
        value = value * np.uint64(3) + words[..., place]
    return value.astype("<u8").view(np.uint8).reshape(count, -1)


def _to_digits(payload: Bytes, filler: Bytes, base: int) -> Bytes:
    """The inverse of `_to_bytes`, n x 256."""
    count = len(payload)
    if base == 2:
        return np.unpackbits(payload, axis=1)
    if base == 16:
        return np.stack([payload >> 4, payload & 15], -1).reshape(count, -1)
    value = np.ascontiguousarray(payload).view("<u8").astype(np.uint64)
    words = np.empty((*value.shape, _TRITS), np.uint8)
    for place in range(_TRITS):
        words[..., place] = value % np.uint64(3)
        value = value // np.uint64(3)
    left = _DIGITS - words[0].size if count else 0
    return np.concatenate([words.reshape(count, -1), filler[:, :left] % 3], axis=1).astype(np.uint8)
