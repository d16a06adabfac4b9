"""Finding the lattice: as it lies, cropped, with another key, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from photographs import Pixels8, photograph, to_pixels, to_tensor
from sending import sent_picture
from torch import Tensor

from imuge_cli.keys import Secret
from imuge_cli.lattice.header import Header, encode_header
from imuge_cli.lattice.layout import make_layout
from imuge_cli.lattice.synchronise import pilot_score, read_header, synchronise_direct, synchronise_search
from imuge_cli.lattice.transform import analyse, luma
from imuge_cli.models.lattice.carrier import STEPS, make_carrier

SECRET = Secret(b"s" * 32)
ALL = tuple(STEPS.values())
LIMIT = 512
CPU = torch.device("cpu")


def immunized(pixels: Pixels8, strength: str = "balanced", image_id: int = 77) -> tuple[Pixels8, Header]:
    height, width = pixels.shape[:2]
    header = Header(2, 0, list(STEPS).index(strength), height, width, image_id)
    code = torch.from_numpy(encode_header(header))[None]
    carrier = make_carrier(SECRET, height, width, CPU)
    return to_pixels(sent_picture(carrier, to_tensor(pixels), code, STEPS[strength])), header


def plane(pixels: Pixels8) -> Tensor:
    return luma(to_tensor(pixels))


@pytest.fixture(scope="module")
def sent() -> tuple[Pixels8, Header]:
    return immunized(photograph("coffee", 40, 150, 256, 320))


def test_an_untouched_picture_is_found_as_it_lies(sent: tuple[Pixels8, Header]) -> None:
    fix = synchronise_direct(plane(sent[0]), SECRET, ALL)
    assert fix is not None
    assert (fix.top, fix.left, fix.step) == (0, 0, STEPS["balanced"])
    assert fix.header == sent[1]
    assert fix.z_score > 30
    np.testing.assert_array_equal(fix.code, encode_header(sent[1]))


@pytest.mark.parametrize("strength", STEPS)
def test_the_strength_is_found_out(strength: str) -> None:
    picture, header = immunized(photograph("astronaut", 0, 100, 128, 136), strength)
    fix = synchronise_direct(plane(picture), SECRET, ALL)
    assert fix is not None
    assert fix.step == STEPS[strength]
    assert fix.header == header


@pytest.mark.parametrize(
    ("top", "left", "height", "width"),
    [(0, 1, 256, 300), (8, 16, 200, 200), (37, 93, 180, 211), (119, 5, 137, 160), (3, 6, 250, 310)],
)
def test_a_crop_is_found_to_the_pixel(
    sent: tuple[Pixels8, Header], top: int, left: int, height: int, width: int
) -> None:
    crop = np.ascontiguousarray(sent[0][top : top + height, left : left + width])
    fix = synchronise_search(plane(crop), SECRET, ALL, limit=LIMIT)
    assert fix is not None
    assert (fix.top, fix.left) == (top, left)
    assert fix.step == STEPS["balanced"]
    assert fix.header == sent[1]


def test_a_crop_does_not_pass_for_an_uncropped_picture(sent: tuple[Pixels8, Header]) -> None:
    assert synchronise_direct(plane(np.ascontiguousarray(sent[0][8:, 8:])), SECRET, ALL) is None


def test_another_key_finds_nothing(sent: tuple[Pixels8, Header]) -> None:
    other = Secret(b"t" * 32)
    assert synchronise_direct(plane(sent[0]), other, ALL) is None
    assert synchronise_search(plane(sent[0]), other, ALL, limit=LIMIT) is None


@pytest.mark.parametrize("name", ["astronaut", "coffee", "black"])
def test_plain_pictures_hold_nothing(name: str) -> None:
    pixels = np.zeros((256, 256, 3), np.uint8) if name == "black" else photograph(name, 30, 90)
    assert synchronise_direct(plane(pixels), SECRET, ALL) is None
    assert synchronise_search(plane(pixels), SECRET, ALL, limit=LIMIT) is None


def test_half_a_picture_may_be_gone(sent: tuple[Pixels8, Header]) -> None:
    picture = sent[0].copy()
    picture[:, 160:] = photograph("astronaut", 0, 0, 256, 160)
    fix = synchronise_direct(plane(picture), SECRET, ALL)
    assert fix is not None
    assert fix.header == sent[1]


def test_chips_in_noisy_blocks_do_not_drown_the_others(
    sent: tuple[Pixels8, Header], monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = make_layout(SECRET, 32, 40)

    def read(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        noisy = np.kron(rng.random((32, 40)) < 0.8, np.ones((8, 8), bool))[..., None]
        suspect = np.clip(np.rint(sent[0] + noisy * rng.normal(0, 40, sent[0].shape)), 0, 255).astype(np.uint8)
        coefficients = analyse(plane(suspect))[0].numpy()
        return read_header(coefficients, layout, STEPS["balanced"])[0] == sent[1]

    assert all(read(seed) for seed in range(4))
    # All blocks as if they were of one kind: in four of five blocks there is nothing but noise.
    monkeypatch.setattr("imuge_cli.lattice.synchronise._MOST_KINDS", 1)
    assert not any(read(seed) for seed in range(4))


def test_the_score_of_plain_pictures_is_standard_normal() -> None:
    coefficients = analyse(plane(photograph("astronaut", 100, 100))).numpy()[0]
    scores = [
        pilot_score(coefficients, make_layout(Secret(bytes([i]) * 32), 32, 32), STEPS["balanced"]) for i in range(150)
    ]
    # Means of 150 have a standard deviation of .08, their standard deviation one of .06.
    assert abs(np.mean(scores)) < 0.3
    assert 0.8 < np.std(scores) < 1.2


def test_too_small_a_picture_is_not_searched_for(sent: tuple[Pixels8, Header]) -> None:
    assert synchronise_search(plane(np.ascontiguousarray(sent[0][5:61, 5:61])), SECRET, ALL, limit=LIMIT) is None
