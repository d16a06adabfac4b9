"""Training: shards of photographs in, weights out."""

from __future__ import annotations

from imuge_cli.training.imuge_ablation import run_ablation
from imuge_cli.training.run import run_training

__all__ = ["run_ablation", "run_training"]
