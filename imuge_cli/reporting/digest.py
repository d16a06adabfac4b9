"""Fingerprints of files for reports."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from imuge_cli.errors import InputError

_PIECE = 1 << 20  # bytes read at a time
_STREAM = "-"


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Hex SHA-256 of a file, read in pieces. Raises InputError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise InputError(
            f"{Path(path)}: cannot be read to compute its SHA-256 ({error.strerror or error}); check the file"
        ) from error
    return digest.hexdigest()


def sha256_of_outputs(outputs: Mapping[str, str]) -> dict[str, str]:
    """Kind of output -> SHA-256 of its file, as it lies on the disk; what went to standard output is left out.

    outputs: kind -> path, as reports have them. Raises InputError where a file cannot be read.
    """
    return {kind: sha256_of(path) for kind, path in outputs.items() if path != _STREAM}
