"""Writing weights: 16-bit floats, the hash in the name, the manifest last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imuge_cli.checkpoints.manifest import (
    MANIFEST_NAME,
    METADATA_KEY,
    Manifest,
    WeightsEntry,
    read_manifest,
    valid_family,
    write_atomically,
    write_manifest,
)
from imuge_cli.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor


def save_weights(
    folder: Path,
    family: str,
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    figures: Mapping[str, Any],
    *,
    training_steps: int = 0,
) -> Path:
    """Write `<family>-<hash8>.safetensors` and enter it in the folder's manifest; returns the file's path.

    Floating-point tensors are stored as float16, others as they are. The order (file, manifest, then removal
    of the family's older file) leaves a usable folder wherever it is interrupted.
    Raises WeightsError: a number no 16-bit float can hold, nothing to save, a folder that cannot be written.
    """
    valid_family(family)
    if not tensors:
        raise WeightsError(f"{family}: there are no tensors to save")
    compact = {name: _compact(name, tensor) for name, tensor in tensors.items()}
    content = _encode(compact, family, config)
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error
    path = folder / f"{family}-{sha256[:8]}.safetensors"
    manifest = read_manifest(folder) if (folder / MANIFEST_NAME).is_file() else Manifest()
    entry = WeightsEntry(
        family=family,
        file=path.name,
        sha256=sha256,
        size=len(content),
        dtype="float16",
        tensors=len(compact),
        parameters=sum(tensor.numel() for tensor in compact.values()),
        created=datetime.now(timezone.utc).date().isoformat(),
        training_steps=training_steps,
        config=dict(config),
        figures=dict(figures),
    )
    write_atomically(path, content)
    write_manifest(folder, manifest.with_entry(entry))
    _remove_older(folder, manifest.families.get(family), path)
    return path


def _compact(name: str, tensor: Tensor) -> Tensor:
    import torch

    tensor = tensor.detach().to("cpu")
    if not tensor.is_floating_point():
        return tensor.contiguous().clone()
    if not bool(torch.isfinite(tensor).all()):
        raise WeightsError(f"{name}: holds numbers that are not finite; these weights are not worth saving")
    half = tensor.to(torch.float16)
    if not bool(torch.isfinite(half).all()):
        raise WeightsError(f"{name}: holds numbers beyond 65504, which 16-bit floats cannot; rescale this layer")
    return half.contiguous().clone()  # safetensors refuses tensors that share their memory


def _encode(tensors: dict[str, Tensor], family: str, config: Mapping[str, Any]) -> bytes:
    from safetensors.torch import save

    # One key only, its JSON sorted: safetensors keeps several keys in no fixed order, and the same tensors
    # must give the same bytes, and so the same name.
    description = json.dumps({"family": family, "config": dict(config)}, sort_keys=True)
    return save(tensors, metadata={METADATA_KEY: description})


def _remove_older(folder: Path, older: WeightsEntry | None, path: Path) -> None:
    if older is not None and older.file != path.name:
        (folder / older.file).unlink(missing_ok=True)
