"""The search for scale, place and orientation, on a real immunized photograph."""

from __future__ import annotations

import math
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from photographs import photograph

from imuge_cli import Imuge
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.image.picture import Picture
from imuge_cli.image.working_size import luma
from imuge_cli.keys import Secret
from imuge_cli.lattice.placement import ORIENTATIONS, UPRIGHT, Orientation, Placement
from imuge_cli.lattice.refine import Candidate, refined
from imuge_cli.lattice.search import framed_scales, promising, scales, squeezed_scales
from imuge_cli.lattice.view import Suspect

SECRET = Secret.default()
CHAIN = "crop:0.6+scale:0.7+jpeg:80"


@pytest.fixture(scope="module")
def immunized() -> NDArray[np.uint8]:
    picture = Picture(pixels=photograph("astronaut", 0, 0, 512, 512))
    return Imuge(exact=False).immunize(picture, image_id=5).picture.as_uint8()


def first(suspect: NDArray[np.uint8], secret: Secret = SECRET) -> Candidate | None:
    return next((found for found in promising(Suspect(luma(suspect)), secret) if found.score > 8), None)


def at_true_place(found: Candidate | None, place: tuple[float, float], scale: float, pixels: float = 0.4) -> bool:
    assert found is not None
    placement = found.placement
    near = abs(placement.top - place[0]) < pixels and abs(placement.left - place[1]) < pixels
    return near and placement.rows_scale == pytest.approx(scale, rel=0.002)


# Turned ones are searched for less thoroughly.
@pytest.mark.parametrize(
    ("orientation", "chain"),
    [(ORIENTATIONS[0], CHAIN), (ORIENTATIONS[1], "crop:0.8+scale:0.8+jpeg:90"), (ORIENTATIONS[4], "scale:1.4+jpeg:80")],
    ids=lambda value: value.name if isinstance(value, Orientation) else value,
)
def test_a_scaled_crop_is_found_to_a_fraction_of_a_pixel(
    immunized: NDArray[np.uint8], orientation: Orientation, chain: str
) -> None:
    done = apply(parse(chain), immunized, np.random.default_rng(3))
    found = first(orientation.apply(done.image))
    assert found is not None and found.placement.orientation == orientation
    top, left, rows, columns = done.crop_box
    scale = (done.image.shape[0] / rows * done.image.shape[1] / columns) ** 0.5
    assert at_true_place(found, (top, left), scale)


@pytest.mark.parametrize("degrees", [-4.3, 0.8])
def test_a_turned_picture_is_found_and_by_how_much(immunized: NDArray[np.uint8], degrees: float) -> None:
    done = apply(parse(f"rotate:{degrees}+jpeg:80"), immunized, np.random.default_rng(3))
    found = first(done.image)
    assert found is not None and found.placement.turn is not None
    assert found.placement.turn.degrees == pytest.approx(degrees, abs=0.02)
    # Of the canvas, which has the suspect's middle.
    middle = found.placement.top + found.placement.turn.canvas[0] / found.placement.rows_scale / 2
    assert middle == pytest.approx(256, abs=0.3) and found.placement.scale == pytest.approx(1, rel=0.001)


@pytest.mark.parametrize("kept", ["largest part", "all of it"])
def test_a_large_picture_that_was_turned_is_found(kept: str) -> None:
    whole = np.tile(photograph("astronaut", 0, 0, 512, 512), (1, 2, 1))[:448]
    working = Imuge(exact=False).immunize(Picture(pixels=whole), image_id=5).picture.as_uint8()
    if kept == "all of it":
        working = cv2.copyMakeBorder(working, 60, 60, 60, 60, cv2.BORDER_CONSTANT)
    turned = apply(parse("rotate:2.4"), working, np.random.default_rng(0)).image
    if kept == "all of it":
        high, wide = (
            round(448 * math.cos(math.radians(2.4)) + 1024 * math.sin(math.radians(2.4))),
            round(1024 * math.cos(math.radians(2.4)) + 448 * math.sin(math.radians(2.4))),
        )
        top, left = (turned.shape[0] - high) // 2, (turned.shape[1] - wide) // 2
        turned = turned[top : top + high, left : left + wide]
    height, width = turned.shape[:2]
    found = first(cv2.resize(turned, (1024, round(height * 1024 / width)), interpolation=cv2.INTER_AREA))
    assert found is not None and found.placement.turn is not None
    assert found.placement.turn.degrees == pytest.approx(2.4, abs=0.02)
    assert found.placement.scale == pytest.approx(1024 / width, rel=0.001)


def test_a_picture_inside_a_frame_is_found(immunized: NDArray[np.uint8]) -> None:
    small = apply(parse("scale:0.9+jpeg:90"), immunized, np.random.default_rng(3)).image
    screen = np.full((700, 900, 3), 30, np.uint8)
    screen[120 : 120 + small.shape[0], 200 : 200 + small.shape[1]] = small
    found = first(screen)
    scale = small.shape[0] / 512
    assert at_true_place(found, (-120 / scale, -200 / scale), scale)


def test_the_repetitions_of_the_pattern_are_told_apart() -> None:
    large = np.tile(photograph("astronaut", 0, 0, 512, 512), (1, 2, 1))[:, :1000]
    picture = Imuge(exact=False).immunize(Picture(pixels=large), image_id=5).picture.as_uint8()
    part = np.ascontiguousarray(picture[100:420, 500:900])
    assert at_true_place(first(part), (100, 500), 1.0)


def test_a_place_is_improved_from_beside_it(immunized: NDArray[np.uint8]) -> None:
    suspect = Suspect(luma(apply(parse("scale:1.5"), immunized, np.random.default_rng(3)).image))
    begin = Candidate(5.0, Placement(0.6, -0.5, 1.503, 1.497))
    assert refined(suspect, begin, SECRET).score > 12
    assert at_true_place(refined(suspect, begin, SECRET), (0, 0), 1.5, pixels=0.2)
    assert refined(suspect, Candidate(5.0, Placement(7, 9, 1.5, 1.5)), SECRET).score < 6


def test_another_secret_finds_nothing(immunized: NDArray[np.uint8]) -> None:
    suspect = apply(parse(CHAIN), immunized, np.random.default_rng(3)).image
    stranger = [candidate.score for candidate in promising(Suspect(luma(suspect)), Secret(b"x" * 32))]
    assert max(stranger, default=0) < 7.5


def test_a_flat_picture_is_no_evidence() -> None:
    # All its phases are equal: counted one by one they would outvote any chance.
    assert first(np.full((300, 400, 3), 128, np.uint8)) is None


def test_scales_cover_what_a_suspect_can_be() -> None:
    tried = scales(300, 512)
    assert tried[0] == 0.5 and tried[-1] > 512 / 206
    shown = [512 / scale for scale in tried]
    assert max(before - after for before, after in pairwise(shown)) < 5.3
    squeezed = squeezed_scales(1500, 2000)
    for kept, of in ((2000 / 1024, 1024), (1.0, 2000)):
        aspects = sorted([1.0, *(rows / columns for rows, columns in squeezed if columns == kept)])
        assert aspects[0] < 0.91 and aspects[-1] > 1.09
        assert max(b / a for a, b in pairwise(aspects)) == pytest.approx(1 + 5.2 / of, rel=1e-3)
    assert sum(rows == 1 for rows, _ in squeezed) == 2 * int(0.1 * 2000 / 5.2)
    framed = framed_scales(300, 512)
    assert max(framed) < 0.5 and min(framed) < 0.5 / 2.15


def test_upright_alone_finds_no_mirrored_picture(immunized: NDArray[np.uint8]) -> None:
    suspect = np.ascontiguousarray(immunized[:, ::-1])
    found = [candidate.score for candidate in promising(Suspect(luma(suspect)), SECRET, orientations=(UPRIGHT,))]
    assert max(found, default=0) < 7.5
