"""The erasure code: any symbols that are enough will do, and the symbols never change."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from imuge_cli.exact.erasure import SYMBOL, fill_in, repair_symbols, symbols_in


def stream_of(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, length, dtype=np.uint8)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 100, 4003])
@pytest.mark.parametrize("lost", [0.0, 0.2, 1.0])
def test_what_is_lost_comes_back(length: int, lost: float) -> None:
    stream = stream_of(length)
    known = np.ones(length, bool)
    known[: int(lost * length)] = False
    need = symbols_in(length) if lost else 0
    repair = repair_symbols(stream.tobytes(), need + 3)
    numbers = np.arange(need + 3)[::-1]
    shown = np.where(known, stream, 0).astype(np.uint8)
    found = fill_in(shown, known, repair[::-1], numbers)
    assert found is not None and (found == stream).all()


def test_too_little_is_said() -> None:
    stream = stream_of(800)
    known = np.arange(800) >= 400
    repair = repair_symbols(stream.tobytes(), 49)
    assert fill_in(stream, known, repair, np.arange(49)) is None
    assert fill_in(stream, np.zeros(800, bool), np.zeros((0, SYMBOL), np.uint8), np.arange(0)) is None


def test_an_empty_stream_has_empty_repair() -> None:
    assert (repair_symbols(b"", 3) == 0).all() and repair_symbols(b"abc", 0).shape == (0, SYMBOL)
    with pytest.raises(ValueError, match="longer than the erasure code"):
        repair_symbols(bytes(8 * 56404), 1)


def test_symbols_are_those_of_the_first_release() -> None:
    """RFC 6330 fixes them; a library that makes others would orphan every picture."""
    repair = repair_symbols(bytes(range(256)) * 40, 64)
    digest = hashlib.sha256(repair.tobytes()).hexdigest()
    assert digest == "2c3572649a373fcfa3a2a33bf42c805436d3ce992effb6ac86fa1f515721f015"
