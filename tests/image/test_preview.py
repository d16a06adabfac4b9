from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from imuge_cli.image.preview import Preview, preview, shrink, smaller


def decoded(small: Preview) -> Image.Image:
    image = Image.open(BytesIO(small.data))
    assert image.size == (small.width, small.height)
    assert f"image/{str(image.format).lower()}" == small.mime
    return image


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((1000, 2000), (320, 640)), ((641, 640), (640, 639)), ((5000, 3), (640, 1)), ((640, 20), (640, 20))],
)
def test_the_longer_side_fits_and_the_other_goes_with_it(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert shrink(np.zeros((*size, 3), np.uint8), 640).shape == (*wanted, 3)
    assert shrink(np.zeros(size, np.float32), 640).shape == wanted
    assert shrink(np.zeros(size, bool), 640).shape == wanted


def test_shrinking_averages() -> None:
    pixels = np.zeros((100, 100), np.float32)
    pixels[:, ::2] = 1
    assert np.allclose(shrink(pixels, 50), 0.5)


def test_a_single_pixel_of_a_mask_survives_and_nothing_is_added() -> None:
    mask = np.zeros((3001, 2003), bool)
    mask[1234, 777] = True
    small = shrink(mask, 100)
    assert small.dtype == np.bool_ and small.sum() == 1
    row, col = np.argwhere(small)[0]
    assert row == pytest.approx(1234 * small.shape[0] / 3001, abs=1)
    assert col == pytest.approx(777 * small.shape[1] / 2003, abs=1)
    assert not shrink(np.zeros((3001, 2003), bool), 100).any()


def test_photographs_become_jpeg_and_drawings_stay_exact() -> None:
    y, x = np.mgrid[:300, :300]
    noise = np.random.default_rng(0).normal(0, 6, (300, 300, 3))
    photograph = (np.stack([y, x, (x + y) // 2], -1) / 300 * 200 + 20 + noise).astype(np.uint8)
    small = preview(photograph, 640)
    shown = np.asarray(decoded(small), float)
    assert small.mime == "image/jpeg" and len(small.data) < photograph.size // 8
    assert np.abs(shown - photograph).mean() < 6
    drawing = np.zeros((300, 300, 3), np.uint8)
    drawing[100:200, 50:90] = (200, 10, 30)
    small = preview(drawing, 640)
    assert small.mime == "image/png" and np.array_equal(np.asarray(decoded(small)), drawing)


def test_masks_become_png_in_black_and_white() -> None:
    mask = np.random.default_rng(0).random((50, 70)) < 0.5
    small = preview(mask, 640)
    assert small.mime == "image/png" and np.array_equal(np.asarray(decoded(small)), mask)


@pytest.mark.parametrize("kind", ["mask", "grey", "colour"])
def test_an_encoded_picture_can_be_made_smaller(kind: str) -> None:
    pixels = np.full((300, 600, 3), (200, 100, 50), np.uint8)
    source = {"mask": pixels[..., 0] > 100, "grey": pixels[..., 1], "colour": pixels}[kind]
    small = smaller(preview(source, 640).data, 150)
    assert (small.height, small.width) == (75, 150)
    middle = decoded(small).convert("RGB").getpixel((75, 40))
    wanted = {"mask": (255, 255, 255), "grey": (100, 100, 100), "colour": (200, 100, 50)}[kind]
    assert isinstance(middle, tuple) and np.abs(np.subtract(middle, wanted)).max() < 4
