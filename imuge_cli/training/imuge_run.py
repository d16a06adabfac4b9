"""The training program of the paper's system."""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imuge_cli.attacks.layer import AttackLayer
from imuge_cli.checkpoints import load_weights
from imuge_cli.errors import UsageError
from imuge_cli.models.imuge.family import FAMILY, SIDE, ImugeNetworks
from imuge_cli.models.registry import pick_device
from imuge_cli.networks.backbone import MULTIPLE, Style
from imuge_cli.networks.precision import short_floats
from imuge_cli.training.data import VALIDATION, load_pictures
from imuge_cli.training.finish import write_weights
from imuge_cli.training.imuge_objectives import Weights
from imuge_cli.training.imuge_plan import Mechanisms, Schedule
from imuge_cli.training.imuge_scenes import Figures, draw_scene, validate
from imuge_cli.training.imuge_state import ImugeState
from imuge_cli.training.imuge_step import play
from imuge_cli.training.state import kept, stoppable

_RATE, _BATCH = 2e-4, 8
# The first stage sees an eighth of it, and halves that once more.
_LEAST_SIDE = 128
_SAVE_SECONDS = 120.0
_REPORT = 25
MECHANISMS = {
    "v": "verifier",
    "discriminators": "discriminators",
    "decoupling": "decoupling",
    "progressive": "progressive",
    "sharing": "sharing",
}
"""What --without takes, and what it is called."""


@dataclass(frozen=True)
class _Run:
    minutes: float | None
    batch: int
    out: Path
    seed: int
    device: torch.device
    validate_every: int
    weights: Weights
    side: int


def train_imuge(
    *,
    data: Sequence[Path],
    steps: int | None,
    minutes: float | None = None,
    batch: int | None = None,
    lr: float | None = None,
    resume: bool = False,
    out: Path = Path("imuge-train"),
    seed: int = 0,
    device: str = "auto",
    progress: Callable[[str], None] = print,
    start: Path | None = None,
    limit: int | None = None,
    validate_every: int = 200,
    without: Sequence[str] = (),
    width: int | None = None,
    side: int | None = None,
    gamma: float | None = None,
) -> Path:
    """Train E, V and R as the paper does (Adam, 2e-4, batches of 8); returns the weights file written into `out`.

    steps: of the whole training; stages and decoupling are shares of it. minutes: stop earlier; resume goes on.
    without: mechanisms to leave out, of MECHANISMS. width: channels at full resolution, see `Style`. side: of the
    windows that are shown, pixels, a multiple of 16 from 128 to 256 (default); smaller ones are quicker. gamma: weight
    of what immunizing changes (Eq. 6; the paper's .5 by default). Both may change from run to run. Raises UsageError,
    InputError, DeviceError.
    """
    place = pick_device(device)
    if side is not None and (side % MULTIPLE or not _LEAST_SIDE <= side <= SIDE):
        raise UsageError(f"--side {side}: a multiple of {MULTIPLE} from {_LEAST_SIDE} to {SIDE} is needed")
    weights = Weights() if gamma is None else Weights(gamma=gamma)
    run = _Run(minutes, batch or _BATCH, out, seed, place, validate_every, weights, side or SIDE)
    mechanisms = mechanisms_without(without)
    if resume and width is not None:
        raise UsageError(
            "--width and --resume: the networks that are there have a width of their own; leave --width out"
        )
    if steps is None and not resume:
        raise UsageError("--model imuge: its stages are shares of the whole training; say how long with --steps")
    pictures = load_pictures(data, limit=limit)
    torch.manual_seed(seed)
    if resume:
        state = ImugeState.load(out, lr, place)
        if steps not in (None, state.total) or (without and mechanisms != state.mechanisms):
            raise UsageError(
                f"{out}: this training has {state.total} steps and mechanisms of its own; resume it without --steps "
                "and --without, or start another"
            )
        progress(f"resumed at step {state.step} of {state.total}")
    else:
        networks = _networks(start, mechanisms, width)
        state = ImugeState.begin(networks, mechanisms, steps or 0, lr or _RATE, place)
    progress(f"{len(pictures)} pictures; training {FAMILY} on {place}; batch {run.batch}; {state.total} steps")
    with stoppable():
        _loop(run, state, pictures, progress)
    return _finish(run, state, pictures, progress)


def mechanisms_without(without: Sequence[str]) -> Mechanisms:
    """All mechanisms but some. Raises UsageError."""
    if unknown := [name for name in without if name not in MECHANISMS]:
        raise UsageError(f"--without {unknown[0]}: choose {', '.join(MECHANISMS)}")
    try:
        return replace(Mechanisms(), **dict.fromkeys([MECHANISMS[name] for name in without], False))
    except ValueError as error:
        raise UsageError(f"--without v: {error}; add --without decoupling") from error


def _networks(start: Path | None, mechanisms: Mechanisms, width: int | None) -> ImugeNetworks:
    if start is None:
        shared = (0, 1) if mechanisms.sharing else ()
        if width is None:
            return ImugeNetworks(shared_levels=shared)
        try:
            style = Style(width=width)
        except ValueError as error:
            raise UsageError(f"--width {width}: {error}") from error
        return ImugeNetworks(style, style, style, shared)
    if width is not None:
        raise UsageError("--width and --start: the weights to begin from have a width of their own; leave --width out")
    loaded = load_weights(FAMILY, start)
    return ImugeNetworks.from_tensors(loaded.tensors, loaded.config)


def _loop(run: _Run, state: ImugeState, pictures: Tensor, progress: Callable[[str], None]) -> None:
    schedule = Schedule(state.total, state.mechanisms)
    train, held_out = pictures[VALIDATION:], pictures[:VALIDATION]
    if run.device.type == "cuda":
        train = train.to(run.device)
    attacks = AttackLayer()
    began = saved = time.monotonic()
    values: dict[str, list[float]] = defaultdict(list)
    with kept(state, run.out, progress):
        while state.step < state.total:
            if run.minutes is not None and time.monotonic() - began > run.minutes * 60:
                break
            _step(run, state, schedule, train, attacks, values)
            if state.step % _REPORT == 0:
                recent = ", ".join(f"{name} {np.mean(v[-100:]):.4f}" for name, v in values.items())
                phase = schedule.phase(state.step)
                minutes = (time.monotonic() - began) / 60
                where = f"step {state.step} (stage {phase.stage}, alpha {phase.alpha:.2f})"
                progress(f"{where}: {recent} ({minutes:.1f} min)")
            if state.step % run.validate_every == 0:
                progress(_validated(run, state, held_out).line())
            if time.monotonic() - saved > _SAVE_SECONDS:
                state.save(run.out)
                saved = time.monotonic()
    state.save(run.out)


def _step(
    run: _Run,
    state: ImugeState,
    schedule: Schedule,
    pictures: Tensor,
    attacks: AttackLayer,
    values: dict[str, list[float]],
) -> None:
    scene = draw_scene(pictures, run.seed, run.batch, state.step, run.device, run.side)
    # One seed a step, so that a resumed run draws what an uninterrupted one would have.
    drawn = int(np.random.default_rng([run.seed, state.step, 12]).integers(2**62))
    generator = torch.Generator().manual_seed(drawn)
    state.players.networks.train()
    with short_floats(run.device):
        played = play(
            state.players, scene, schedule.phase(state.step), state.mechanisms, run.weights, attacks, generator
        )
    state.optimizer.zero_grad(set_to_none=True)
    played.loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.players.networks.parameters(), 1.0)
    if state.judges is not None and played.judges is not None:
        # What the others' loss left with the judges is not theirs to learn from.
        state.judges.zero_grad(set_to_none=True)
        played.judges.backward()  # type: ignore[no-untyped-call]
    state.advance()
    for name, value in played.values.items():
        values[name].append(value)


def _validated(run: _Run, state: ImugeState, held_out: Tensor) -> Figures:
    # A copy: whatever ends a validation, the networks that are saved next must be those that learn.
    averaged = copy.deepcopy(state.players.networks)
    averaged.load_state_dict(state.average)
    return validate(averaged, held_out, run.device, state.mechanisms.verifier)


def _finish(run: _Run, state: ImugeState, pictures: Tensor, progress: Callable[[str], None]) -> Path:
    result = _validated(run, state, pictures[:VALIDATION])
    progress(result.line())
    path = write_weights(run.out, FAMILY, state.average, state.players.networks.config, result.flat(), state.step)
    progress(f"weights: {path}")
    return path
