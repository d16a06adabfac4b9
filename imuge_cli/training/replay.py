"""Rounds: examples prepared together, and shown in other windows and orientations each time.

Drafts depend on V, so a round's examples are as V was when it began. A round in work lies beside the state, so that
a resumed run sees the same examples.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imuge_cli.lattice.transform import BLOCK, SLOTS
from imuge_cli.training.examples import Examples, join

ROUND_FILE = "round.pt"
WINDOW = 160
# Windows begin at multiples of this, so that blocks and V's levels stay whole.
_ALIGNED = 16


@dataclass(frozen=True)
class Round:
    """Examples and the step at which their round began."""

    begin: int
    examples: Examples

    def save(self, folder: Path) -> None:
        """Write the round atomically."""
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{ROUND_FILE}.tmp"
        torch.save({"begin": self.begin, **vars(self.examples)}, temporary)
        os.replace(temporary, folder / ROUND_FILE)

    @staticmethod
    def load(folder: Path, begin: int) -> Round | None:
        """The round of that beginning, if it lies there."""
        try:
            saved = torch.load(folder / ROUND_FILE, map_location="cpu", weights_only=True)
            if saved.pop("begin") != begin:
                return None
            return Round(begin, Examples(**saved))
        except (OSError, EOFError, RuntimeError, LookupError, TypeError, pickle.UnpicklingError):
            return None

    def draw(self, step: int, count: int, seed: int, device: torch.device) -> Examples:
        """The examples of one step, turned, as windows of 160 x 160 px.

        Every example comes once before any comes again.
        """
        total = len(self.examples)
        numbers = range((step - self.begin) * count, (step - self.begin + 1) * count)
        orders = {n // total: np.random.default_rng([seed, self.begin, 6, n // total]) for n in numbers}
        shuffled = {lap: order.permutation(total) for lap, order in orders.items()}
        rng = np.random.default_rng([seed, step, 7])
        return join(_shown(self.examples, int(shuffled[n // total][n % total]), rng, device) for n in numbers)


def _shown(examples: Examples, number: int, rng: np.random.Generator, device: torch.device) -> Examples:
    """One example through a window, mirrored and turned."""
    height, width = examples.suspect.shape[-2:]
    top, left = _corner(examples.told[number, 0] | examples.mask[number, 0], rng)
    pixels = (..., slice(top, min(height, top + WINDOW)), slice(left, min(width, left + WINDOW)))
    blocks = (..., *(slice(s.start // BLOCK, s.stop // BLOCK) for s in pixels[1:]))
    dimensions = [d for d in (-1, -2) if rng.random() < 0.5]
    turned = rng.random() < 0.5
    shown = {}
    for field in fields(Examples):
        tensor = getattr(examples, field.name)[number : number + 1]
        if tensor.ndim > 1:
            evidence = field.name in ("first", "later")
            tensor = tensor[blocks if evidence else pixels].flip(dimensions)
            if turned:
                tensor = _turn_evidence(tensor) if evidence else tensor.transpose(-1, -2)
        shown[field.name] = tensor.to(device)
    return Examples(**shown)


def _turn_evidence(evidence: Tensor) -> Tensor:
    """Rows for columns: the slot of row frequency u and column frequency v becomes the one of v and u."""
    places = [SLOTS.index((v, u)) for u, v in SLOTS]
    order = [*places, *range(len(SLOTS), evidence.shape[-3])]
    return evidence[..., order, :, :].transpose(-1, -2)


def _corner(wanted: Tensor, rng: np.random.Generator) -> tuple[int, int]:
    """Upper left corner of a window around a random pixel of an H x W mask; one in four lies anywhere."""
    height, width = wanted.shape
    places = wanted.flatten().nonzero()[:, 0]
    if rng.random() < 0.25:
        places = places[:0]
    place = int(places[int(rng.integers(len(places)))]) if len(places) else int(rng.integers(height * width))
    corner = []
    for at, side in ((place // width, height), (place % width, width)):
        begin = at - int(rng.integers(WINDOW // 8, WINDOW - WINDOW // 8))
        begin = min(max(begin, 0), max(0, side - WINDOW))
        corner.append(begin // _ALIGNED * _ALIGNED)
    return corner[0], corner[1]
