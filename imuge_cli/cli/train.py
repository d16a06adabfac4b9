"""`imuge train`: hands its options to the training loop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imuge_cli.cli import options
from imuge_cli.cli.console import configure


def train(
    data: Annotated[list[Path], typer.Option("--data", help="Shards of training pictures; may be repeated.")],
    net: Annotated[
        list[str] | None, typer.Option("--net", help="Network to train: v, r or e; may be repeated.")
    ] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", min=0.0, help="Stop after this time.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Stop after this many steps.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Pictures per step.")] = None,
    lr: Annotated[float | None, typer.Option("--lr", min=0.0, help="Learning rate.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last state in --out.")] = False,
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
    )
