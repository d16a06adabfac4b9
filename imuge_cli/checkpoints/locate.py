"""Where weights are looked for: an explicit path, IMUGE_WEIGHTS, then what came with the package."""

from __future__ import annotations

import os
from pathlib import Path

from imuge_cli.checkpoints.manifest import MANIFEST_NAME
from imuge_cli.errors import WeightsError

ENVIRONMENT_VARIABLE = "IMUGE_WEIGHTS"
_PACKAGE_FOLDER = Path(__file__).resolve().parents[1]


def bundled_candidates() -> tuple[Path, Path]:
    """The folder inside an installed package, and the one beside the package in a checkout."""
    return _PACKAGE_FOLDER / "_weights", _PACKAGE_FOLDER.parent / "weights"


def find_weights(explicit: Path | None = None) -> Path:
    """The folder that holds `manifest.json`, or one safetensors file.

    Looked for in this order: `explicit`, the environment variable IMUGE_WEIGHTS, the folder bundled with the
    package. The first one that is named decides: a wrong path is an error, never skipped in silence, and the
    working directory is never searched. Raises WeightsError.
    """
    if explicit is not None:
        return _existing(explicit, "--weights")
    from_environment = os.environ.get(ENVIRONMENT_VARIABLE)
    if from_environment:
        return _existing(Path(from_environment), ENVIRONMENT_VARIABLE)
    candidates = bundled_candidates()
    for candidate in candidates:
        if os.path.isfile(candidate / MANIFEST_NAME):
            return candidate
    raise WeightsError(
        f"{candidates[0]}: the bundled weights are missing; reinstall imuge, "
        f"or name a folder with --weights or {ENVIRONMENT_VARIABLE}"
    )


def _existing(path: Path, origin: str) -> Path:
    expanded = path.expanduser()
    if not os.path.exists(expanded):
        raise WeightsError(f"{path}: no such file or folder (named by {origin}); correct the path or leave it out")
    return expanded
