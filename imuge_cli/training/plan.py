"""What one training run does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from imuge_cli.attacks.mix import TrainingMix
from imuge_cli.training.batches import Recipe


@dataclass(frozen=True)
class Plan:
    """nets: in the order v, r, e, or s alone. minutes or steps end the run, whichever comes first. rate: of learning,
    at its peak.

    reuse: how often an example is learned from; above 1, examples are prepared in rounds, see `lessons`. adversarial:
    weight of what a discriminator says of R's pictures, see `adversary`; 0: there is none.
    """

    nets: tuple[str, ...]
    minutes: float | None
    steps: int | None
    rate: float
    out: Path
    recipe: Recipe
    device: torch.device
    validate_every: int
    reuse: int = 1
    adversarial: float = 0.0


def recipe_for(nets: Sequence[str], seed: int, batch: int) -> Recipe:
    """How a run's batches are drawn. Without V nothing stays untampered: where nothing was lost R learns nothing."""
    recipe = Recipe(seed=seed, batch=batch, mix=TrainingMix())
    return recipe if "v" in nets else replace(recipe, untampered=0.0, untampered_rescaled=0.0)
