"""What weights there are, and whether they are what the manifest says. Needs no torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imuge_cli.checkpoints.locate import find_weights
from imuge_cli.checkpoints.manifest import WeightsEntry, read_manifest
from imuge_cli.errors import WeightsError

Status = Literal["intact", "missing", "damaged"]
_CHUNK = 1 << 20


@dataclass(frozen=True)
class WeightsCheck:
    """One family's file against its manifest entry. found: sha256 of the file, None where it is missing."""

    entry: WeightsEntry
    path: Path
    status: Status
    found: str | None


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, read in pieces. Raises WeightsError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise WeightsError(f"{path}: cannot read the weights ({error.strerror}); reinstall imuge") from error
    return digest.hexdigest()


def weights_folder(explicit: Path | None = None) -> Path:
    """The folder of `find_weights`; of a single file, the folder it lies in."""
    found = find_weights(explicit)
    return found if found.is_dir() else found.parent


def list_weights(explicit: Path | None = None) -> list[WeightsEntry]:
    """Manifest entries, sorted by family. Raises WeightsError."""
    families = read_manifest(weights_folder(explicit)).families
    return [families[family] for family in sorted(families)]


def check_weights(explicit: Path | None = None) -> list[WeightsCheck]:
    """Hash every file the manifest names. Raises WeightsError only where there is no usable manifest."""
    folder = weights_folder(explicit)
    return [_check(folder, entry) for entry in list_weights(explicit)]


def _check(folder: Path, entry: WeightsEntry) -> WeightsCheck:
    path = folder / entry.file
    if not path.is_file():
        return WeightsCheck(entry, path, "missing", None)
    found = sha256_of(path)
    return WeightsCheck(entry, path, "intact" if found == entry.sha256 else "damaged", found)
