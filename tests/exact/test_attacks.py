"""What an attacker tries on files that are never recompressed, each found."""

from __future__ import annotations

import numpy as np
import pytest
from exact_pictures import SECRET, asked, protected, samples_of

from imuge_cli.exact.answer import ask, changed
from imuge_cli.exact.carrier import Samples
from imuge_cli.keys import Secret

SENT = protected(samples_of()).samples
OTHER = protected(samples_of(name="coffee")).samples
TILE = (slice(64, 80), slice(96, 112))


def found_tiles(suspect: Samples) -> np.ndarray:
    """Rows x columns: the tiles whose seals are broken."""
    return ~asked(suspect).found.valid


def tiles_that_differ(suspect: Samples) -> np.ndarray:
    rows, columns = SENT.shape[0] // 16, SENT.shape[1] // 16
    return (suspect != SENT).any(2)[: rows * 16, : columns * 16].reshape(rows, 16, columns, 16).any((1, 3))


def test_untouched_is_exact() -> None:
    assert asked(SENT).found.exact and not changed(asked(SENT)).any()


@pytest.mark.parametrize("bit", range(8))
def test_a_single_bit(bit: int) -> None:
    rng = np.random.default_rng(bit)
    suspect = SENT.copy()
    place = tuple(int(rng.integers(0, side)) for side in SENT.shape)
    suspect[place] ^= 1 << bit
    assert (found_tiles(suspect) == tiles_that_differ(suspect)).all() and tiles_that_differ(suspect).sum() == 1
    answer = asked(suspect)
    assert (answer.restored() == SENT).all()
    mask = changed(answer)
    assert mask.sum() == 1 and mask[place[:2]]


def test_every_bit_of_a_tile() -> None:
    """Seal, payload and content alike: no bit of a tile can be turned unseen."""
    for number in range(0, 16 * 16 * 3, 7):
        row, column, channel = number // 48, number // 3 % 16, number % 3
        suspect = SENT.copy()
        suspect[64 + row, 96 + column, channel] ^= 1
        assert found_tiles(suspect)[4, 6], number


def test_tiles_swapped_inside_a_picture() -> None:
    suspect = SENT.copy()
    suspect[TILE], suspect[16:32, 32:48] = SENT[16:32, 32:48], SENT[TILE]
    assert (found_tiles(suspect) == tiles_that_differ(suspect)).all() and tiles_that_differ(suspect).sum() == 2
    assert (asked(suspect).restored() == SENT).all()


@pytest.mark.parametrize("origin", [(64, 96), (16, 32)])
def test_a_region_of_another_picture_under_the_same_key(origin: tuple[int, int]) -> None:
    suspect = SENT.copy()
    suspect[64:96, 96:128] = OTHER[origin[0] : origin[0] + 32, origin[1] : origin[1] + 32]
    assert found_tiles(suspect).sum() == 4 and found_tiles(suspect)[4:6, 6:8].all()
    assert (asked(suspect).restored() == SENT).all()


def test_an_older_version_of_the_same_picture() -> None:
    older = samples_of().copy()
    older[70:75, 100:105] = 0
    before = protected(older, nonce=b"earlier!").samples
    suspect = SENT.copy()
    suspect[TILE] = before[TILE]
    assert found_tiles(suspect).sum() == 1 and found_tiles(suspect)[4, 6]
    # Content of before that is the same as now is no proof either: its seal belongs to another publication.
    suspect[TILE] = protected(samples_of(), nonce=b"earlier!").samples[TILE]
    assert found_tiles(suspect)[4, 6]


def test_last_bits_copied_onto_another_picture() -> None:
    forged = (samples_of(name="coffee") & 254) | (SENT & 1)
    assert ask(forged, None, SECRET) is None


def test_immunized_again_with_the_published_key() -> None:
    forged = protected(SENT, secret=Secret.default()).samples
    assert ask(forged, None, SECRET) is None
    answer = ask(forged, None, Secret.default())
    assert answer is not None and answer.found.exact


@pytest.mark.parametrize("kind", ["zeroed", "ones", "noise"])
def test_last_bits_destroyed(kind: str) -> None:
    bits = {"zeroed": 0, "ones": 1, "noise": np.random.default_rng(0).integers(0, 2, SENT.shape)}[kind]
    assert ask(((SENT & 254) | bits).astype(np.uint8), None, SECRET) is None
    suspect = SENT.copy()
    suspect[TILE] = (suspect[TILE] & 254) | (bits if np.isscalar(bits) else bits[TILE])
    assert found_tiles(suspect).sum() == 1 and (asked(suspect).restored() == SENT).all()


def test_another_key_finds_nothing() -> None:
    assert ask(SENT, None, Secret(b"x" * 32)) is None and ask(samples_of(), None, SECRET) is None


def test_no_seal_vouches_for_alpha_that_nothing_proves() -> None:
    alpha = np.full(SENT.shape[:2], 90, np.uint8)
    sent = protected(samples_of(), alpha=alpha).samples
    suspect, forged = sent.copy(), alpha.copy()
    suspect[66:76, 98:110], forged[66:76, 98:110] = 200, 255
    forged[60:64, 100:104] = 200
    answer = asked(suspect, alpha=forged)
    restored = answer.restored()
    difference = np.abs(restored.astype(int) - sent)
    assert difference.max() <= 1 and not difference[..., 1:].any() and difference[64:80, 96:112].any()
    again = asked(restored, alpha=forged)
    assert not again.found.exact and (again.found.valid == answer.found.valid).all()
    # No pixel that was left alone is marked for the seal's sake; a tile in which alpha alone was changed is, wholly.
    mask = changed(answer)
    assert (mask[TILE] == (suspect != sent).any(2)[TILE]).all() and mask[48:64, 96:112].all()
    assert mask.sum() == mask[TILE].sum() + 256


def test_what_was_left_of_a_seal_comes_back_with_the_published_alpha() -> None:
    alpha = np.full(SENT.shape[:2], 90, np.uint8)
    sent = protected(samples_of(), alpha=alpha).samples
    suspect = sent.copy()
    suspect[70:76, 98:110] = 200  # below the rows that hold the tile's seal
    answer = asked(suspect, alpha=alpha)
    assert (answer.restored() == sent).all() and asked(answer.restored(), alpha=alpha).found.exact


def test_alpha_alone() -> None:
    alpha = np.full(SENT.shape[:2], 255, np.uint8)
    alpha[:40, :40] = 90
    sent = protected(samples_of(), alpha=alpha).samples
    assert asked(sent, alpha=alpha).found.exact
    forged = alpha.copy()
    forged[70, 100] = 254
    answer = asked(sent, alpha=forged)
    assert (~answer.found.valid).sum() == 1 and not answer.found.exact
    mask = changed(answer)
    assert mask[TILE].all() and mask.sum() == 256
    # Opaque by being without alpha is the same.
    opaque = asked(SENT, alpha=np.full(SENT.shape[:2], 255, np.uint8))
    assert opaque.found.exact
