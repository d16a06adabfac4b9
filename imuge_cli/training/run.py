"""The training program."""

from __future__ import annotations

import copy
import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from imuge_cli.attacks.mix import TrainingMix
from imuge_cli.checkpoints import load_weights
from imuge_cli.errors import UsageError
from imuge_cli.models.imuge.family import FAMILY as IMUGE
from imuge_cli.models.lattice.family import FAMILY, LatticeNetworks
from imuge_cli.models.registry import pick_device
from imuge_cli.networks.precision import short_floats
from imuge_cli.training.adversary import Adversary
from imuge_cli.training.batches import Recipe, draw_originals
from imuge_cli.training.data import VALIDATION, load_pictures
from imuge_cli.training.finish import write_weights
from imuge_cli.training.imuge_run import train_imuge
from imuge_cli.training.lessons import Lesson, Lessons
from imuge_cli.training.objectives import recovered_by, recoverer_loss, verifier_loss
from imuge_cli.training.plan import Plan, recipe_for
from imuge_cli.training.resolving import Resampled, ResolverLessons, resolver_loss, validate_resolver
from imuge_cli.training.state import Saved, State, kept, stoppable
from imuge_cli.training.statistics import measure_statistics
from imuge_cli.training.validation import validate

ENCODER_WIDTHS = (16, 32, 48, 64, 96, 128)
RESOLVER = (48, 6)
_NETS = ("v", "r", "e", "s")
_WARM_UP = 100
_SAVE_SECONDS = 120.0
# Share of the steps in which R learns from drafts in which it had its say.
_AGAIN = 0.5


def run_training(
    *,
    data: Sequence[Path],
    nets: Sequence[str] = (),
    minutes: float | None = None,
    steps: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    resume: bool = False,
    out: Path = Path("imuge-train"),
    seed: int = 0,
    model: str = FAMILY,
    device: str = "auto",
    progress: Callable[[str], None] = print,
    start: Path | None = None,
    limit: int | None = None,
    validate_every: int = 200,
    reuse: int = 1,
    adversarial: float = 0.0,
    without: Sequence[str] = (),
    width: int | None = None,
    side: int | None = None,
    gamma: float | None = None,
) -> Path:
    """Train V and R of the default family, or the paper's system; returns the weights file written into `out`.

    nets: "v", "r" or both (default); "e" adds the learned symbols of way C to "r"; "s", alone, is what tells what
    pictures showed before they were made smaller. start: weights to
    begin from. resume: go on from the state in `out`, with the networks saved there; start is not needed.
    limit: use that many pictures only. reuse: how often an example is learned from; above 1, batches are
    prepared in rounds and shown in windows (see `replay`), which learns faster where preparing is slow. adversarial:
    how much R is to mind what a discriminator takes for not genuine; 0: nothing. without: mechanisms of the paper to
    leave out, width of its networks, side of the windows that they learn from, and gamma of Eq. 6: see `imuge_run`.
    Raises UsageError, InputError, DeviceError.
    """
    if model == IMUGE:
        if nets or reuse > 1 or adversarial:
            raise UsageError(
                "--model imuge: E, V and R learn together, as in the paper; leave out --net, --reuse and --adversarial"
            )
        return train_imuge(
            data=data,
            steps=steps,
            minutes=minutes,
            batch=batch,
            lr=lr,
            resume=resume,
            out=out,
            seed=seed,
            device=device,
            progress=progress,
            start=start,
            limit=limit,
            validate_every=validate_every,
            without=without,
            width=width,
            side=side,
            gamma=gamma,
        )
    if without or (width, side, gamma) != (None, None, None):
        raise UsageError("--without, --width, --side, --gamma: they are of --model imuge; leave them out, or name it")
    if model != FAMILY:
        raise UsageError(f"--model {model}: this version trains '{FAMILY}' and '{IMUGE}'")
    if unknown := set(nets) - set(_NETS):
        raise UsageError(
            f"--net {sorted(unknown)[0]}: choose v (verifier), r (recoverer), e (encoder, with r) "
            "or s (resolver, alone)"
        )
    # In one order, however they were named: the optimizer's state knows its parameters by their place alone.
    chosen = tuple(n for n in _NETS if n in nets) or ("v", "r")
    if "e" in chosen and "r" not in chosen:
        raise UsageError("--net e: the encoder learns through the recoverer; add --net r")
    if "s" in chosen and len(chosen) > 1:
        raise UsageError("--net s: the resolver learns from other pictures than the rest; train it by itself")
    if reuse > 1 and "e" in chosen:
        raise UsageError(
            "--reuse: the encoder changes what is sent, so nothing prepared can be used again; leave it out"
        )
    if adversarial and "r" not in chosen:
        raise UsageError("--adversarial: a discriminator judges what R recovers; add --net r, or leave it out")
    place = pick_device(device)
    recipe = recipe_for(chosen, seed, batch or (64 if place.type == "cuda" else 8))
    plan = Plan(chosen, minutes, steps, lr or 1e-3, out, recipe, place, validate_every, reuse, adversarial)
    pictures = load_pictures(data, limit=limit)
    progress(f"{len(pictures)} pictures; training {'+'.join(chosen)} on {place}; batch {recipe.batch}")
    state = _begin(plan, pictures, resume, start, progress)
    with stoppable():
        _loop(plan, state, pictures, progress)
    return _finish(plan, state, pictures, progress)


def _begin(plan: Plan, pictures: Tensor, resume: bool, start: Path | None, progress: Callable[[str], None]) -> State:
    torch.manual_seed(plan.recipe.seed)
    saved = Saved.read(plan.out) if resume else None
    if saved is not None:
        networks = saved.networks
    elif start is not None:
        loaded = load_weights(FAMILY, start)
        networks = LatticeNetworks.from_tensors(loaded.tensors, loaded.config)
        if "e" in plan.nets and networks.encoder is None:
            networks.add_encoder(ENCODER_WIDTHS)
        if "s" in plan.nets and networks.resolver is None:
            networks.add_resolver(*RESOLVER)
    else:
        networks = LatticeNetworks(
            encoder_widths=ENCODER_WIDTHS if "e" in plan.nets else None, resolver=RESOLVER if "s" in plan.nets else None
        )
        measure_statistics(networks, pictures[VALIDATION:], plan.recipe)
    networks = networks.to(plan.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    parameters = [p for n in plan.nets for p in _network(networks, n).parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=plan.rate, betas=(0.9, 0.98), weight_decay=1e-4)
    average = {name: tensor.detach().float().clone() for name, tensor in networks.state_dict().items()}
    adversary = Adversary(plan.adversarial, plan.rate, plan.device) if plan.adversarial else None
    state = State(networks, average, optimizer, adversary)
    if saved is not None:
        state.restore(saved)
        progress(f"resumed at step {state.step}")
    return state


def _network(networks: LatticeNetworks, name: str) -> torch.nn.Module:
    network = {"v": networks.verifier, "r": networks.recoverer, "e": networks.encoder, "s": networks.resolver}[name]
    if network is None:
        missing = {"e": "encoder", "s": "resolver"}[name]
        raise UsageError(f"--net {name}: the run to resume has no {missing}; begin another with --start")
    return network


def learning_rate(rate: float, step: int, total: int | None) -> float:
    """Linear warm-up over 100 steps, constant, then a half cosine to 2 % over the last 40 % where the end is known.

    A function of the step alone, so that an interrupted run resumes on the same curve.
    """
    factor = min(1.0, (step + 1) / _WARM_UP)
    if total is not None and step > 0.6 * total:
        part = min(1.0, (step - 0.6 * total) / (0.4 * total))
        factor *= 0.02 + 0.98 * (1 + math.cos(math.pi * part)) / 2
    return rate * factor


def _loop(plan: Plan, state: State, pictures: Tensor, progress: Callable[[str], None]) -> None:
    train, held_out = pictures[VALIDATION:], pictures[:VALIDATION]
    if plan.device.type == "cuda":
        train = train.to(plan.device)
    began = saved = time.monotonic()
    losses: dict[str, list[float]] = defaultdict(list)
    begun = (ResolverLessons if "s" in plan.nets else Lessons)(plan, train, state, progress)
    with begun as lessons, kept(state, plan.out, progress):
        while not (plan.steps is not None and state.step >= plan.steps):
            if plan.minutes is not None and time.monotonic() - began > plan.minutes * 60:
                break
            for optimizer in state.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(plan.rate, state.step, plan.steps)
            for name, value in _step(plan, state, lessons.next()).items():
                losses[name].append(value)
            _learn(plan, state)
            if state.step % 25 == 0:
                recent = ", ".join(f"{n} {np.mean(v[-100:]):.5f}" for n, v in losses.items())
                seconds = time.monotonic() - began
                progress(f"step {state.step}: {recent} ({seconds / 60:.1f} min)")
            if state.step % plan.validate_every == 0:
                progress(_validated(plan, state, held_out)[0])
            if time.monotonic() - saved > _SAVE_SECONDS:
                state.save(plan.out)
                saved = time.monotonic()
    state.save(plan.out)


def _learn(plan: Plan, state: State) -> None:
    """Take the step that the gradients ask for."""
    for name in plan.nets:
        torch.nn.utils.clip_grad_norm_(_network(state.networks, name).parameters(), 1.0)
    state.advance()


def _step(plan: Plan, state: State, lesson: Lesson | Resampled) -> dict[str, float]:
    """Gradients of what is shown, and its losses."""
    networks = state.networks
    networks.train()
    state.optimizer.zero_grad(set_to_none=True)
    values = {}
    with short_floats(plan.device):
        if isinstance(lesson, Resampled):
            assert networks.resolver is not None
            loss = resolver_loss(networks.resolver, lesson)
            loss.backward()  # type: ignore[no-untyped-call]
            return {"s": float(loss.detach())}
        if "v" in plan.nets:
            rng = np.random.default_rng([plan.recipe.seed, state.step, 8])
            loss = verifier_loss(networks, lesson.examples, rng)
            loss.backward()  # type: ignore[no-untyped-call]
            values["v"] = float(loss.detach())
        if "r" in plan.nets:
            rng = np.random.default_rng([plan.recipe.seed, state.step, 9])
            again = lesson.drafted is None and rng.random() < _AGAIN
            recovered = recovered_by(networks, lesson.examples, lesson.drafted, again=again)
            loss = recoverer_loss(recovered, lesson.examples)
            values["r"] = float(loss.detach())
            if state.adversary is not None:
                loss = loss + state.adversary.objection(recovered, lesson.examples)
            loss.backward()  # type: ignore[no-untyped-call]
            if state.adversary is not None:
                values["d"] = float(state.adversary.learn(recovered, lesson.examples))
    return values


def _validated(plan: Plan, state: State, held_out: Tensor, *, whole: bool = False) -> tuple[str, dict[str, float]]:
    """A line for the log, and the figures, of what learns. whole: of all networks."""
    recipe = Recipe(seed=12345, batch=8, mix=TrainingMix())
    originals = draw_originals(held_out, recipe, 0, torch.device("cpu")).to(plan.device)
    # A copy: whatever ends a validation, the networks that are saved next must be those that learn.
    averaged = copy.deepcopy(state.networks)
    averaged.load_state_dict(state.average)
    lines, figures = [], {}
    if whole or "s" not in plan.nets:
        result = validate(averaged, originals)
        lines, figures = [result.line()], result.figures()
    if averaged.resolver is not None and (whole or "s" in plan.nets):
        told = validate_resolver(averaged.resolver, originals)
        lines.append(", ".join(f"{name} {value:.4f}" for name, value in told.items()))
        figures |= told
    return "; ".join(lines), figures


def _finish(plan: Plan, state: State, pictures: Tensor, progress: Callable[[str], None]) -> Path:
    line, figures = _validated(plan, state, pictures[:VALIDATION], whole=True)
    progress(line)
    path = write_weights(plan.out, FAMILY, state.average, state.networks.config, figures, state.step)
    progress(f"weights: {path}")
    return path
