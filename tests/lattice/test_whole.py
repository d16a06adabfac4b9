"""The whole of a small picture at a size that nobody tells."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from photographs import photograph

from imuge_cli import Imuge
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.image.picture import Picture
from imuge_cli.image.working_size import luma
from imuge_cli.keys import Secret
from imuge_cli.lattice.placement import ORIENTATIONS, Orientation
from imuge_cli.lattice.whole import sizes, synchronise_whole
from imuge_cli.models.lattice.carrier import STEPS

SECRET, STEP = Secret.default(), tuple(STEPS.values())
HEIGHT, WIDTH = 200, 256
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def sent() -> NDArray[np.uint8]:
    """A small, busy picture, immunized, of which a part was painted over."""
    picture = Picture(pixels=photograph("coffee", 100, 150, HEIGHT, WIDTH))
    pixels = Imuge(exact=False).immunize(picture, image_id=5).picture.as_uint8()
    pixels[40:100, 60:140] = (200, 30, 40)
    return pixels


@pytest.mark.parametrize("chain", ["scale:1.5", "scale:0.7", "scale:0.5", "scale:1.37+jpeg:80", "scale:3+jpeg:60"])
def test_the_whole_picture_is_found_at_any_size(sent: NDArray[np.uint8], chain: str) -> None:
    suspect = luma(apply(parse(chain), sent, RNG).image)
    placed = synchronise_whole(suspect, SECRET, STEP)
    assert placed is not None and placed.fix.header is not None
    assert (placed.fix.header.height, placed.fix.header.width, placed.fix.header.image_id) == (HEIGHT, WIDTH, 5)
    place = placed.placement
    assert (place.top, place.left) == pytest.approx((0, 0), abs=0.5)
    assert suspect.shape == pytest.approx((HEIGHT * place.rows_scale, WIDTH * place.columns_scale), abs=1)


@pytest.mark.parametrize("orientation", ORIENTATIONS[1:], ids=lambda one: one.name)
def test_so_it_is_mirrored_or_turned(sent: NDArray[np.uint8], orientation: Orientation) -> None:
    suspect = orientation.apply(luma(apply(parse("scale:1.5"), sent, RNG).image))
    assert synchronise_whole(suspect, SECRET, STEP) is None
    placed = synchronise_whole(suspect, SECRET, STEP, ORIENTATIONS[1:])
    assert placed is not None and placed.placement.orientation == orientation


def test_a_few_rows_that_are_missing_are_told_by_the_template(sent: NDArray[np.uint8]) -> None:
    """Without them the picture looks like the whole of a smaller one, but its header tells how large it was."""
    suspect = luma(apply(parse("scale:1.5"), sent, RNG).image)
    placed = synchronise_whole(np.ascontiguousarray(suspect[1:-1]), SECRET, STEP)
    assert placed is not None
    assert placed.placement.rows_scale == pytest.approx(1.5, abs=0.005)
    assert placed.placement.top == pytest.approx(2 / 3, abs=0.3)


@pytest.mark.parametrize("what", ["another key", "never immunized", "a crop"])
def test_nothing_is_found_where_nothing_is(sent: NDArray[np.uint8], what: str) -> None:
    secret = Secret(bytes(32)) if what == "another key" else SECRET
    pixels = photograph("coffee", 100, 150, HEIGHT, WIDTH) if what == "never immunized" else sent
    pixels = pixels[20:, 30:] if what == "a crop" else pixels
    suspect = luma(apply(parse("scale:1.5"), np.ascontiguousarray(pixels), RNG).image)
    assert synchronise_whole(suspect, secret, STEP, ORIENTATIONS) is None


@pytest.mark.parametrize("factor", [0.26, 0.5, 0.7, 0.99, 1.5, 3.9])
def test_every_size_that_rounds_to_the_suspects_is_tried(factor: float) -> None:
    for height, width in product((80, 199, 256), (91, 256, 383)):
        smaller = round(height * factor), round(width * factor)
        assert (height, width) in set(sizes(*smaller))


def test_a_small_scaled_picture_is_verified(sent: NDArray[np.uint8]) -> None:
    suspect = apply(parse("scale:1.5+jpeg:85"), sent, RNG).image
    verification = Imuge().verify(Picture(pixels=suspect))
    assert verification.verdict == "tampered"
    found = verification.synchronisation
    assert found is not None and found.scale == pytest.approx(1.5, abs=0.005)
    painted = verification.mask > 0
    assert painted[66:144, 96:204].mean() > 0.9 and painted[:50].mean() < 0.02
