"""The header's bits, its check and its code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imuge_cli.lattice.header import (
    CODE_BITS,
    FAMILIES,
    FORMAT_VERSION,
    IMAGE_IDS,
    STRENGTHS,
    Header,
    decode_header,
    encode_header,
)

HEADER = Header(version=2, family=0, strength=1, height=2000, width=3000, image_id=0x1ABCDE, level=5)
HEADERS = st.builds(
    Header,
    version=st.just(FORMAT_VERSION),
    family=st.integers(0, len(FAMILIES) - 1),
    strength=st.integers(0, len(STRENGTHS) - 1),
    height=st.integers(1, 65535),
    width=st.integers(1, 65535),
    image_id=st.integers(0, IMAGE_IDS - 1),
    level=st.integers(0, 7),
)


def soft(code: NDArray[np.uint8]) -> NDArray[np.float64]:
    return code * 2.0 - 1


def crc_bit_by_bit(bits: list[int]) -> int:
    """CRC-16/CCITT-FALSE as polynomial division: preset 0xFFFF, no reflection, no final inversion."""
    register = [1] * 16
    for bit in bits:
        feedback = register.pop(0) ^ bit
        register.append(0)
        for position in (15 - 12, 15 - 5, 15 - 0):
            register[position] ^= feedback
    return int("".join(map(str, register)), 2)


def test_the_tests_own_crc_gives_the_catalogue_value() -> None:
    bits = [byte >> shift & 1 for byte in b"123456789" for shift in range(7, -1, -1)]
    assert crc_bit_by_bit(bits) == 0x29B1


def test_the_fields_lie_where_the_format_says() -> None:
    bits = "".join(map(str, HEADER.to_bits()))
    expected = f"{2:04b}{0:02b}{1:02b}{2000:016b}{3000:016b}{5:03b}{0x1ABCDE:021b}"
    assert bits[:64] == expected
    assert int(bits[64:], 2) == crc_bit_by_bit([int(b) for b in expected])


@settings(max_examples=60)
@given(HEADERS)
def test_bits_give_the_header_back(header: Header) -> None:
    bits = header.to_bits()
    assert bits.shape == (80,)
    assert Header.from_bits(bits) == header


@settings(max_examples=15)
@given(HEADERS)
def test_the_code_gives_the_header_back(header: Header) -> None:
    code = encode_header(header)
    assert code.shape == (CODE_BITS,) == (264,)
    assert set(code.tolist()) <= {0, 1}
    assert decode_header(soft(code)) == header


@pytest.mark.parametrize("header", [HEADER, replace(HEADER, height=1, width=65535, image_id=0)])
def test_every_single_and_double_bit_error_is_noticed(header: Header) -> None:
    for first in range(80):
        for second in range(first, 80):
            bits = header.to_bits()
            bits[[first, second]] ^= 1
            assert Header.from_bits(bits) is None, (first, second)


@pytest.mark.parametrize(
    "change",
    [{"version": 0}, {"version": 1}, {"version": 5}, {"family": 3}, {"strength": 3}, {"height": 0}, {"width": 0}],
)
def test_values_this_format_does_not_know_are_no_header(change: dict[str, int]) -> None:
    header = replace(HEADER, **change)
    assert Header.from_bits(header.to_bits()) is None
    assert decode_header(soft(encode_header(header))) is None


@pytest.mark.parametrize(
    "change",
    [
        {"version": 16},
        {"family": 4},
        {"strength": -1},
        {"height": 65536},
        {"width": -1},
        {"image_id": 1 << 21},
        {"level": 8},
    ],
)
def test_a_field_that_does_not_fit_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(HEADER, **change).to_bits()


def random_header(rng: np.random.Generator) -> Header:
    height, width, number = (int(v) for v in rng.integers(1, [65536, 65536, IMAGE_IDS]))
    return Header(2, int(rng.integers(3)), int(rng.integers(3)), height, width, number)


def test_decoding_under_noise_of_3_db() -> None:
    """Eb/N0 of 3 dB counted over the 80 bits: code bits of +-1 in noise of standard deviation .91."""
    rng = np.random.default_rng(1)
    sigma = np.sqrt(CODE_BITS / 80 / 10**0.3 / 2)
    assert 0.9 < sigma < 0.92
    misses = 0
    for _ in range(60):
        header = random_header(rng)
        evidence = soft(encode_header(header)) + sigma * rng.standard_normal(CODE_BITS)
        misses += decode_header(evidence) != header
    # One in 200 is lost at this noise (measured over 360).
    assert misses <= 1


def test_more_paths_read_more_and_never_something_else() -> None:
    rng = np.random.default_rng(5)
    evidence = [soft(encode_header(HEADER)) + 1.3 * rng.standard_normal(CODE_BITS) for _ in range(60)]
    read = [[decode_header(bits, paths=paths) == HEADER for bits in evidence] for paths in (1, 8)]
    # What the best path says, the best of eight that pass the check say too.
    assert all(more or not one for one, more in zip(*read, strict=True))
    assert sum(read[1]) >= sum(read[0]) + 4
    assert all(decode_header(bits) in (HEADER, None) for bits in evidence)


@pytest.mark.parametrize("scale", [1e-3, 1e6])
def test_only_the_evidences_proportions_count(scale: float) -> None:
    rng = np.random.default_rng(2)
    evidence = soft(encode_header(HEADER)) + 0.8 * rng.standard_normal(CODE_BITS)
    assert decode_header(evidence * scale) == HEADER


def test_a_third_of_the_code_bits_may_be_missing() -> None:
    rng = np.random.default_rng(3)
    evidence = soft(encode_header(HEADER))
    evidence[rng.permutation(CODE_BITS)[: CODE_BITS // 3]] = 0
    assert decode_header(evidence) == HEADER


def test_noise_alone_is_never_a_header() -> None:
    rng = np.random.default_rng(4)
    assert [decode_header(rng.standard_normal(CODE_BITS)) for _ in range(300)] == [None] * 300
    assert decode_header(np.zeros(CODE_BITS)) is None
