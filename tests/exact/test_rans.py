"""Whatever was written is read; whatever is read ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from imuge_cli.exact.rans import PRECISION, TOTAL, Decoder, Steps, bits, encode


def random_steps(seed: int, length: int, count: int, likely: float) -> tuple[Steps, Steps]:
    """Ranges of symbols; a share of them is of records that have no symbol at that step."""
    rng = np.random.default_rng(seed)
    frequencies = np.ceil(TOTAL * rng.random((length, count)) ** likely).astype(np.int32)
    starts = (rng.random((length, count)) * (TOTAL - frequencies + 1)).astype(np.int32)
    idle = rng.random((length, count)) < 0.3
    return np.where(idle, 0, starts).astype(np.int32), np.where(idle, TOTAL, frequencies).astype(np.int32)


def read_back(records: list[bytes], starts: Steps, frequencies: Steps) -> Decoder:
    decoder = Decoder(records)
    for start, frequency in zip(starts, frequencies, strict=True):
        slots = decoder.slots()
        assert ((slots >= start) & (slots < start + frequency)).all()
        decoder.advance(slots, start, frequency)
    return decoder


@given(st.integers(0, 999), st.integers(0, 60), st.integers(1, 9), st.sampled_from([0.05, 1.0, 6.0]))
def test_what_was_written_is_read(seed: int, length: int, count: int, likely: float) -> None:
    starts, frequencies = random_steps(seed, length, count, likely)
    first = np.random.default_rng(seed).integers(0, 1 << 16, count)
    records = encode([(starts, frequencies)], first)
    assert all(len(record) % 2 == 0 and len(record) >= 2 for record in records)
    began, good = read_back(records, starts, frequencies).finished(np.full(count, 16))
    assert good.all() and (began == first).all()


def test_records_depend_on_their_own_symbols_alone() -> None:
    starts, frequencies = random_steps(1, 80, 6, 1.0)
    first = np.arange(6)
    together = encode([(starts[:30], frequencies[:30]), (starts[30:], frequencies[30:])], first)
    for number in range(6):
        mine = slice(number, number + 1)
        assert encode([(starts[:, mine], frequencies[:, mine])], first[mine]) == together[mine]


def test_records_are_as_long_as_what_they_tell() -> None:
    rng = np.random.default_rng(3)
    frequencies = rng.integers(TOTAL // 4, TOTAL, (400, 200)).astype(np.int32)
    starts = (rng.random((400, 200)) * (TOTAL - frequencies + 1)).astype(np.int32)
    first = rng.integers(1 << 15, 1 << 16, 200)
    told = 16 + (PRECISION - np.log2(frequencies)).sum(0)
    taken = 8 * np.array([len(record) for record in encode([(starts, frequencies)], first)])
    assert (taken > told - 1.5).all() and (taken < told + 17).all()
    assert np.mean(taken - told) == pytest.approx(8, abs=1.5)


def test_what_is_certain_takes_nothing() -> None:
    nothing = (np.zeros((500, 2), np.int32), np.full((500, 2), TOTAL, np.int32))
    assert encode([nothing], np.array([0, 77])) == [b"\0\0", b"M\0"]
    assert encode([], np.array([5])) == [b"\5\0"]


@given(st.lists(st.tuples(st.integers(0, PRECISION), st.integers(0, TOTAL - 1)), min_size=1, max_size=40))
def test_whole_numbers_of_any_width(numbers: list[tuple[int, int]]) -> None:
    widths = np.array([[width] for width, _ in numbers], np.int32)
    values = np.array([[value] for _, value in numbers], np.int32) & (np.left_shift(1, widths) - 1)
    decoder = Decoder(encode([bits(values, widths)], np.zeros(1, np.int64)))
    assert [int(decoder.bits(line.astype(np.int64))[0]) for line in widths] == values.ravel().tolist()
    assert decoder.finished(np.zeros(1, np.int64))[1].all()


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=8))
def test_anything_can_be_read(records: list[bytes]) -> None:
    decoder = Decoder(records)
    starts, frequencies = random_steps(0, 50, len(records), 1.0)
    for start, frequency in zip(starts, frequencies, strict=True):
        slots = decoder.slots()
        inside = (slots >= start) & (slots < start + frequency)
        decoder.advance(slots, np.where(inside, start, slots), np.where(inside, frequency, 1))
        state: NDArray[np.int64] = decoder.finished(np.zeros(len(records), np.int64))[0]
        assert (state >= 0).all() and (state < 1 << 32).all()
