"""Format version 4 never changes, and versions 2 and 3 stay readable: pictures that people hold must be understood.

A failure here means that pictures made by earlier versions would no longer be understood. Change the program back,
or introduce format version 5 beside version 4.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import make
import numpy as np
import pytest
from photographs import drawn

from imuge_cli import Imuge, read_picture
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import Header, decode_header
from imuge_cli.metrics.fidelity import psnr

GOLDEN: dict[str, Any] = {
    **json.loads(make.FACTS.read_text(encoding="utf-8")),
    **json.loads(make.FINE_FACTS.read_text(encoding="utf-8")),
}
TOLERANCES = {
    "dither": 2e-7,
    "dither of 16, 16": 2e-7,
    "dither of 0, 0": 2e-7,
    "filter": 2e-6,
    "ramp mixed": 2e-6,
    "scale": 2e-4,
    "amplitude": 2e-3,
    "symbols of the drawn picture": 4e-3,
}


@pytest.fixture(scope="module")
def now() -> dict[str, Any]:
    # Through JSON and back: tuples become lists, as in the file.
    facts: dict[str, Any] = json.loads(json.dumps({**make.facts(), **make.fine_facts()}))
    return facts


@pytest.mark.parametrize(("part", "name"), [(part, name) for part, facts in GOLDEN.items() for name in facts])
def test_the_format_is_what_it_was(now: dict[str, Any], part: str, name: str) -> None:
    found, expected = now[part][name], GOLDEN[part][name]
    if name in TOLERANCES:
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCES[name])
    else:
        assert found == expected


def test_no_fact_is_left_out(now: dict[str, Any]) -> None:
    assert {part: list(facts) for part, facts in now.items()} == {part: list(facts) for part, facts in GOLDEN.items()}


def test_the_golden_code_word_is_read() -> None:
    code = np.unpackbits(np.frombuffer(bytes.fromhex(GOLDEN["header"]["code"]), np.uint8))[
        : GOLDEN["header"]["code bits"]
    ]
    assert decode_header(code * 2.0 - 1) == make.HEADER
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(GOLDEN["header"]["bits"]), np.uint8))
    assert Header.from_bits(bits) == make.HEADER


def test_the_drawn_picture_is_the_same_on_every_machine() -> None:
    digest = hashlib.sha256(drawn(make.HEIGHT, make.WIDTH).tobytes()).hexdigest()
    assert digest == "db600a2f5b8e7cbf2b4f4dd9f473ae0d4af46a578824d48be5189fe9d7ab88a8"


@pytest.mark.parametrize("version", make.PICTURES)
def test_a_picture_of_every_format_is_still_read(version: int) -> None:
    picture = read_picture(make.PICTURES[version])
    result = Imuge(device="cpu").verify(picture)
    assert result.verdict == "intact"
    assert result.image_id == make.IMAGE_ID
    place = result.synchronisation
    assert place is not None
    assert (place.offset_rows, place.offset_cols, place.header_read) == (0, 0, True)
    assert (place.original_height, place.original_width) == (make.HEIGHT, make.WIDTH)
    assert 39 < psnr(picture.pixels, drawn(make.HEIGHT, make.WIDTH)) < 44


@pytest.mark.parametrize("version", make.PICTURES)
def test_a_picture_of_every_format_is_still_recovered(version: int) -> None:
    picture = read_picture(make.PICTURES[version])
    mask = np.zeros((make.HEIGHT, make.WIDTH), bool)
    mask[40:72, 48:96] = True
    pixels = picture.pixels.copy()
    pixels[mask] = 0
    recovered = Imuge(device="cpu").recover(picture.with_pixels(pixels), mask=mask).picture.pixels
    original = drawn(make.HEIGHT, make.WIDTH)
    error = ((recovered[mask].astype(float) - original[mask]) ** 2).mean()
    assert 10 * np.log10(255**2 / error) > 17


def test_another_secret_does_not_read_it() -> None:
    assert Imuge(device="cpu", key=Secret(b"x" * 32)).verify(read_picture(make.PICTURES[4])).verdict == "not-found"
