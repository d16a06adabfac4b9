"""From a Pillow image in any mode to RGB planes, and its metadata into the form Picture keeps."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

from imuge_cli.image import png
from imuge_cli.image.deep import decode_deep
from imuge_cli.image.exif import strip_prefix, turn, upright, upright_xmp
from imuge_cli.image.picture import Picture, Pixels
from imuge_cli.image.tiff import check_strips

_BITS, _PHOTOMETRIC, _PLANAR, _EXTRA, _SAMPLE_FORMAT = 258, 262, 284, 338, 339
_WHITE_IS_ZERO, _RGB, _ASSOCIATED, _UNASSOCIATED = 0, 2, 1, 2
_COLOUR_TYPE_GREY_ALPHA = 4
# Dots an inch; files that say more are damaged, and formats have no room for it.
_HIGHEST_DPI = 1e6
# What a TIFF directory says about the scene; everything else in it describes how its pixels are stored.
_DESCRIPTIVE = (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432, *range(0x9C9B, 0x9CA0))
_SUB_DIRECTORIES = (0x8769, 0x8825)  # Exif, GPS


def decode(image: Image.Image, data: bytes) -> Picture:
    """An opened Pillow image and the bytes it came from -> upright Picture.

    Raises ValueError (and whatever the decoder raises) where the data is damaged or of a kind without
    an obvious meaning in RGB.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        check_strips(image, data)
    image.load()  # also validates: OpenCV would fill up what is missing
    samples, grey = _deep_samples(image, data)
    if samples is None:
        samples, grey = _samples(image)
    orientation, exif = _exif(image)
    if orientation != 1:
        samples = turn(samples, orientation)
    xmp = _xmp(image)
    alpha = np.ascontiguousarray(samples[..., 3]) if samples.shape[2] == 4 else None
    return Picture(
        pixels=np.ascontiguousarray(samples[..., :3]),
        alpha=alpha,
        # CMYK is converted to sRGB, which is what a picture without profile means.
        icc=None if image.mode == "CMYK" else image.info.get("icc_profile") or None,
        exif=exif,
        xmp=upright_xmp(xmp) if orientation != 1 else xmp,
        grey=grey,
        dpi=_dpi(image, swap=orientation >= 5),
    )


def _samples(image: Image.Image) -> tuple[Pixels, bool]:
    """H x W x 3 or 4, uint8 or uint16, and whether the source had one colour channel."""
    if image.mode.startswith("I;16"):
        return _grey16(image), True
    if image.mode in ("I", "F"):
        raise ValueError("its samples have 32 bit, only 8 and 16 are supported")
    if image.mode in ("LAB", "HSV"):
        raise ValueError(f"its colours are {image.mode}, only grey, RGB and CMYK are supported")
    grey = image.mode in ("1", "L", "LA", "La")
    if image.mode == "CMYK":
        image = _cmyk_to_rgb(image)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return np.array(image.convert(mode)), grey


def _grey16(image: Image.Image) -> Pixels:
    grey = np.asarray(image).astype(np.uint16)
    transparent = image.info.get("transparency")
    alpha = None if transparent is None else np.where(grey == transparent, 0, 65535).astype(np.uint16)
    if _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:  # Pillow inverts this at 8 bit only
        grey = 65535 - grey
    return np.stack([grey] * 3 + ([] if alpha is None else [alpha]), axis=2)


def _deep_samples(image: Image.Image, data: bytes) -> tuple[Pixels | None, bool]:
    """The full depth of 16-bit colour, which Pillow cuts to 8; (None, False) where there is none."""
    if image.format == "PNG" and png.bit_depth(data) == 16 and not image.mode.startswith("I"):
        return decode_deep(data), png.colour_type(data) == _COLOUR_TYPE_GREY_ALPHA
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return None, False
    bits = image.tag_v2.get(_BITS, ())
    if _tag(image, _PHOTOMETRIC) != _RGB or len(bits) < 3 or max(bits) != 16:
        return None, False
    if _tag(image, _PLANAR) == 2 or _tag(image, _SAMPLE_FORMAT) not in (None, 1):
        raise ValueError("16-bit TIFF with separate planes or other than unsigned samples")
    samples = decode_deep(data)
    extra = _tag(image, _EXTRA)
    if samples.shape[2] == 4 and extra == _ASSOCIATED:
        alpha = np.maximum(samples[..., 3:], 1).astype(np.float32)
        samples[..., :3] = np.minimum(np.rint(samples[..., :3] * (65535 / alpha)), 65535)
    elif samples.shape[2] == 4 and extra != _UNASSOCIATED:
        samples = samples[..., :3]
    return samples, False


def _cmyk_to_rgb(image: Image.Image) -> Image.Image:
    """Through the embedded profile where there is a usable one, else by the plain formula."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            source, target = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None  # a broken profile says nothing about the pixels
        if converted is not None:
            return converted
    return image.convert("RGB")


def _exif(image: Image.Image) -> tuple[int, bytes | None]:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return 1, _tiff_exif(image)  # both decoders have turned a TIFF upright already
    block = image.info.get("exif")
    if block is None:  # PNG of ImageMagick: the block stands as text in hexadecimal
        found = image.getexif()
        own = {tag for tag in found if tag != 0x0112}
        block = found.tobytes() if own else None
    return upright(block)


def _tiff_exif(image: TiffImagePlugin.TiffImageFile) -> bytes | None:
    source, kept = image.getexif(), Image.Exif()
    for tag in _DESCRIPTIVE:
        if tag in source:
            kept[tag] = source[tag]
    for tag in _SUB_DIRECTORIES:
        directory = source.get_ifd(tag)
        if directory:
            kept.get_ifd(tag).update(directory)
            kept[tag] = 0  # Pillow writes the directory itself in place of this value
    return strip_prefix(kept.tobytes()) if len(kept) else None


def _xmp(image: Image.Image) -> bytes | None:
    block: Any = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if block is None and isinstance(image, TiffImagePlugin.TiffImageFile):
        block = image.tag_v2.get(700)
    if isinstance(block, str):
        block = block.encode()
    return bytes(block) if block else None


def _dpi(image: Image.Image, *, swap: bool) -> tuple[float, float] | None:
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not (0 < x <= _HIGHEST_DPI and 0 < y <= _HIGHEST_DPI):
        return None
    return (y, x) if swap else (x, y)


def _tag(image: Image.Image, tag: int) -> Any:
    """The first value of a TIFF tag, or None (also for every other format)."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return None
    value = image.tag_v2.get(tag)
    return value[0] if isinstance(value, tuple) and value else value
