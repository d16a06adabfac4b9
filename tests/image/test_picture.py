"""The value between reading and writing."""

from __future__ import annotations

import numpy as np
import pytest
from image_samples import exif_block, exif_values, noise, picture

from imuge_cli.image.exif import strip_prefix, upright
from imuge_cli.image.picture import Picture


def test_as_uint8_rounds_to_the_nearest_level() -> None:
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    deep = Picture(np.repeat(every[..., None], 3, axis=2))
    assert np.array_equal(deep.as_uint8()[..., 1], np.floor(every / 257 + 0.5))
    shallow = picture()
    assert shallow.as_uint8() is shallow.pixels


def test_with_pixels_keeps_metadata_and_what_fits_of_alpha() -> None:
    original = picture(16, alpha=True, icc=b"profile", dpi=(72.0, 72.0))
    assert original.alpha is not None
    other = original.with_pixels(noise(40, 56, seed=3))
    assert (other.icc, other.dpi, other.bit_depth) == (b"profile", (72.0, 72.0), 8)
    assert np.array_equal(other.alpha, np.rint(original.alpha / 257))
    back = other.with_pixels(original.pixels)
    assert other.alpha is not None
    assert np.array_equal(back.alpha, other.alpha.astype(int) * 257)
    assert original.with_pixels(noise(30, 56, dtype=np.uint16)).alpha is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"pixels": np.zeros((4, 4), np.uint8)},
        {"pixels": np.zeros((4, 4, 4), np.uint8)},
        {"pixels": np.zeros((4, 4, 3), np.float32)},
        {"pixels": np.zeros((4, 4, 3), np.uint8), "alpha": np.zeros((4, 5), np.uint8)},
        {"pixels": np.zeros((4, 4, 3), np.uint8), "alpha": np.zeros((4, 4), np.uint16)},
    ],
)
def test_shapes_and_types_are_checked(wrong: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Picture(**wrong)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_only_the_orientation_of_an_exif_block_changes(orientation: int) -> None:
    block = exif_block(orientation)
    found, patched = upright(b"Exif\x00\x00" + block)
    assert found == orientation
    assert patched is not None
    assert exif_values(patched) == ("Maker", 1, "2024:05:06 07:08:09")
    assert sum(a != b for a, b in zip(block, patched, strict=True)) == (orientation != 1)


def test_exif_without_orientation_or_without_sense() -> None:
    assert upright(exif_block()) == (1, exif_block())
    assert upright(None) == (1, None)
    assert upright(b"rubbish") == (1, None)
    assert strip_prefix(b"Exif\x00\x00") is None
    cut = exif_block(6)[:20]
    assert upright(cut) == (1, cut)
    assert upright(b"II*\x00\xff\xff\xff\x7f") == (1, b"II*\x00\xff\xff\xff\x7f")
