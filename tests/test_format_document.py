"""docs/format.md has a worked example for whoever writes a second implementation: its numbers are the program's."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from imuge_cli.exact.blocks import edge_digits, records_of
from imuge_cli.exact.carrier import PROFILES, Profile, profile_for, write_payload
from imuge_cli.exact.erasure import repair_symbols
from imuge_cli.exact.header import STEPS, cover, piece_of, pieces
from imuge_cli.exact.header import Header as ExactHeader
from imuge_cli.exact.layout import Layout
from imuge_cli.exact.protect import protect
from imuge_cli.exact.seal import content_seals, seals
from imuge_cli.exact.streams import deal_slots
from imuge_cli.keys import Secret, plane_bytes
from imuge_cli.lattice.header import CODE_BITS, Header, encode_header
from imuge_cli.lattice.layout import fine_dither, make_layout
from imuge_cli.lattice.template import template_dither
from imuge_cli.models.lattice.carrier import make_carrier
from imuge_cli.payload.mixing import hartley
from imuge_cli.payload.source import frequencies, sender_scale

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "format.md"
_FENCED = re.compile(r"^```example\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Floating point; everything else must be equal.
_ROUNDED = {"hartley": 1e-5, "scales": 1e-4, "amplitude": 1e-4, "fine_amplitude": 1e-4}

SECRET = Secret(bytes(range(32)))
PURPOSES = (
    "lattice dither",
    "lattice layout",
    "lattice fine dither",
    "template",
    "template pattern",
    "payload mixing 16640 12288 positions",
    "payload fine mixing 16640 24576 positions",
    "exact cover",
    "exact seal",
    "exact content",
    "exact edges",
)
BLOCKS = ((0, 0), (0, 1), (33, 40))
SHARES = (20, 60, 20, 60, 25, 70)


def told(text: str) -> dict[str, Any]:
    """The names and values of all example blocks: `name = JSON`, which may go on over several lines."""
    found: dict[str, Any] = {}
    for block in _FENCED.findall(text):
        for entry in re.split(r"^(?=[a-z]\w* = )", block, flags=re.MULTILINE)[1:]:
            name, _, value = entry.partition(" = ")
            assert name not in found, f"{name} stands there twice"
            found[name] = json.loads(value)
    return found


@lru_cache(maxsize=1)
def facts() -> dict[str, Any]:
    """What the program says, under the document's names."""
    return {**_keys(), **_planes(), **_header(), **_payload(), **_exact(), **_records()}


def _keys() -> dict[str, Any]:
    extracted = hmac.new(b"imuge/1", SECRET.material, hashlib.sha256).digest()
    return {
        "published_material": Secret.default().material.hex(),
        "material": SECRET.material.hex(),
        "pseudo_random_key": extracted.hex(),
        "subkeys": {purpose: SECRET.subkey(purpose).hex() for purpose in PURPOSES},
    }


def _planes() -> dict[str, Any]:
    rows, columns = 34, 41
    layout = make_layout(SECRET, rows, columns)
    dither = np.rint(layout.dither * 65536).astype(int)
    fine = np.rint(fine_dither(SECRET, rows, columns) * 65536).astype(int)
    raw = plane_bytes(SECRET.subkey("lattice layout"), rows, columns, 8)
    template = np.rint(template_dither(SECRET, 18, 18) * 65536).astype(int)
    return {
        "blocks": [list(place) for place in BLOCKS],
        "dither": [dither[:, row, column].tolist() for row, column in BLOCKS],
        "fine_dither": [fine[:, row, column].tolist() for row, column in BLOCKS],
        "layout_bytes": [raw[place].tobytes().hex() for place in BLOCKS],
        "pilot_slot": [int(layout.order[0][place]) for place in BLOCKS],
        "header_slot": [int(layout.order[1][place]) for place in BLOCKS],
        "chip": [int(layout.chips[place]) % CODE_BITS for place in BLOCKS],
        "inverted": [bool(layout.flips[place]) for place in BLOCKS],
        "points": [[0, 0], [0, 1], [1, 1], [16, 16], [17, 17]],
        "template_dither": [int(template[place]) for place in ((0, 0), (0, 1), (1, 1), (16, 16), (17, 17))],
    }


def _header() -> dict[str, Any]:
    header = Header(version=4, family=0, strength=1, height=256, width=256, image_id=1, level=5)
    bits, code = header.to_bits(), encode_header(header)
    scrambler = hashlib.shake_256(b"imuge header" + bytes([0, 0, 1])).digest(10)
    return {
        "information": np.packbits(bits[:64]).tobytes().hex(),
        "check": np.packbits(bits[64:]).tobytes().hex(),
        "scrambler": scrambler.hex(),
        "code": np.packbits(code).tobytes().hex(),
    }


def _payload() -> dict[str, Any]:
    carrier = make_carrier(SECRET, 256, 256, torch.device("cpu"))
    mixing, (channel, row, column) = carrier.mixing, frequencies()
    assert carrier.fine is not None
    fine, length = carrier.fine.mixing.second, carrier.fine.mixing.length
    chosen = (0, 1, 2, 3, 4, 799, 800, 919, 1039)
    return {
        "inputs": mixing.inputs,
        "outputs": mixing.outputs,
        "transforms": mixing.transforms,
        "length": mixing.length,
        "positions": mixing.positions[:8].tolist(),
        "rows": mixing.rows[:8].tolist(),
        "signs": mixing.signs[:16].int().tolist(),
        "hartley": hartley(torch.tensor([1.0, 2.0, 3.0, 5.0, 8.0])).tolist(),
        "frequencies": [[int(channel[i]), int(row[i]), int(column[i])] for i in chosen],
        "scales": sender_scale()[list(chosen)].tolist(),
        "amplitude": carrier.amplitude,
        "fine_outputs": fine.outputs,
        "fine_transforms": fine.transforms,
        "fine_length": fine.length,
        "fine_positions": fine.positions[:8].tolist(),
        "fine_rows": fine.rows[:8].tolist(),
        "fine_signs": fine.signs[:16].int().tolist(),
        # Of a mixing of its own; the program has one of both together.
        "fine_amplitude": carrier.fine.amplitude * (length / fine.length) ** 0.5,
    }


def _samples() -> NDArray[np.uint8]:
    row, column, channel = np.indices((40, 50, 3))
    return (50 + row + 2 * column + 10 * channel + row * column % 7).astype(np.uint8)


def _exact_header() -> ExactHeader:
    profile = PROFILES[4]
    return ExactHeader(profile, STEPS[12], SHARES, (140, 160), 40, 50, 1, bytes(range(8)))


def _exact() -> dict[str, Any]:
    header, samples = _exact_header(), _samples()
    layout, tiles = Layout(40, 50), np.arange(6)
    covers = cover(SECRET, tiles // 3, tiles % 3)
    piece = piece_of(tiles // 3, tiles % 3)
    below, right = edge_digits(layout, header, SECRET)
    large = Layout(1024, 768)
    return {
        "exact_header": header.to_bytes().hex(),
        "cover": covers[0].tobytes().hex(),
        "pieces": piece.tolist(),
        "piece_held": pieces(header, piece[:1], covers[:1])[0].tobytes().hex(),
        "seals": [seal.tobytes().hex() for seal in seals(samples, None, header, SECRET, tiles)],
        "edges_below": below.ravel()[:8].tolist(),
        "edges_right": right.ravel()[:8].tolist(),
        "trits": _trits(bytes.fromhex("0123456789abcdef")),
        "streams_of_slots": deal_slots(header, layout, tiles[:1]).stream.tolist(),
        "repair_symbols": [symbol.tobytes().hex() for symbol in repair_symbols(bytes(range(60)), 2)],
        "groups": large.groups,
        "group_of_tile": large.group_of_tile[:6:2, :10:2].tolist(),
        "group_0": large.tiles(0)[:10].tolist(),
    }


def _trits(word: bytes) -> list[int]:
    profile = Profile(number=1, depth=8, bases=(3,))
    payload = np.zeros((1, profile.capacity), np.uint8)
    payload[0, :8] = np.frombuffer(word, np.uint8)
    written = write_payload(np.zeros((1, 1, 16, 16), np.int64), payload, np.zeros((1, 16), np.uint8), profile)
    digits: list[int] = written.ravel()[:41].tolist()
    return digits


def _records() -> dict[str, Any]:
    header, profile = _exact_header(), PROFILES[4]
    block = np.ascontiguousarray(_samples()[None, :16, :16].transpose(0, 3, 1, 2))
    content, number = profile.content(block), np.array([0])
    base, refinement, remainder = (layer[0].hex() for layer in records_of(content, number, header, SECRET))
    done = protect(
        _samples(), None, profile=profile_for(8, 3), secret=SECRET, image_id=1, nonce=bytes(range(8)), family=0
    )
    return {
        "content_seal": content_seals(content, number, header, SECRET)[0].hex(),
        "base": base,
        "refinement": refinement,
        "remainder": remainder,
        "protected_header": done.header.to_bytes().hex(),
        "protected": hashlib.sha256(done.samples.tobytes()).hexdigest(),
    }


def test_the_example_is_complete() -> None:
    assert sorted(told(DOCUMENT.read_text(encoding="utf-8"))) == sorted(facts())


@pytest.mark.parametrize("name", told(DOCUMENT.read_text(encoding="utf-8")))
def test_the_example_is_what_the_program_does(name: str) -> None:
    written = told(DOCUMENT.read_text(encoding="utf-8"))[name]
    if name in _ROUNDED:
        np.testing.assert_allclose(written, facts()[name], rtol=0, atol=_ROUNDED[name])
    else:
        assert written == facts()[name]


def test_other_numbers_are_noticed() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").replace('check = "', 'check = "0')
    assert told(text)["check"] != facts()["check"]
