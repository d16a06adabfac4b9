"""Writing: Picture -> file, atomically, saying what the format cannot hold."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imuge_cli.errors import OutputError, UsageError
from imuge_cli.image import png
from imuge_cli.image.atomic import write_bytes
from imuge_cli.image.deep import encode_png16
from imuge_cli.image.picture import Picture, Pixels, channels_equal
from imuge_cli.image.quiet import quiet_pillow
from imuge_cli.image.tiff import encode_tiff

FORMATS = ("bmp", "png", "tiff", "webp", "jpeg")
SUFFIXES = {
    ".bmp": "bmp",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
}
MIN_JPEG_QUALITY = 95
_JPEG_SEGMENT = 65533 - 64  # what one APP segment holds, less the longest name in front of a block
_NAMES = {"webp": "WebP"}
_LONGEST_SIDE = {"jpeg": 65500, "webp": 16383}


@dataclass(frozen=True)
class Encoded:
    """A file's bytes, and one sentence for each thing the format could not hold."""

    data: bytes
    warnings: tuple[str, ...]


def format_of(path: str | os.PathLike[str], format: str | None = None) -> str:
    """The format to write: the one named, else the one of the path's suffix. Raises UsageError."""
    if format is not None:
        name = {"jpg": "jpeg", "tif": "tiff"}.get(format.lower(), format.lower())
        if name not in FORMATS:
            raise UsageError(f"format {format!r} is not known; use one of {', '.join(FORMATS)}")
        return name
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: no format has this ending; use --format or one of {', '.join(SUFFIXES)}")
    return SUFFIXES[suffix]


def write_picture(
    picture: Picture,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    quality: int = MIN_JPEG_QUALITY,
    force: bool = False,
) -> list[str]:
    """Write atomically; returns a sentence for each thing the format cannot hold.

    format: one of FORMATS, default by the path's suffix. quality: JPEG only, 95..100. A picture marked
    grey is written with one channel as long as its three are equal. Raises OutputError (exists without
    `force`, cannot be written, too large for the format) or UsageError (format, quality).
    """
    name = format_of(path, format)
    if not force and os.path.isfile(path):  # before the work of encoding; write_bytes checks once more
        raise OutputError(f"{path}: exists already; use --force to replace it")
    try:
        encoded = encode_picture(picture, name, quality=quality)
    except OutputError as error:
        raise OutputError(f"{path}: {error}") from error
    write_bytes(path, encoded.data, force=force)
    return list(encoded.warnings)


def as_held(picture: Picture, format: str) -> tuple[Picture, list[str]]:
    """The picture with the samples that one of FORMATS can hold, 8 bits a channel and without alpha where it must be,
    and a sentence where samples are rounded for it.

    What is written into single bits must be written into those that the file will have.
    """
    name, lost = format_of("", format), list[str]()
    if name in ("bmp", "jpeg", "webp"):
        picture, lost = _eight_bit(picture)
    if name in ("bmp", "jpeg"):
        picture = replace(picture, alpha=None)
    return picture, list(_sentence(_NAMES.get(name, name.upper()), lost))


def write_mask(mask: NDArray[np.bool_], path: str | os.PathLike[str], *, force: bool = False) -> None:
    """H x W bool -> PNG with one channel, 255 = tampered. Raises OutputError."""
    stream = BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(stream, "PNG", optimize=False)
    write_bytes(path, stream.getvalue(), force=force)


def encode_picture(picture: Picture, format: str, *, quality: int = MIN_JPEG_QUALITY) -> Encoded:
    """Picture -> a file's bytes in one of FORMATS. Raises OutputError or UsageError."""
    name = format_of("", format)
    longest = _LONGEST_SIDE.get(name)
    if longest and max(picture.height, picture.width) > longest:
        raise OutputError(f"{name.upper()} holds at most {longest} pixels a side; use --format png")
    with quiet_pillow():
        if name == "png":
            return _png(picture)
        if name == "tiff":
            return _tiff(picture)
        if name == "webp":
            return _webp(picture)
        if name == "jpeg":
            return _jpeg(picture, quality)
        return _bmp(picture)


def _png(picture: Picture) -> Encoded:
    samples, icc, lost = _samples(picture, grey_alpha=picture.bit_depth == 8)
    encoded = encode_png16(samples) if picture.bit_depth == 16 else _pillow(samples, "PNG")
    data = png.with_metadata(encoded, icc=icc, exif=picture.exif, xmp=picture.xmp, dpi=picture.dpi)
    return Encoded(data, _sentence("PNG", lost, remedy=False))


def _tiff(picture: Picture) -> Encoded:
    samples, icc, lost = _samples(picture, grey_alpha=picture.bit_depth == 8)
    planes = samples if samples.ndim == 3 else samples[..., None]
    kept: dict[str, Any] = {
        "alpha": picture.alpha is not None,
        "icc": icc,
        "xmp": picture.xmp,
        "dpi": picture.dpi,
    }
    try:
        data = encode_tiff(planes, exif=picture.exif, **kept)
    except ValueError:
        lost.append("this EXIF block")
        data = encode_tiff(planes, exif=None, **kept)
    return Encoded(data, _sentence("TIFF", lost))


def _webp(picture: Picture) -> Encoded:
    picture, lost = _eight_bit(picture)
    samples, icc, more = _samples(replace(picture, grey=False), grey_alpha=False)  # WebP has no grey
    options: dict[str, Any] = {"lossless": True, "exact": True, "method": 4, "quality": 75}
    options |= _blocks(icc=icc, exif=picture.exif, xmp=picture.xmp)
    if picture.dpi:
        lost.append("the resolution in dpi")
    return Encoded(_pillow(samples, "WEBP", **options), _sentence("WebP", lost + more))


def _jpeg(picture: Picture, quality: int) -> Encoded:
    if not MIN_JPEG_QUALITY <= quality <= 100:
        raise UsageError(f"JPEG quality {quality} is out of range; use {MIN_JPEG_QUALITY} to 100")
    picture, lost = _eight_bit(picture)
    if picture.alpha is not None:
        lost.append("transparency")
    samples, icc, more = _samples(replace(picture, alpha=None), grey_alpha=False)
    exif, xmp = picture.exif, picture.xmp
    if exif and len(exif) > _JPEG_SEGMENT:
        exif = None
        more.append("EXIF of more than 64 KiB")
    if xmp and len(xmp) > _JPEG_SEGMENT:
        xmp = None
        more.append("XMP of more than 64 KiB")
    options: dict[str, Any] = {"quality": quality, "subsampling": 0, "optimize": True}
    options |= _blocks(icc=icc, exif=exif, xmp=xmp, dpi=picture.dpi)
    return Encoded(_pillow(samples, "JPEG", **options), _sentence("JPEG", [*lost, *more, "pixels exactly"]))


def _bmp(picture: Picture) -> Encoded:
    eight, lost = _eight_bit(picture)
    held = {
        "transparency": picture.alpha,
        "the ICC profile": picture.icc,
        "EXIF": picture.exif,
        "XMP": picture.xmp,
    }
    lost += [what for what, value in held.items() if value is not None]
    samples, _, _ = _samples(replace(eight, alpha=None, icc=None), grey_alpha=False)
    return Encoded(_pillow(samples, "BMP", **_blocks(dpi=picture.dpi)), _sentence("BMP", lost))


def _samples(picture: Picture, *, grey_alpha: bool) -> tuple[Pixels, bytes | None, list[str]]:
    """What to encode: H x W (grey) or H x W x 2, 3, 4; the profile that fits; and what does not fit.

    grey_alpha: whether the encoder takes grey with alpha as two channels.
    """
    pixels, alpha, icc = picture.pixels, picture.alpha, picture.icc
    grey_profile = icc is not None and icc[16:20] == b"GRAY"
    single = picture.grey and (icc is None or grey_profile) and (alpha is None or grey_alpha)
    if single and channels_equal(pixels):
        grey = np.ascontiguousarray(pixels[..., 0])
        return (grey if alpha is None else np.dstack([grey, alpha])), icc, []
    lost = ["the profile for grey in a picture with colour"] if grey_profile else []
    samples = np.ascontiguousarray(pixels) if alpha is None else np.dstack([pixels, alpha])
    return samples, None if grey_profile else icc, lost


def _eight_bit(picture: Picture) -> tuple[Picture, list[str]]:
    if picture.bit_depth == 8:
        return picture, []
    return picture.with_pixels(picture.as_uint8()), ["16 bit per channel (rounded to 8)"]


def _pillow(samples: Pixels, name: str, **options: Any) -> bytes:
    stream = BytesIO()
    try:
        Image.fromarray(samples).save(stream, name, **options)
    except (OSError, ValueError, MemoryError) as error:
        raise OutputError(f"{name} cannot hold this picture ({error}); use --format png") from error
    return stream.getvalue()


def _blocks(
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Pillow's names for metadata, without what is not there (Pillow does not take None everywhere)."""
    named = {"icc_profile": icc, "exif": b"Exif\x00\x00" + exif if exif else None, "xmp": xmp, "dpi": dpi}
    return {name: value for name, value in named.items() if value}


def _sentence(name: str, lost: list[str], *, remedy: bool = True) -> tuple[str, ...]:
    if not lost:
        return ()
    hint = "; use --format png to keep it all" if remedy else ""
    return (f"{name} cannot hold {', '.join(lost)}{hint}",)
