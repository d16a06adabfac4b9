"""`imuge train`: hands its options to the training loop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imuge_cli.cli import options
from imuge_cli.cli.console import configure
from imuge_cli.errors import UsageError


def train(
    data: Annotated[
        list[Path], typer.Option("--data", help="Tar shard of photographs, or a folder of them; may be repeated.")
    ],
    net: Annotated[
        list[str] | None,
        typer.Option("--net", help="Network to train: v, r, e or s; may be repeated. Default: v and r."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.0, help="Stop after this time (of this run).")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Stop at this step; the learning rate falls towards it.")
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Pictures per step.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", min=0.0, help="Learning rate.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last state in --out.")] = False,
    start: Annotated[
        Path | None,
        typer.Option("--start", metavar="WEIGHTS", help="Weights to begin from: a safetensors file, or its folder."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Use the first N pictures only.")] = None,
    validate_every: Annotated[int, typer.Option("--validate-every", min=1, help="Validate every N steps.")] = 200,
    reuse: Annotated[
        int,
        typer.Option(
            "--reuse", min=1, help="Learn from each example so many times; pays where preparing them is slow (CPU)."
        ),
    ] = 1,
    adversarial: Annotated[
        float,
        typer.Option(
            "--adversarial",
            min=0.0,
            help="Let R learn against a discriminator too, with that weight (.02, say): sharper, not truer.",
        ),
    ] = 0.0,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="MECHANISM",
            help="With --model imuge: leave out v, discriminators, decoupling, progressive, sharing; may be repeated.",
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option("--width", min=1, help="With --model imuge: channels at full resolution. Default: 24."),
    ] = None,
    side: Annotated[
        int | None,
        typer.Option("--side", help="With --model imuge: pixels of the windows that are shown. Default: 256."),
    ] = None,
    gamma: Annotated[
        float | None,
        typer.Option("--gamma", min=0.0, help="With --model imuge: weight of what immunizing changes. Default: 0.5."),
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads. Default: one per core.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for states and the finished weights.")] = Path(
        "imuge-train"
    ),
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything random.")] = 0,
    model: options.ModelOption = "lattice",
    device: options.DeviceOption = options.Device.auto,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Train a family of networks, or go on training it."""
    console = configure(quiet=quiet, verbose=verbose)
    # A training of the paper's system has its length from its first state on.
    if minutes is None and steps is None and not (resume and model == "imuge"):
        raise UsageError("imuge train: nothing says when to stop; give --minutes or --steps (or both)")
    if resume and start is not None:
        raise UsageError("--start and --resume: training begins either from weights or from its last state; choose one")
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    from imuge_cli.training import run_training

    run_training(
        data=tuple(data),
        nets=tuple(net or ()),
        minutes=minutes,
        steps=steps,
        batch=batch,
        lr=lr,
        resume=resume,
        out=out,
        seed=seed,
        model=model,
        device=device.value,
        progress=console.note,
        start=start,
        limit=limit,
        validate_every=validate_every,
        reuse=reuse,
        adversarial=adversarial,
        without=tuple(without or ()),
        width=width,
        side=side,
        gamma=gamma,
    )
