"""The search for scale, place and orientation, on a real immunized photograph."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from photographs import photograph

from imuge_cli import Imuge
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.image.picture import Picture
from imuge_cli.image.working_size import luma
from imuge_cli.keys import Secret
from imuge_cli.lattice.placement import ORIENTATIONS, UPRIGHT, Orientation
from imuge_cli.lattice.search import Candidate, Suspect, candidates, promising, refined, scales

SECRET = Secret.default()
STEP = 19.7
CHAIN = "crop:0.7+scale:0.8+jpeg:90"


@pytest.fixture(scope="module")
def immunized() -> NDArray[np.uint8]:
    picture = Picture(pixels=photograph("astronaut", 0, 0, 512, 512))
    return Imuge(exact=False).immunize(picture, image_id=5).picture.as_uint8()


def attacked(picture: NDArray[np.uint8], chain: str, orientation: Orientation = UPRIGHT) -> Suspect:
    done = apply(parse(chain), picture, np.random.default_rng(3))
    return Suspect(luma(orientation.apply(done.image)))


def true_place(picture: NDArray[np.uint8], chain: str) -> tuple[int, int]:
    top, left, _, _ = apply(parse(chain), picture, np.random.default_rng(3)).crop_box
    return top, left


def at_true_place(found: Candidate, place: tuple[int, int], scale: float, pixels: float) -> bool:
    placement = found.placement
    near = abs(placement.top - place[0]) < pixels and abs(placement.left - place[1]) < pixels
    return near and abs(placement.scale / scale - 1) < 0.02


@pytest.mark.parametrize("orientation", [ORIENTATIONS[0], ORIENTATIONS[1], ORIENTATIONS[4]], ids=lambda o: o.name)
def test_a_scaled_crop_is_found_to_a_fraction_of_a_pixel(
    immunized: NDArray[np.uint8], orientation: Orientation
) -> None:
    suspect, place = attacked(immunized, CHAIN, orientation), true_place(immunized, CHAIN)
    found = candidates(suspect, SECRET, STEP, [0.77, 0.803], ORIENTATIONS)[0]
    assert found.placement.orientation == orientation
    assert at_true_place(found, place, 0.8, 3)
    better = refined(Suspect(orientation.undo(suspect.plane)), found, SECRET, STEP)
    assert better.score > max(12, found.score)
    assert at_true_place(better, place, 0.8, 0.3)
    assert better.placement.rows_scale == pytest.approx(0.8, rel=0.003)


def test_another_secret_finds_nothing(immunized: NDArray[np.uint8]) -> None:
    suspect = attacked(immunized, CHAIN)
    stranger = Secret(b"x" * 32)
    found = candidates(suspect, stranger, STEP, [0.803], ORIENTATIONS)
    assert found[0].score < 6


def test_scales_cover_what_a_suspect_can_be() -> None:
    tried = scales(300, 512)
    assert tried[0] == 0.5 and tried[-1] == pytest.approx(2.0, rel=0.012)
    assert max(b / a for a, b in zip(tried, tried[1:], strict=False)) < 1.0121


def test_the_search_needs_no_hint(immunized: NDArray[np.uint8]) -> None:
    suspect, place = attacked(immunized, CHAIN), true_place(immunized, CHAIN)
    first = next(c for c in promising(suspect, SECRET, STEP, orientations=(UPRIGHT,)) if c.score > 12)
    assert at_true_place(first, place, 0.8, 0.3)
