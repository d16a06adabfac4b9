"""The header: a few facts about the picture, coded and repeated over all blocks.

80 bits, most significant first: format version 4, family 2, strength 2, height 16, width 16, power level 3, image id
21 and CRC-16/CCITT-FALSE 16 (over the 64 bits before it). All but the id are scrambled with a hash of the id. Eight
zero bits follow, and a convolutional code of rate 1/3 and constraint length 9 (generators 557, 663, 711 octal) makes
264 code bits of them, which the chips repeat in a keyed order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FORMAT_VERSION = 4
# Version 3 has no fine slots, and a calm block's gate of .58; version 2 moreover no synchronization template, a calm
# block's gate of .60, and working sizes in multiples of 16.
READABLE_VERSIONS = (2, 3, 4)
FINE_SINCE = 4
"""The first format version with fine slots."""
FAMILIES = ("lattice", "imuge", "imuge_plus")
STRENGTHS = ("subtle", "balanced", "strong")
_FIELDS = (
    ("version", 4),
    ("family", 2),
    ("strength", 2),
    ("height", 16),
    ("width", 16),
    ("level", 3),
    ("image_id", 21),
)
_CHECK_BITS = 16
_TAIL_BITS = 8
_GENERATORS = (0o557, 0o663, 0o711)
IMAGE_IDS = 1 << 21
_ID_BITS = slice(43, 64)
INFORMATION_BITS = sum(width for _, width in _FIELDS)
# Each more is one more chance of 2^-16 that chance passes the check, and seven of them read a tenth more at the limit.
_PATHS = 8
CODE_BITS = (INFORMATION_BITS + _CHECK_BITS + _TAIL_BITS) * len(_GENERATORS)


@dataclass(frozen=True)
class Header:
    """What a picture says of itself. height and width: of the whole immunized picture, in pixels (1 to 65,535).

    level: the symbols' power level, known once the picture has been described.
    """

    version: int
    family: int
    strength: int
    height: int
    width: int
    image_id: int
    level: int = 0

    def to_bits(self) -> NDArray[np.uint8]:
        """The 64 information bits and the 16 check bits. Raises ValueError where a field does not fit."""
        bits: list[int] = []
        for name, width in _FIELDS:
            value = getattr(self, name)
            if not 0 <= value < 1 << width:
                raise ValueError(f"header field {name} = {value} does not fit {width} bits")
            bits += [value >> shift & 1 for shift in range(width - 1, -1, -1)]
        check = _crc16(bits)
        bits += [check >> shift & 1 for shift in range(_CHECK_BITS - 1, -1, -1)]
        return np.array(bits, np.uint8)

    @classmethod
    def from_bits(cls, bits: NDArray[np.uint8]) -> Header | None:
        """The header in 80 bits, or None where the check or the version does not fit."""
        values = [int(b) for b in bits]
        information, check = values[:INFORMATION_BITS], values[INFORMATION_BITS:]
        if _crc16(information) != int("".join(map(str, check)), 2):
            return None
        fields, at = {}, 0
        for name, width in _FIELDS:
            fields[name] = int("".join(map(str, information[at : at + width])), 2)
            at += width
        header = cls(**fields)
        known = header.family < len(FAMILIES) and header.strength < len(STRENGTHS)
        return header if known and header.version in READABLE_VERSIONS and header.height and header.width else None


def _scrambler(image_id: int) -> NDArray[np.uint8]:
    """80 bits to add to a header: none to the image id itself, pseudo-random ones of the id to all others.

    Two pictures of one owner then differ in half of all code bits, not only in those near the id, and a patch of one
    inside the other contradicts the header wherever it lies.
    """
    length = INFORMATION_BITS + _CHECK_BITS
    digest = hashlib.shake_256(b"imuge header" + image_id.to_bytes(3, "big")).digest(length // 8)
    bits = np.unpackbits(np.frombuffer(digest, np.uint8))
    bits[_ID_BITS] = 0
    return bits


def _crc16(bits: list[int]) -> int:
    register = 0xFFFF
    for bit in bits:
        register ^= bit << 15
        register = (register << 1) ^ 0x1021 if register & 0x8000 else register << 1
        register &= 0xFFFF
    return register


@lru_cache(maxsize=1)
def _trellis() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each of 256 states and input bits: the next state, and the three code bits as -1 / +1."""
    state = np.arange(256)[:, None]
    register = (np.arange(2)[None] << 8) | state
    following = register >> 1
    outputs = np.stack([_parity(register & generator) for generator in _GENERATORS], -1)
    return following.astype(np.int64), (outputs * 2.0 - 1).astype(np.float64)


def _parity(values: NDArray[np.int64]) -> NDArray[np.int64]:
    result = values.copy()
    for shift in (8, 4, 2, 1):
        result ^= result >> shift
    return result & 1


def encode_header(header: Header) -> NDArray[np.uint8]:
    """The 264 code bits of a header."""
    following, outputs = _trellis()
    state, code = 0, []
    bits = header.to_bits() ^ _scrambler(header.image_id)
    for bit in [*bits.tolist(), *([0] * _TAIL_BITS)]:
        code.append(outputs[state, bit] > 0)
        state = int(following[state, bit])
    return np.concatenate(code).astype(np.uint8)


def decode_header(evidence: NDArray[np.float64], *, paths: int = _PATHS) -> Header | None:
    """The most probable header that passes its check, of so many that soft code bits say, or None.

    evidence: 264 values, positive for a 1; their size says how sure (log likelihood ratios up to a factor).
    """
    for decided in _most_probable(evidence, paths):
        image_id = int("".join(map(str, decided[_ID_BITS])), 2)
        header = Header.from_bits(decided ^ _scrambler(image_id))
        if header is not None:
            return header
    return None


def _most_probable(evidence: NDArray[np.float64], paths: int) -> Iterator[NDArray[np.uint8]]:
    """The 80 bits of the most probable paths through the trellis from state 0 to state 0, the best first.

    The parallel list Viterbi algorithm (Seshadri & Sundberg 1994): each state keeps its best paths instead of one.
    """
    following, outputs = _trellis()
    # The two predecessors of state s: the states (s * 2) % 256 and that + 1, both by input bit s >> 7.
    states = np.arange(256)
    source = np.stack([(states * 2) % 256, (states * 2) % 256 + 1])
    bit = states >> 7
    assert (following[source, bit] == states).all()
    metric = np.where(states == 0, 0.0, -np.inf)[:, None]
    steps: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for step in evidence.reshape(-1, len(_GENERATORS)):
        gains = metric[source] + (outputs[source, bit] @ step)[..., None]
        known = gains.shape[2]
        ranked = gains.transpose(1, 0, 2).reshape(256, 2 * known)
        best = np.argsort(-ranked, axis=1, kind="stable")[:, :paths]
        metric = np.take_along_axis(ranked, best, 1)
        # Which predecessor, and which of its paths.
        steps.append((best // known, best % known))
    for rank in np.flatnonzero(np.isfinite(metric[0])):
        state, at, bits = 0, int(rank), []
        for choice, path in reversed(steps):
            bits.append(state >> 7)
            state, at = int(source[choice[state, at], state]), int(path[state, at])
        yield np.array(bits[::-1][: INFORMATION_BITS + _CHECK_BITS], np.uint8)
