"""Reading weights, never without checking what they hash to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imuge_cli.checkpoints.locate import find_weights
from imuge_cli.checkpoints.manifest import (
    MANIFEST_NAME,
    METADATA_KEY,
    WeightsEntry,
    read_manifest,
    valid_family,
)
from imuge_cli.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class LoadedWeights:
    """One family, ready for `load_state_dict`.

    tensors: by parameter name, on the CPU; floating-point ones as float32 whatever the file stores.
    config: what the network is built from. sha256: of the file, for reports.
    """

    tensors: dict[str, Tensor]
    config: Mapping[str, Any]
    sha256: str
    path: Path


def load_weights(family: str, explicit: Path | None = None) -> LoadedWeights:
    """Load one family from the folder or file `find_weights(explicit)` gives.

    A file that no manifest beside it names is checked against the hash in its own name. Raises WeightsError
    where the family or file is missing, the sha256 differs, or the content is no safetensors file.
    """
    valid_family(family)
    found = find_weights(explicit)
    if found.is_dir():
        entry = _entry(family, found)
        return _load(found / entry.file, entry.sha256, entry.config)
    listed = _listed(found)
    if listed is None:
        return _load_unlisted(family, found)
    if listed.family != family:
        raise WeightsError(f"{found}: holds the family '{listed.family}', but '{family}' is asked for")
    return _load(found, listed.sha256, listed.config)


def _entry(family: str, folder: Path) -> WeightsEntry:
    families = read_manifest(folder).families
    if family not in families:
        known = ", ".join(sorted(families)) or "none"
        raise WeightsError(f"{folder}: no weights for '{family}' (there: {known}); train them with 'imuge train'")
    return families[family]


def _listed(path: Path) -> WeightsEntry | None:
    if not (path.parent / MANIFEST_NAME).is_file():
        return None
    entries = read_manifest(path.parent).families.values()
    return next((entry for entry in entries if entry.file == path.name), None)


def _load(path: Path, expected: str, config: Mapping[str, Any]) -> LoadedWeights:
    content = _read(path)
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise _mismatch(path, expected, found)
    tensors, _ = _decode(path, content)
    return LoadedWeights(tensors, config, found, path)


def _load_unlisted(family: str, path: Path) -> LoadedWeights:
    content = _read(path)
    found = hashlib.sha256(content).hexdigest()
    name, _, digits = path.stem.rpartition("-")
    if name != family or len(digits) != 8:
        raise WeightsError(
            f"{path}: neither a {MANIFEST_NAME} beside it nor its name says that it holds '{family}'; "
            f"expected {family}-<8 digits of its sha256>.safetensors"
        )
    if not found.startswith(digits):
        raise _mismatch(path, f"{digits}...", found)
    tensors, metadata = _decode(path, content)
    try:
        config = json.loads(metadata[METADATA_KEY])["config"]
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: does not say how its network is built; use the file with its manifest") from error
    return LoadedWeights(tensors, config, found, path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot read the weights ({error.strerror}); reinstall imuge") from error


def _mismatch(path: Path, expected: str, found: str) -> WeightsError:
    return WeightsError(
        f"{path}: the weights are not what they should be: expected sha256 {expected}, found {found}; "
        "the file is damaged or was replaced: reinstall imuge or copy the file again"
    )


def _decode(path: Path, content: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(content)
        metadata = _metadata(content)
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"{path}: no safetensors file ({error}); reinstall imuge or copy it again") from error
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}, metadata


def _metadata(content: bytes) -> dict[str, str]:
    """The header's free strings. A safetensors file opens with the header's length (8 bytes) and JSON."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return dict(header.get("__metadata__", {}))
