from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imuge_cli.reporting.thumbnails import HEATMAP, MASK, SUSPECT, Thumbnail, suspect_thumbnails


def shown(thumbnail: Thumbnail) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(thumbnail.data)).convert("RGB"))


def test_thumbnails_are_small_keep_colours_and_know_the_pictures_size() -> None:
    pixels = np.zeros((1000, 2000, 3), np.uint8)
    pixels[..., 0] = 200
    small = Thumbnail.of("x", pixels)
    assert shown(small).shape == (320, 640, 3) and (small.height, small.width) == (1000, 2000)
    assert shown(small)[0, 0].tolist() == [200, 0, 0]
    assert (shown(Thumbnail.of("m", np.ones((4, 4), bool))) == 255).all()


def test_what_was_found_is_drawn_at_the_thumbnails_size() -> None:
    pixels = np.full((1280, 2560, 3), (40, 120, 200), np.uint8)
    mask = np.zeros((1280, 2560), bool)
    mask[400:800, 800:1600] = True
    suspect, spot, heat = suspect_thumbnails(pixels, mask * np.float32(1), mask)
    assert [suspect.caption, spot.caption, heat.caption] == [SUSPECT, MASK, HEATMAP]
    assert (suspect.height, suspect.width) == (1280, 2560)  # what boxes are drawn on
    inside, outside, edge = (150, 300), (10, 10), (100, 300)
    assert np.abs(shown(suspect)[inside].astype(int) - (40, 120, 200)).max() < 4
    assert np.abs(shown(spot)[inside].astype(int) - (40, 120, 200)).max() < 12
    assert np.ptp(shown(spot)[outside].astype(int)) < 4  # grey
    assert shown(heat)[inside][0] > 150 and np.abs(shown(heat)[outside].astype(int) - (40, 120, 200)).max() < 4
    assert np.abs(shown(spot)[edge].astype(int) - shown(spot)[inside]).max() > 60  # the outline did not vanish


def test_where_nothing_was_found_nothing_is_drawn() -> None:
    pixels = np.full((20, 30, 3), 90, np.uint8)
    nothing = np.zeros((20, 30), bool)
    assert [one.caption for one in suspect_thumbnails(pixels, np.zeros((20, 30), np.float32), nothing)] == [SUSPECT]
    faint = suspect_thumbnails(pixels, np.full((20, 30), 0.01, np.float32), nothing)
    assert [one.caption for one in faint] == [SUSPECT, HEATMAP]
