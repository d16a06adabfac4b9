"""Pictures from files or stdin, to files or stdout."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imuge_cli.cli.console import Console
from imuge_cli.errors import InputError, OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imuge_cli.image.picture import Picture

STDIO = Path("-")


def read(path: Path) -> Picture:
    """Read a picture; `-` is stdin. Raises InputError."""
    from imuge_cli.image.read import read_picture

    if path != STDIO:
        return read_picture(path)
    content = sys.stdin.buffer.read()
    if not content:
        raise InputError("stdin: is empty; pipe a picture in, or name a file")
    return read_picture(io.BytesIO(content))


def format_for(path: Path, format: str | None) -> str:
    """What `write` writes. Raises UsageError."""
    from imuge_cli.image.write import format_of

    return format or "bmp" if path == STDIO else format_of(path, format)


def write(
    picture: Picture, path: Path, *, console: Console, format: str | None = None, force: bool = False
) -> tuple[str, ...]:
    """Write a picture; `-` is stdout (BMP where no format is named). Returns what the format could not hold.

    Raises OutputError or UsageError.
    """
    from imuge_cli.image.write import encode_picture, write_picture

    if path != STDIO:
        return tuple(write_picture(picture, path, format=format, force=force))
    encoded = encode_picture(picture, format_for(path, format))
    console.data_bytes(encoded.data)
    return encoded.warnings


def write_pixels(pixels: NDArray[Any], path: Path, *, console: Console, force: bool = False) -> None:
    """Write an H x W x 3 RGB uint8 array in the format the path's name asks for (stdout: PNG)."""
    from imuge_cli.image.picture import Picture

    write(Picture(pixels=pixels), path, console=console, format="png" if path == STDIO else None, force=force)


def write_bytes(content: bytes, path: Path, *, console: Console, force: bool = False) -> None:
    """Write a file that is encoded already. Raises OutputError."""
    from imuge_cli.image.atomic import write_bytes as write_file

    if path == STDIO:
        console.data_bytes(content)
    else:
        write_file(path, content, force=force)


def require_free(path: Path, *, force: bool) -> None:
    """Raises OutputError where a file is in the way, before any work is done for it."""
    if path != STDIO and os.path.exists(path) and not force:
        raise OutputError(f"{path}: exists already; use --force to replace it, or name another file")
