"""What goes into a file comes out of it again: pixels, alpha, profile, EXIF, XMP, resolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_samples import SRGB, XMP, exif_block, exif_values, grey_profile, noise, picture
from photographs import photograph
from PIL import Image, ImageFilter

from imuge_cli.errors import InputError, UsageError
from imuge_cli.image.picture import Picture
from imuge_cli.image.read import read_mask, read_picture
from imuge_cli.image.write import write_mask, write_picture

ALL = {"icc": SRGB, "xmp": XMP, "dpi": (300.0, 150.0)}


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
def test_png_and_tiff_keep_everything(tmp_path: Path, suffix: str, depth: int, alpha: bool) -> None:
    original = picture(depth, alpha, exif=exif_block(1), **ALL)
    assert write_picture(original, tmp_path / f"a.{suffix}") == []
    back = read_picture(tmp_path / f"a.{suffix}")
    assert back.pixels.dtype == original.pixels.dtype
    assert np.array_equal(back.pixels, original.pixels)
    assert (back.alpha is None) == (not alpha)
    if alpha:
        assert np.array_equal(back.alpha, original.alpha)
    assert (back.icc, back.xmp, back.grey) == (SRGB, XMP, False)
    assert back.dpi == pytest.approx((300, 150), abs=0.02)
    assert exif_values(back.exif)[0::2] == ("Maker", "2024:05:06 07:08:09")
    assert exif_values(back.exif)[1] in (None, 1)
    assert back.source_format == suffix


def test_png_keeps_the_exif_block_byte_for_byte(tmp_path: Path) -> None:
    block = exif_block(1)
    write_picture(picture(exif=block), tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").exif == block


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("depth", [8, 16])
def test_grey_stays_one_channel(tmp_path: Path, suffix: str, depth: int) -> None:
    original = picture(depth, grey=True, icc=grey_profile())
    assert write_picture(original, tmp_path / f"a.{suffix}") == []
    with Image.open(tmp_path / f"a.{suffix}") as stored:
        assert len(stored.getbands()) == 1
    back = read_picture(tmp_path / f"a.{suffix}")
    assert back.grey
    assert back.icc == original.icc
    assert np.array_equal(back.pixels, original.pixels)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("depth", [8, 16])
def test_grey_with_alpha(tmp_path: Path, suffix: str, depth: int) -> None:
    original = picture(depth, alpha=True, grey=True)
    assert write_picture(original, tmp_path / f"a.{suffix}") == []
    back = read_picture(tmp_path / f"a.{suffix}")
    assert np.array_equal(back.pixels, original.pixels)
    assert np.array_equal(back.alpha, original.alpha)


def test_grey_that_became_coloured_is_written_in_colour_without_its_grey_profile(tmp_path: Path) -> None:
    coloured = Picture(noise(20, 20), grey=True, icc=grey_profile())
    (warning,) = write_picture(coloured, tmp_path / "a.png")
    assert "profile for grey" in warning
    back = read_picture(tmp_path / "a.png")
    assert np.array_equal(back.pixels, coloured.pixels)
    assert back.icc is None


def test_webp_is_lossless_even_below_full_transparency(tmp_path: Path) -> None:
    original = picture(alpha=True, exif=exif_block(1), icc=SRGB, xmp=XMP)
    assert original.alpha is not None
    original.alpha[:20] = 0
    assert write_picture(original, tmp_path / "a.webp") == []
    back = read_picture(tmp_path / "a.webp")
    assert np.array_equal(back.pixels, original.pixels)
    assert np.array_equal(back.alpha, original.alpha)
    assert (back.icc, back.xmp) == (SRGB, XMP)
    assert exif_values(back.exif) == ("Maker", 1, "2024:05:06 07:08:09")


def test_bmp_keeps_pixels_and_names_what_it_cannot_hold(tmp_path: Path) -> None:
    original = picture(alpha=True, exif=exif_block(1), **ALL)
    (warning,) = write_picture(original, tmp_path / "a.bmp")
    for lost in ("transparency", "ICC", "EXIF", "XMP", "--format png"):
        assert lost in warning
    back = read_picture(tmp_path / "a.bmp")
    assert np.array_equal(back.pixels, original.pixels)
    assert back.alpha is None
    assert back.dpi == pytest.approx((300, 150), abs=0.02)


def test_bmp_says_nothing_where_nothing_is_lost(tmp_path: Path) -> None:
    for grey in (False, True):
        original = picture(grey=grey)
        assert write_picture(original, tmp_path / "a.bmp", force=True) == []
        back = read_picture(tmp_path / "a.bmp")
        assert np.array_equal(back.pixels, original.pixels)
        assert back.grey == grey


@pytest.mark.parametrize("suffix", ["bmp", "webp", "jpeg"])
def test_sixteen_bit_in_an_eight_bit_format_is_rounded_and_said(tmp_path: Path, suffix: str) -> None:
    original = picture(16)
    (warning,) = write_picture(original, tmp_path / f"a.{suffix}")
    assert "16 bit" in warning
    back = read_picture(tmp_path / f"a.{suffix}")
    assert back.bit_depth == 8
    if suffix != "jpeg":
        assert np.array_equal(back.pixels, np.rint(original.pixels / 257).astype(np.uint8))


def test_jpeg_is_written_without_subsampling_and_with_metadata(tmp_path: Path) -> None:
    original = picture(exif=exif_block(1), **ALL)
    (warning,) = write_picture(original, tmp_path / "a.jpg")
    assert "exactly" in warning
    with Image.open(tmp_path / "a.jpg") as stored:
        assert [layer[1:3] for layer in stored.layer] == [(1, 1)] * 3
        assert max(stored.quantization[0]) <= 12  # quality 95 or better
    back = read_picture(tmp_path / "a.jpg")
    assert (back.icc, back.xmp, back.dpi) == (SRGB, XMP, (300, 150))
    assert exif_values(back.exif) == ("Maker", 1, "2024:05:06 07:08:09")
    assert np.abs(back.pixels.astype(int) - original.pixels).mean() < 4


def test_jpeg_leaves_out_blocks_that_do_not_fit_a_segment(tmp_path: Path) -> None:
    exif = exif_block(1) + bytes(70_000)
    (warning,) = write_picture(picture(exif=exif, xmp=XMP + b" " * 70_000), tmp_path / "a.jpg")
    assert "EXIF of more" in warning
    assert "XMP of more" in warning
    assert read_picture(tmp_path / "a.jpg").exif is None


@pytest.mark.parametrize("quality", [0, 94, 101])
def test_jpeg_refuses_other_qualities(tmp_path: Path, quality: int) -> None:
    with pytest.raises(UsageError, match="95 to 100"):
        write_picture(picture(), tmp_path / "a.jpg", quality=quality)
    assert list(tmp_path.iterdir()) == []


def test_an_exif_block_that_tiff_cannot_carry_is_left_out_and_said(tmp_path: Path) -> None:
    damaged = exif_block(1)[:-40]
    warnings = write_picture(picture(exif=damaged), tmp_path / "a.tiff")
    back = read_picture(tmp_path / "a.tiff")
    assert np.array_equal(back.pixels, picture().pixels)
    assert warnings == [] or "EXIF" in warnings[0]


def test_large_tiff_of_many_strips(tmp_path: Path) -> None:
    original = Picture(noise(700, 333, dtype=np.uint16))
    write_picture(original, tmp_path / "a.tif")
    assert np.array_equal(read_picture(tmp_path / "a.tif").pixels, original.pixels)


def test_masks(tmp_path: Path) -> None:
    mask = noise(33, 47, 1) > 200
    write_mask(mask, tmp_path / "m.png")
    with Image.open(tmp_path / "m.png") as stored:
        assert stored.mode == "L"
        assert sorted(set(stored.get_flattened_data())) == [0, 255]
    assert read_mask(tmp_path / "m.png").dtype == bool
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask)


def test_a_photograph_is_no_mask_and_a_mask_in_colours_is_one(tmp_path: Path) -> None:
    photo = photograph("astronaut", 0, 0, 256, 256)
    Image.fromarray(photo).save(tmp_path / "photo.jpg")
    with pytest.raises(InputError, match=r"photo.jpg: is no mask"):
        read_mask(tmp_path / "photo.jpg")
    drawn = np.zeros((200, 300, 3), np.uint8)
    drawn[20:180, 30:250] = (150, 0, 0)
    drawn[60:90, 200:280] = (0, 100, 60)  # darker than half: not meant
    Image.fromarray(drawn).filter(ImageFilter.GaussianBlur(2)).save(tmp_path / "m.jpg", quality=70)
    mask = read_mask(tmp_path / "m.jpg")
    assert mask[40:160, 50:190].all() and not mask[:10].any() and mask.mean() == pytest.approx(0.55, abs=0.1)
