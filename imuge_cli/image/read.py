"""Reading: any file a person may hand over -> Picture, or one line that says what is wrong with it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from imuge_cli.errors import InputError
from imuge_cli.image import png
from imuge_cli.image.convert import decode
from imuge_cli.image.picture import Picture
from imuge_cli.image.quiet import quiet_pillow
from imuge_cli.image.sniff import HEAD, READABLE, decodable, sniff

MAX_PIXELS = 200_000_000
# A mask is drawn in a few colours, with soft edges at most: what lies between dark and bright, but for levels that are
# a colour of the drawing by how often they occur, is no more than a quarter of it. Kodak's photographs: .36 to .97.
_DARK, _BRIGHT = 48, 208
_SOFT, _COLOUR = 0.25, 0.02
Source: TypeAlias = str | os.PathLike[str] | BinaryIO


def read_picture(source: Source, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Decode a file or a binary stream (read to its end).

    Returns an upright picture with its metadata. A header that announces more than `max_pixels` is
    refused before anything is decoded. Raises InputError, one line, for everything that can go wrong.
    """
    name = _name(source)
    data, kind = _fetch(source, name)
    with quiet_pillow():
        try:
            return _read(data, kind, name, max_pixels)
        except InputError:
            raise
        except MemoryError:
            raise InputError(f"{name}: not enough memory to decode it; make it smaller first") from None
        # Decoders raise nearly anything on damaged data (struct.error, SyntaxError, KeyError, ...): each
        # of them means the same to whoever handed us the file.
        except Exception as error:
            raise InputError(
                f"{name}: the {kind} data is damaged or unusual ({_reason(error)}); "
                "get an intact copy, or save it as PNG with another program"
            ) from error


def read_mask(source: Source, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.bool_]:
    """A picture file as mask: H x W bool, True (tampered) where any channel is at least half bright.

    Raises InputError also for what cannot be meant as a mask, a photograph or a heat-map say.
    """
    picture = read_picture(source, max_pixels=max_pixels)
    brightest = picture.as_uint8().max(axis=2)
    levels = np.bincount(brightest.ravel(), minlength=256)[_DARK:_BRIGHT] / brightest.size
    if levels[levels < _COLOUR].sum() > _SOFT:
        raise InputError(
            f"{_name(source)}: is no mask but looks like a picture ({levels.sum():.0%} of its pixels are neither dark "
            "nor bright); draw white on black"
        )
    return np.asarray(brightest >= 128)


def _read(data: bytes, kind: str, name: str, max_pixels: int) -> Picture:
    with Image.open(BytesIO(data), formats=[kind]) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise InputError(
                f"{name}: {width} x {height} pixels are more than the limit of {max_pixels:,}; "
                "scale the picture down first"
            )
        # A JPEG of several pictures (MPO: depth map, preview) has one main picture, its first.
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        if frames > 1:
            raise InputError(
                f"{name}: holds {frames} frames or pages, imuge works on single pictures; save one of them as PNG"
            )
        if kind == "PNG":
            png.check_chunks(data)
        sha256 = hashlib.sha256(data).hexdigest()
        return replace(decode(image, data), source_format=kind.lower(), source_sha256=sha256)


def _reason(error: Exception) -> str:
    """One line of what a decoder said; Pillow's word for an unusable header names only an address."""
    if isinstance(error, UnidentifiedImageError):
        return "unusable header"
    return " ".join(str(error).split()) or type(error).__name__


def _fetch(source: Source, name: str) -> tuple[bytes, str]:
    """All bytes of the source and its format; what is no picture is refused before it is read whole."""
    try:
        if isinstance(source, (str, os.PathLike)):
            with open(source, "rb") as stream:
                return _fetch_stream(stream, name)
        return _fetch_stream(source, name)
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; check the name") from None
    except IsADirectoryError:
        raise InputError(
            f"{name}: a folder without pictures of its own; name a file, or use -r to search its subfolders"
        ) from None
    except PermissionError:
        raise InputError(f"{name}: no permission to read it; check the file's rights") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror or error}); check the file") from error
    except ValueError as error:  # a NUL inside the name
        raise InputError(f"{name!r}: no file can be called so ({error}); check the name") from error


def _fetch_stream(stream: BinaryIO, name: str) -> tuple[bytes, str]:
    head = stream.read(HEAD)
    if not head:
        raise InputError(f"{name}: the file is empty; get an intact copy")
    kind = sniff(head)
    if kind is None:
        raise InputError(f"{name}: not a picture imuge can read; use {READABLE}")
    if not decodable(kind):
        hint = "install imuge[heif]" if kind == "HEIF" else f"install a Pillow that reads {kind}"
        raise InputError(f"{name}: {kind} cannot be decoded here; {hint} or save it as PNG")
    return head + stream.read(), kind


def _name(source: Source) -> str:
    if isinstance(source, (str, os.PathLike)):
        return str(Path(source))
    name = getattr(source, "name", None)
    return name if isinstance(name, str) and name != "<stdin>" else "standard input"
