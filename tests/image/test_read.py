"""Every kind of file a person may hand over."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from image_samples import SRGB, XMP, encoded, exif_block, exif_values, noise, raw_png
from PIL import Image, ImageCms, PngImagePlugin

from imuge_cli.image.read import read_picture

# Where the upper left and upper right corner of the upright picture are stored, by orientation (EXIF 2.32).
UNTURN = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_reset(orientation: int) -> None:
    upright = noise(24, 40)
    upright_alpha = noise(24, 40, 1, seed=4)
    stored = np.ascontiguousarray(UNTURN[orientation](np.dstack([upright, upright_alpha])))
    data = encoded(Image.fromarray(stored), "PNG", exif=exif_block(orientation), dpi=(100, 200))
    picture = read_picture(BytesIO(data))
    assert np.array_equal(picture.pixels, upright)
    assert np.array_equal(picture.alpha, upright_alpha)
    assert exif_values(picture.exif) == ("Maker", 1, "2024:05:06 07:08:09")
    assert picture.dpi == pytest.approx((200, 100) if orientation >= 5 else (100, 200), abs=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_orientation_of_tiff(orientation: int, dtype: type) -> None:
    upright = noise(24, 40, dtype=dtype)
    stored, stream = np.ascontiguousarray(UNTURN[orientation](upright)), BytesIO()
    tifffile.imwrite(stream, stored, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    assert np.array_equal(read_picture(BytesIO(stream.getvalue())).pixels, upright)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_jpeg_and_sixteen_bit_png(orientation: int) -> None:
    upright = noise(24, 40, dtype=np.uint16)
    stored = np.ascontiguousarray(UNTURN[orientation](upright))
    deep = read_picture(BytesIO(raw_png(stored, 2, (b"eXIf", exif_block(orientation)))))
    assert np.array_equal(deep.pixels, upright)
    flat = np.full((16, 48, 3), 40, np.uint8)
    flat[:, :24] = 200
    jpeg = encoded(Image.fromarray(np.ascontiguousarray(UNTURN[orientation](flat))), "JPEG", quality=95)
    tagged = BytesIO()
    with Image.open(BytesIO(jpeg)) as image:
        image.save(tagged, "JPEG", quality=95, exif=b"Exif\x00\x00" + exif_block(orientation))
    picture = read_picture(BytesIO(tagged.getvalue()))
    assert np.abs(picture.pixels.astype(int) - flat).max() <= 6


def test_xmp_does_not_turn_an_upright_picture_again() -> None:
    xmp = XMP.replace(b"<rdf:RDF/>", b'<rdf:RDF tiff:Orientation="6"/>')
    data = encoded(Image.fromarray(noise(8, 8)), "WEBP", lossless=True, exif=exif_block(6), xmp=xmp)
    assert read_picture(BytesIO(data)).xmp == xmp.replace(b"6", b"1")


def test_an_absurd_resolution_is_none() -> None:
    data = encoded(Image.fromarray(noise(8, 8)), "TIFF", dpi=(4294967295.0, 72.0))
    assert read_picture(BytesIO(data)).dpi is None
    assert read_picture(BytesIO(encoded(Image.fromarray(noise(8, 8)), "TIFF", dpi=(9600.0, 72.0)))).dpi == (9600, 72)


def test_no_exif_no_profile_no_resolution() -> None:
    picture = read_picture(BytesIO(encoded(Image.fromarray(noise(8, 9)), "PNG")))
    assert (picture.exif, picture.icc, picture.xmp, picture.dpi, picture.alpha) == (None,) * 5
    assert (picture.height, picture.width, picture.bit_depth) == (8, 9, 8)


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
def test_eight_bit_grey(format: str) -> None:
    grey = noise(20, 30, 1)
    picture = read_picture(BytesIO(encoded(Image.fromarray(grey), format)))
    assert picture.grey
    assert all(np.array_equal(picture.pixels[..., channel], grey) for channel in range(3))


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_grey(order: str) -> None:
    grey = noise(20, 30, 1, np.uint16)
    stream = BytesIO()
    tifffile.imwrite(stream, grey, byteorder=order)
    for data in (raw_png(grey, 0), stream.getvalue()):
        picture = read_picture(BytesIO(data))
        assert picture.grey
        assert picture.pixels.dtype == np.uint16
        assert picture.pixels.dtype.isnative
        assert all(np.array_equal(picture.pixels[..., channel], grey) for channel in range(3))


def test_sixteen_bit_grey_with_white_as_zero() -> None:
    grey, stream = noise(20, 30, 1, np.uint16), BytesIO()
    tifffile.imwrite(stream, 65535 - grey, photometric="miniswhite")
    assert np.array_equal(read_picture(BytesIO(stream.getvalue())).pixels[..., 1], grey)


def test_sixteen_bit_grey_with_one_transparent_level() -> None:
    grey = noise(20, 30, 1, np.uint16)
    picture = read_picture(BytesIO(raw_png(grey, 0, (b"tRNS", int(grey[3, 4]).to_bytes(2, "big")))))
    assert np.array_equal(picture.alpha, np.where(grey == grey[3, 4], 0, 65535))


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_sixteen_bit_png_of_every_kind(colour_type: int, channels: int) -> None:
    samples = noise(20, 30, channels, np.uint16)
    picture = read_picture(BytesIO(raw_png(samples, colour_type)))
    colours = samples[..., :3] if channels >= 3 else np.repeat(samples[..., :1], 3, axis=2)
    assert np.array_equal(picture.pixels, colours)
    assert picture.grey == (colour_type == 4)
    if channels in (2, 4):
        assert np.array_equal(picture.alpha, samples[..., -1])


@pytest.mark.parametrize("options", [{"byteorder": ">"}, {"compression": "zlib", "predictor": True}])
def test_sixteen_bit_tiff_of_other_programs(options: dict[str, object]) -> None:
    samples, stream = noise(20, 30, 3, np.uint16), BytesIO()
    tifffile.imwrite(stream, samples, photometric="rgb", **options)
    assert np.array_equal(read_picture(BytesIO(stream.getvalue())).pixels, samples)


def test_premultiplied_sixteen_bit_tiff_is_divided_by_its_alpha() -> None:
    colours, stream = noise(20, 30, 3, np.uint16), BytesIO()
    alpha = np.random.default_rng(1).integers(20000, 65536, (20, 30)).astype(np.uint16)
    stored = np.rint(colours * (alpha[..., None] / 65535)).astype(np.uint16)
    tifffile.imwrite(stream, np.dstack([stored, alpha]), photometric="rgb", extrasamples=["assocalpha"])
    picture = read_picture(BytesIO(stream.getvalue()))
    assert np.array_equal(picture.alpha, alpha)
    assert np.abs(picture.pixels.astype(int) - colours).max() <= 3


def test_palette_with_and_without_transparency() -> None:
    indices = noise(20, 30, 1) % 4
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 8, 7)]
    image = Image.fromarray(indices)
    image.putpalette([value for colour in colours for value in colour])
    expected = np.array(colours, np.uint8)[indices]
    plain = read_picture(BytesIO(encoded(image, "PNG")))
    assert plain.alpha is None
    assert np.array_equal(plain.pixels, expected)
    clear = read_picture(BytesIO(encoded(image, "PNG", transparency=bytes([255, 128, 0, 255]))))
    assert np.array_equal(clear.pixels, expected)
    assert np.array_equal(clear.alpha, np.array([255, 128, 0, 255], np.uint8)[indices])


def test_one_bit_and_grey_with_alpha() -> None:
    bits = noise(20, 30, 1) > 128
    picture = read_picture(BytesIO(encoded(Image.fromarray(bits), "PNG")))
    assert picture.grey
    assert np.array_equal(picture.pixels[..., 0], bits * np.uint8(255))
    both = noise(20, 30, 2)
    picture = read_picture(BytesIO(encoded(Image.fromarray(both, "LA"), "PNG")))
    assert picture.grey
    assert np.array_equal(picture.alpha, both[..., 1])
    assert np.array_equal(picture.pixels[..., 2], both[..., 0])


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(format: str) -> None:
    inks = np.zeros((16, 32, 4), np.uint8)
    inks[:, :16, 0] = 255  # cyan on the left, white on the right
    picture = read_picture(BytesIO(encoded(Image.fromarray(inks, "CMYK"), format)))
    assert np.abs(picture.pixels[8, 4].astype(int) - (0, 255, 255)).max() <= 4
    assert picture.pixels[8, 28].min() >= 251
    assert picture.icc is None


def test_cmyk_with_an_unusable_profile_is_converted_plainly() -> None:
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 1] = 255
    for profile in (b"no profile at all", SRGB):  # the second one is a profile, but not for four inks
        data = encoded(Image.fromarray(inks, "CMYK"), "TIFF", icc_profile=profile)
        picture = read_picture(BytesIO(data))
        assert tuple(picture.pixels[8, 8]) == (255, 0, 255)
        assert picture.icc is None


def test_cmyk_goes_through_its_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def convert(image: Image.Image, source: object, target: object, outputMode: str) -> Image.Image:
        seen.append((type(source), outputMode))
        return Image.new("RGB", image.size, (1, 2, 3))

    monkeypatch.setattr(ImageCms, "profileToProfile", convert)
    data = encoded(Image.new("CMYK", (8, 8)), "TIFF", icc_profile=SRGB)
    assert tuple(read_picture(BytesIO(data)).pixels[0, 0]) == (1, 2, 3)
    assert seen == [(ImageCms.ImageCmsProfile, "RGB")]


@pytest.mark.parametrize("format", ["WEBP", "AVIF"])
def test_other_formats(format: str) -> None:
    smooth = cv2.resize(noise(6, 8), (80, 60), interpolation=cv2.INTER_CUBIC)
    picture = read_picture(BytesIO(encoded(Image.fromarray(smooth), format, quality=90)))
    assert picture.source_format == format.lower()
    assert np.abs(picture.pixels.astype(int) - smooth).mean() < 6


def test_jpeg_with_a_preview_inside_is_its_main_picture() -> None:
    main, preview = Image.new("RGB", (64, 48), (200, 0, 0)), Image.new("RGB", (32, 24), (0, 0, 200))
    stream = BytesIO()
    main.save(stream, "MPO", save_all=True, append_images=[preview])
    picture = read_picture(BytesIO(stream.getvalue()))
    assert (picture.width, picture.height, picture.source_format) == (64, 48, "jpeg")
    assert picture.pixels[0, 0, 0] > 190


def test_xmp_and_exif_in_text_chunks_of_png() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    exif = b"Exif\x00\x00" + exif_block(6)
    info.add_text("Raw profile type exif", f"\nexif\n{len(exif):8}\n{exif.hex()}\n")
    upright = noise(8, 12)
    data = encoded(Image.fromarray(np.ascontiguousarray(np.rot90(upright))), "PNG", pnginfo=info)
    picture = read_picture(BytesIO(data))
    assert picture.xmp == XMP
    assert exif_values(picture.exif)[1:] == (1, "2024:05:06 07:08:09")
    assert np.array_equal(picture.pixels, upright)


def test_pixels_may_be_changed_in_place() -> None:
    for data in (encoded(Image.fromarray(noise(8, 8)), "BMP"), raw_png(noise(8, 8, 3, np.uint16), 2)):
        pixels = read_picture(BytesIO(data)).pixels
        assert pixels.flags.writeable
        assert pixels.flags.c_contiguous


def test_reading_is_silent_and_leaves_pillow_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    (tmp_path / "a.png").write_bytes(raw_png(noise(8, 8, 3, np.uint16), 2, (b"eXIf", b"II*\x00\xff")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        read_picture(tmp_path / "a.png")
        assert warnings.filters == before
    assert limit == Image.MAX_IMAGE_PIXELS
    assert capfd.readouterr() == ("", "")
