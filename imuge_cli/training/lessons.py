"""What each step learns from: examples of a batch of its own, or of a round that many steps share."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.receiver import Draft
from imuge_cli.training.batches import Batch, carrier_of, make_batch
from imuge_cli.training.examples import Examples, join, prepare
from imuge_cli.training.objectives import through_channel, told_mask
from imuge_cli.training.plan import Plan
from imuge_cli.training.replay import Round
from imuge_cli.training.state import State

_ROUND_BATCHES = 40


@dataclass(frozen=True)
class Lesson:
    """examples: what is shown. drafted: their last drafts as a function of E, N x 3 x H x W, where E learns."""

    examples: Examples
    drafted: Tensor | None = None


class Lessons:
    """The lessons of a run, from the state's step on. progress is told of every round."""

    def __init__(self, plan: Plan, pictures: Tensor, state: State, progress: Callable[[str], None]) -> None:
        self._plan, self._state, self._progress = plan, state, progress
        self._pool = ThreadPoolExecutor()
        self._batches = _Prefetch(plan, pictures, state, self._pool)
        self._round: Round | None = None

    def __enter__(self) -> Lessons:
        return self

    def __exit__(self, *_: object) -> None:
        self._batches.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def next(self) -> Lesson:
        """What the state's next step learns from."""
        plan, state = self._plan, self._state
        if plan.reuse > 1:
            begin = state.step - state.step % (_ROUND_BATCHES * plan.reuse)
            if self._round is None or self._round.begin != begin:
                self._round = Round.load(plan.out, begin) or self._new_round(begin)
            return Lesson(self._draw(self._round))
        batch = self._batches.next()
        examples, solution = self._prepared(batch, state.step)
        if "e" in plan.nets:
            # Not through windows: what E sends of a picture depends on all of it.
            return Lesson(examples, through_channel(state.networks, batch.carrier, batch.content, solution))
        return Lesson(self._draw(Round(state.step, examples)))

    def _draw(self, shared: Round) -> Examples:
        return shared.draw(self._state.step, self._plan.recipe.batch, self._plan.recipe.seed, self._plan.device)

    def _new_round(self, begin: int) -> Round:
        began = time.monotonic()
        # Side by side with a thread each: a batch alone leaves cores idle between its many small operations.
        workers = torch.get_num_threads() if self._plan.device.type == "cpu" else 1
        alone = partial(torch.set_num_threads, 1) if workers > 1 else None
        with ThreadPoolExecutor(workers, initializer=alone) as side_by_side:
            # Numbered like the steps of the round, so that no two rounds or runs draw the same.
            numbers = range(begin, begin + _ROUND_BATCHES)
            made = Round(begin, join(side_by_side.map(lambda n: self._prepared(self._batches.make(n), n)[0], numbers)))
        made.save(self._plan.out)
        seconds = time.monotonic() - began
        self._progress(f"step {self._state.step}: {len(made.examples)} examples prepared in {seconds:.0f} s")
        return made

    def _prepared(self, batch: _Batch, number: int) -> tuple[Examples, Draft]:
        told = told_mask(batch.content, np.random.default_rng([self._plan.recipe.seed, number, 5]))
        return prepare(self._state.networks, batch.carrier, batch.content, told, recover="r" in self._plan.nets)


@dataclass(frozen=True)
class _Batch:
    carrier: Carrier
    content: Batch


class _Prefetch:
    """Makes the next batches in a thread while the current one is learned from.

    On CUDA only; a CPU has no time to spare.
    """

    def __init__(self, plan: Plan, pictures: Tensor, state: State, pool: ThreadPoolExecutor) -> None:
        self._plan, self._pictures, self._pool = plan, pictures, pool
        self._step, self._encoder, self._resolver = state.step, state.networks.encoder, state.networks.resolver
        # An encoder that learns must make each batch itself, after the step before.
        self._ahead = 3 if plan.device.type == "cuda" and self._encoder is None else 0
        self._maker = ThreadPoolExecutor(1)
        self._waiting: list[Future[_Batch]] = []

    def close(self) -> None:
        """Wait for the batch in work; those not begun are dropped."""
        self._maker.shutdown(wait=True, cancel_futures=True)

    def next(self) -> _Batch:
        """The next batch."""
        if not self._ahead:
            self._step += 1
            return self.make(self._step - 1)
        while len(self._waiting) < self._ahead:
            self._waiting.append(self._maker.submit(self.make, self._step))
            self._step += 1
        return self._waiting.pop(0).result()

    def make(self, step: int) -> _Batch:
        """Batch number `step`, made now."""
        recipe, device = self._plan.recipe, self._plan.device
        with torch.no_grad():
            made = make_batch(self._pictures, recipe, step, device, self._pool, self._encoder, self._resolver)
            return _Batch(carrier_of(recipe, step, device), made)
