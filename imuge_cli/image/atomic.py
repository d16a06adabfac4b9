"""Writing a file wholly or not at all, and never over another one unasked."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from imuge_cli.errors import OutputError


def write_bytes(path: str | os.PathLike[str], data: bytes, *, force: bool = False) -> None:
    """Write through a temporary file in the same folder: fsync, then move into place.

    Missing folders are made. An existing file is replaced only with `force`; devices and pipes are
    written to directly. Raises OutputError, and then nothing is left behind.
    """
    write_chunks(path, (data,), force=force)


def write_chunks(path: str | os.PathLike[str], chunks: Iterable[bytes], *, force: bool = False) -> None:
    """Like `write_bytes`, for what is too large to be held at once: the chunks are written one after the other."""
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            _write_special(target, chunks)
            return
        _write_regular(Path(os.path.realpath(target)), chunks, force=force)
    except FileExistsError:
        raise OutputError(f"{target}: exists already; use --force to replace it") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{target}: cannot be written ({reason}); choose another place with -o") from error


def _write_special(target: Path, chunks: Iterable[bytes]) -> None:
    if target.is_dir():
        raise OutputError(f"{target}: is a folder, not a file; name a file inside it")
    with target.open("wb") as stream:
        stream.writelines(chunks)


def _write_regular(target: Path, chunks: Iterable[bytes], *, force: bool) -> None:
    if not force and target.exists():
        raise FileExistsError
    if not target.parent.is_dir():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    temporary = target.with_name(f".imuge-{secrets.token_hex(8)}.tmp")
    try:
        # os.open instead of tempfile: the finished file should have the rights the umask asks for.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(handle, "wb") as stream:
            stream.writelines(chunks)
            stream.flush()
            os.fsync(stream.fileno())
        if force:
            os.replace(temporary, target)
        else:
            _move_new(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _move_new(temporary: Path, target: Path) -> None:
    """Move, but fail with FileExistsError where somebody else created the target meanwhile."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except (OSError, AttributeError, NotImplementedError):  # file systems without hard links
        if target.exists():
            raise FileExistsError from None
        os.replace(temporary, target)
