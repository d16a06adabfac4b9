"""The header is found in what is left, and belongs to one key."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from imuge_cli.exact.carrier import PROFILES
from imuge_cli.exact.header import STEPS, Header, cover, piece_of, pieces, read_headers
from imuge_cli.keys import Secret

HEADER = Header(PROFILES[0], STEPS[12], (10, 120, 5, 60, 3, 57), (148, 169), 512, 768, 12345, b"nonce123")
SECRET = Secret(b"k" * 32)
ROW, COLUMN = (index.ravel() for index in np.indices((12, 16)))


def slots(header: Header, secret: Secret = SECRET) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the last slots of tiles with pieces hold, their pieces and covers."""
    piece = piece_of(ROW, COLUMN)
    holding = piece >= 0
    covers = cover(secret, ROW[holding], COLUMN[holding])
    return pieces(header, piece[holding], covers), piece[holding], covers


def test_a_header_comes_back() -> None:
    assert len(HEADER.to_bytes()) == 32 and Header.from_bytes(HEADER.to_bytes()) == HEADER
    assert read_headers(*slots(HEADER)) == [HEADER]


def test_a_header_names_the_model_beneath() -> None:
    assert HEADER.to_bytes()[2] == 0
    for family in (0, 1, 2):
        named = replace(HEADER, family=family)
        assert Header.from_bytes(named.to_bytes()) == named
    unheard_of = bytearray(HEADER.to_bytes())
    unheard_of[2] = 3
    assert Header.from_bytes(bytes(unheard_of)) is None


def test_one_tile_in_four_holds_one_of_four_pieces() -> None:
    piece = piece_of(ROW, COLUMN)
    assert [(piece == number).mean() for number in (-1, 0, 1, 2, 3)] == pytest.approx([0.75] + 4 * [1 / 16], abs=0.01)


@pytest.mark.parametrize("filling", ["zeros", "noise", "other header"])
def test_it_survives_what_lies_over_two_fifths(filling: str) -> None:
    held, piece, covers = slots(HEADER)
    lost = np.random.default_rng(2).permutation(len(held))[: len(held) * 2 // 5]
    if filling == "noise":
        held[lost] = np.random.default_rng(3).integers(0, 256, (len(lost), 8), dtype=np.uint8)
    else:
        held[lost] = 0 if filling == "zeros" else slots(replace(HEADER, nonce=b"another!", step=STEPS[3]))[0][lost]
    assert HEADER in read_headers(held, piece, covers)


def test_another_key_reads_nothing() -> None:
    held, piece, _ = slots(HEADER)
    _, _, covers = slots(HEADER, Secret(b"x" * 32))
    assert read_headers(held, piece, covers) == []


@pytest.mark.parametrize(("place", "value"), [(0, 9), (1, 200), (2, 3), (3, 36)])
def test_nonsense_is_none(place: int, value: int) -> None:
    data = bytearray(HEADER.to_bytes())
    data[place] = value
    assert Header.from_bytes(bytes(data)) is None
    assert Header.from_bytes(bytes(32)) is None and read_headers(*(part[:0] for part in slots(HEADER))) == []


def test_covers_depend_on_the_place_alone() -> None:
    whole = cover(SECRET, ROW, COLUMN).reshape(12, 16, -1)
    assert (cover(SECRET, ROW[40:60], COLUMN[40:60]) == whole.reshape(192, -1)[40:60]).all()
    assert len(np.unique(whole.reshape(192, -1), axis=0)) == 192
