"""`imuge bench`: hands its options to the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imuge_cli.cli import options
from imuge_cli.cli.console import configure


def bench(
    data: Annotated[Path, typer.Option("--data", help="Folder of pictures, e.g. Kodak's.")],
    size: Annotated[
        list[str] | None,
        typer.Option("--size", help="256, 512 or full; may be repeated. Default: 256 and 512."),
    ] = None,
    pictures: Annotated[
        int | None, typer.Option("--pictures", min=1, help="Use the first N pictures only.")
    ] = None,
    attacks: Annotated[
        list[str] | None, typer.Option("--attacks", help="Chain such as jpeg:70; may be repeated.")
    ] = None,
    tampers: Annotated[list[str] | None, typer.Option("--tampers", help="Kind; may be repeated.")] = None,
    shares: Annotated[
        list[float] | None,
        typer.Option("--shares", min=0.0, max=0.9, help="Tampered share; may be repeated."),
    ] = None,
    suite: Annotated[str | None, typer.Option("--suite", help="A named selection of the tables.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the Markdown, CSV and JSON tables.")] = Path(
        "imuge-bench"
    ),
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same tampering and attacks.")] = 0,
    key_file: options.KeyFileOption = None,
    model: options.ModelOption = "lattice",
    strength: options.StrengthOption = options.Strength.balanced,
    device: options.DeviceOption = options.Device.auto,
    weights: options.WeightsOption = None,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Measure fidelity, localization and recovery under attacks, and write the tables."""
    console = configure(quiet=quiet, verbose=verbose)
    from imuge_cli.benchmark import run_bench

    tables = run_bench(
        data=data,
        sizes=tuple(size or ("256", "512")),
        pictures=pictures,
        attacks=tuple(attacks) if attacks else None,
        tampers=tuple(tampers) if tampers else None,
        shares=tuple(shares) if shares else None,
        suite=suite,
        out=out,
        seed=seed,
        make_engine=lambda: options.make_engine(
            options.EngineSettings(key_file, model, strength.value, device.value, weights)
        ),
        progress=console.note,
    )
    if tables:
        console.data(str(tables))
