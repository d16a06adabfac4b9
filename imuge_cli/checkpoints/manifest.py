"""The manifest: which file holds which family, what it must hash to, and how the network in it is built."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from imuge_cli.errors import WeightsError

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 1
METADATA_KEY = "imuge"  # in a safetensors file's header: {"family": ..., "config": ...} as JSON
_FAMILY = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")


@dataclass(frozen=True)
class WeightsEntry:
    """One family's line in the manifest.

    file: plain name inside the manifest's folder, `<family>-<first 8 digits of the sha256>.safetensors`.
    size: bytes. dtype: of the floating-point tensors, e.g. "float16". parameters: numbers in all tensors.
    config: whatever the family needs to build its network. created: ISO 8601 date. figures: measured quality.
    """

    family: str
    file: str
    sha256: str
    size: int
    dtype: str
    tensors: int
    parameters: int
    created: str
    training_steps: int
    config: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """All families of one folder, by name."""

    families: Mapping[str, WeightsEntry] = field(default_factory=dict)
    version: int = MANIFEST_VERSION

    def with_entry(self, entry: WeightsEntry) -> Manifest:
        """The same manifest with one family added or replaced."""
        return Manifest({**self.families, entry.family: entry}, self.version)


def valid_family(family: str) -> str:
    """`family` itself, if it can be part of a file name: lower case, digits, - and _. Raises WeightsError."""
    if not _FAMILY.fullmatch(family):
        raise WeightsError(f"{family!r}: no name for a family of weights; use lower-case letters, digits, - and _")
    return family


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder. Raises WeightsError where it is missing, no JSON, or of another version."""
    path = folder / MANIFEST_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no manifest here; name a folder made by 'imuge train', or reinstall") from error
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path}: cannot read the manifest ({error}); reinstall imuge or restore the file"
        ) from error
    return _parse(document, path)


def _parse(document: Any, path: Path) -> Manifest:
    version = document.get("version") if isinstance(document, dict) else None
    if version != MANIFEST_VERSION:
        raise WeightsError(
            f"{path}: manifest version {version}, but this imuge reads version {MANIFEST_VERSION}; "
            "use the weights of this release"
        )
    families = {}
    try:
        for family, fields in document["families"].items():
            families[family] = WeightsEntry(family=valid_family(family), **fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise WeightsError(f"{path}: a damaged entry ({error}); reinstall imuge or restore the file") from error
    for entry in families.values():
        if Path(entry.file).name != entry.file or not entry.file:
            raise WeightsError(f"{path}: {entry.file!r} is no plain file name; restore the manifest")
    return Manifest(families, version)


def write_manifest(folder: Path, manifest: Manifest) -> Path:
    """Replace the folder's manifest in one step: readers see the old one or the new one."""
    families = {}
    for family, entry in sorted(manifest.families.items()):
        fields = asdict(entry)
        del fields["family"]
        families[family] = fields
    text = json.dumps({"version": manifest.version, "families": families}, indent=2, allow_nan=False)
    path = folder / MANIFEST_NAME
    write_atomically(path, (text + "\n").encode("utf-8"))
    return path


def write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary file beside `path`, flush it to disk, move it into place. Raises WeightsError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise WeightsError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
