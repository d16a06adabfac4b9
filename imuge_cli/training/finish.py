"""The end of a run: its weights, and what they reach."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from imuge_cli.checkpoints import save_weights

FIGURES_FILE = "validation.json"


def write_weights(
    out: Path,
    family: str,
    average: Mapping[str, Tensor],
    config: Mapping[str, object],
    figures: Mapping[str, float],
    step: int,
) -> Path:
    """Write averaged weights with their figures into `out`, and the figures beside them; returns the weights file."""
    rounded = {name: round(value, 4) for name, value in figures.items()}
    tensors = {name: tensor.cpu() for name, tensor in average.items()}
    path = save_weights(out, family, tensors, config, rounded, training_steps=step)
    (out / FIGURES_FILE).write_text(json.dumps({"step": step, **rounded}, indent=1) + "\n")
    return path
