"""What S learns from: immunized pictures that were made smaller and brought back, nothing else done to them.

Pictures are immunized in rounds and shown several times (`--reuse`), made smaller anew each time. Everything is drawn
from generators seeded with (seed, step), so that a resumed run sees the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.attacks.mix import TrainingMix
from imuge_cli.lattice.header import CODE_BITS
from imuge_cli.lattice.resampling import DOWN, UP, Resampling, left_open, resample, undo_resampling
from imuge_cli.lattice.transform import BLOCK, analyse, luma
from imuge_cli.models.lattice.carrier import STEPS
from imuge_cli.models.lattice.resolving import resolve
from imuge_cli.models.lattice.sender import send
from imuge_cli.networks.resolver import Resolver
from imuge_cli.training.batches import SIDE, Recipe, carrier_of, draw_originals
from imuge_cli.training.plan import Plan
from imuge_cli.training.state import State

_ROUND_BATCHES = 40
# Of the side: half and .7 are what people ask for; sizes below hardly leave a lattice, above they leave all of it.
_SHARES, _ANY = (0.5, 0.7), (0.31, 0.95)
_ASKED = 0.35
# What OpenCV's users write; else anything, Pillow's more often.
_USUAL, _IS_USUAL = ("area", "cubic"), 0.35
_DOWN_WEIGHTS, _UP_WEIGHTS = (0.25, 0.3, 0.2, 0.1, 0.05, 0.1), (0.35, 0.3, 0.2, 0.15)
# Pixels on a side that are shown. S is not asked for those near the edge: in a picture it sees beyond.
_WINDOW, _EDGE = 128, 16
# Errors are told for squares of so many blocks. Below, grey levels squared: an error so small is as good as none, and
# with one so much larger phases say nothing whatever it is; and what counts of pixels beside phases.
_BLOCKS, _FLOOR, _USELESS, _PIXELS = 4, 1.0, 60.0, 0.4
_VALIDATED = (Resampling(128, 128, "area", "cubic"), Resampling(179, 179, "area", "cubic"))


@dataclass(frozen=True)
class Resampled:
    """sent, undone: N x 3 x H x W, grey levels. open_rows, open_columns: N x H and N x W, see `Resolver`."""

    sent: Tensor
    undone: Tensor
    open_rows: Tensor
    open_columns: Tensor


class ResolverLessons:
    """The lessons of a run of S, from the state's step on. progress is told of every round."""

    def __init__(self, plan: Plan, pictures: Tensor, state: State, progress: Callable[[str], None]) -> None:
        self._plan, self._pictures, self._state, self._progress = plan, pictures, state, progress
        self._begin, self._sent = -1, torch.empty(0)

    def __enter__(self) -> ResolverLessons:
        return self

    def __exit__(self, *_: object) -> None:
        self._sent = torch.empty(0)

    def next(self) -> Resampled:
        """What the state's next step learns from."""
        plan, step = self._plan, self._state.step
        begin = step - step % (_ROUND_BATCHES * plan.reuse)
        if begin != self._begin:
            numbers = range(begin, begin + _ROUND_BATCHES)
            self._sent = torch.cat([_immunized(plan, self._pictures, number) for number in numbers])
            self._begin = begin
            self._progress(f"step {step}: {len(self._sent)} pictures immunized")
        rng = np.random.default_rng([plan.recipe.seed, step, 11])
        chosen = self._sent[torch.from_numpy(rng.integers(0, len(self._sent), plan.recipe.batch))]
        return made_smaller(chosen.to(plan.device).float(), _drawn(rng), rng)


def _immunized(plan: Plan, pictures: Tensor, number: int) -> Tensor:
    """Batch of that number, uint8."""
    rng = np.random.default_rng([plan.recipe.seed, number, 2])
    return _sent(draw_originals(pictures, plan.recipe, number, plan.device), plan.recipe, number, rng).byte().cpu()


def _sent(originals: Tensor, recipe: Recipe, number: int, rng: np.random.Generator) -> Tensor:
    """Immunized under the key of a batch of that number and codes drawn from rng, whole grey levels."""
    device = originals.device
    code = torch.from_numpy(rng.integers(0, 2, (len(originals), CODE_BITS))).to(device)
    immunized, _ = send(carrier_of(recipe, number, device), originals, code, STEPS[recipe.strength])
    return immunized.round().clamp(0, 255)


def _drawn(rng: np.random.Generator) -> Resampling:
    share = float(rng.choice(_SHARES) if rng.random() < _ASKED else rng.uniform(*_ANY))
    down, up = _USUAL
    if rng.random() >= _IS_USUAL:
        down, up = str(rng.choice(DOWN, p=_DOWN_WEIGHTS)), str(rng.choice(UP, p=_UP_WEIGHTS))
    return Resampling(round(SIDE * share), round(SIDE * share), down, up)


def made_smaller(sent: Tensor, resampling: Resampling, rng: np.random.Generator) -> Resampled:
    """Windows of pictures N x 3 x H x W (grey levels) that were resampled; pictures are mirrored and turned first."""
    for axes in ((-1,), (-2,)):
        sent = sent.flip(axes) if rng.random() < 0.5 else sent
    sent = sent.transpose(-1, -2) if rng.random() < 0.5 else sent
    size = (int(sent.shape[-2]), int(sent.shape[-1]))
    undone = undo_resampling(resample(sent, resampling), resampling)
    rows, columns = (t.to(sent.device) for t in left_open(size, resampling))
    parts = []
    for number in range(len(sent)):
        # Whole blocks, in which errors of phases are told.
        top, left = (BLOCK * int(rng.integers(0, (side - _WINDOW) // BLOCK + 1)) for side in size)
        down, across = slice(top, top + _WINDOW), slice(left, left + _WINDOW)
        parts.append((sent[number, :, down, across], undone[number, :, down, across], rows[down], columns[across]))
    return Resampled(*(torch.stack(part) for part in zip(*parts, strict=True)))


def resolver_loss(resolver: Resolver, shown: Resampled) -> Tensor:
    """What is lost of the phases' information, as far as errors tell, and a smaller share for pixels.

    A phase says about minus half the logarithm of its error's variance, and nothing where that is large.
    """
    resolved = resolver(shown.undone, shown.open_rows, shown.open_columns).float()
    inside = (..., slice(_EDGE, -_EDGE), slice(_EDGE, -_EDGE))
    off = (resolved - shown.sent)[inside]
    phases = functional.avg_pool2d(analyse(luma(off)).square().mean(1, keepdim=True), _BLOCKS)
    pixels = functional.avg_pool2d(off.square().mean(1, keepdim=True), _BLOCKS * BLOCK)
    lost = torch.log(phases + _FLOOR) - torch.log(phases + _FLOOR + _USELESS)
    return lost.mean() + _PIXELS * torch.log(pixels + 2 * _FLOOR).mean()


@torch.no_grad()
def validate_resolver(resolver: Resolver, originals: Tensor) -> dict[str, float]:
    """Mean cosine of what phases lie off without S and with it, of pictures N x 3 x 256 x 256 (grey levels)."""
    recipe = Recipe(seed=7, batch=len(originals), mix=TrainingMix())
    sent = _sent(originals, recipe, 0, np.random.default_rng([7, 3]))
    figures = {}
    for resampling in _VALIDATED:
        received = resample(sent, resampling)
        name = f"{resampling.height / SIDE:.1g}"
        for after, told in (
            ("undone", undo_resampling(received, resampling)),
            ("resolved", resolve(resolver, received, resampling)),
        ):
            off = analyse(luma(told - sent)) / STEPS[recipe.strength]
            figures[f"phases {name} {after}"] = float(torch.cos(2 * math.pi * off).mean())
    return figures
