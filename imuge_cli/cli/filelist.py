"""Names of pictures from a file: more of them than a command line holds."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from imuge_cli.cli.pictures import STDIO
from imuge_cli.errors import InputError, UsageError


def named(inputs: Sequence[str] | None, files_from: Path | None) -> list[str]:
    """The inputs, and the names in a file. Raises UsageError where neither names any, InputError where the file cannot
    be read."""
    names = list(inputs or ())
    if files_from is None and not names:
        raise UsageError("no pictures named; name files or folders, or a list of them with --files-from")
    if files_from is not None:
        if files_from == STDIO and str(STDIO) in names:
            raise UsageError("--files-from -: stdin cannot hold both the list and a picture; write the list to a file")
        listed = _read(files_from)
        if not listed:
            raise UsageError(f"--files-from {files_from}: names no pictures")
        names += listed
    return names


def _read(path: Path) -> list[str]:
    """Ended by NUL if there is one in the file, else by line ends; empty ones are left out."""
    try:
        content = sys.stdin.buffer.read() if path == STDIO else path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read the list of pictures ({error.strerror or error})") from error
    names = content.split(b"\0") if b"\0" in content else content.splitlines()
    # As the system has them: names need not be text.
    return [os.fsdecode(name) for name in names if name.strip()]
