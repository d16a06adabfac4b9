"""Network weights on disk: safetensors files, each with its sha256 in a manifest beside them."""

from __future__ import annotations

from imuge_cli.checkpoints.check import WeightsCheck, check_weights, list_weights
from imuge_cli.checkpoints.load import LoadedWeights, load_weights
from imuge_cli.checkpoints.locate import find_weights
from imuge_cli.checkpoints.manifest import MANIFEST_NAME, Manifest, WeightsEntry, read_manifest
from imuge_cli.checkpoints.save import save_weights

__all__ = [
    "MANIFEST_NAME",
    "LoadedWeights",
    "Manifest",
    "WeightsCheck",
    "WeightsEntry",
    "check_weights",
    "find_weights",
    "list_weights",
    "load_weights",
    "read_manifest",
    "save_weights",
]
