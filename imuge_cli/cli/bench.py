"""`imuge bench`: hands its options to the benchmark."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imuge_cli.cli import options
from imuge_cli.cli.ablation import write_ablation
from imuge_cli.cli.console import Console, configure
from imuge_cli.errors import UsageError

if TYPE_CHECKING:
    from imuge_cli.keys import Secret


def bench(
    data: Annotated[Path | None, typer.Option("--data", help="Folder of pictures, e.g. Kodak's.")] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            "--size",
            help="256, 512, full, or mosaic (four pictures side by side, 2,600 pixels); may be repeated. Default: the "
            "suite's.",
        ),
    ] = None,
    pictures: Annotated[int | None, typer.Option("--pictures", min=1, help="Use the first N pictures only.")] = None,
    attacks: Annotated[
        list[str] | None, typer.Option("--attacks", help="Chain such as jpeg:70; may be repeated.")
    ] = None,
    tampers: Annotated[list[str] | None, typer.Option("--tampers", help="Kind; may be repeated.")] = None,
    shares: Annotated[
        list[float] | None,
        typer.Option("--shares", min=0.0, max=0.9, help="Tampered share; may be repeated."),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            "--suite",
            help="smoke, first (default), protocol (the rows of the paper's table), masks (shapes, 40 %, chains), "
            "exact (files never recompressed), geometry (unknown scale and place), turned (by up to five degrees), "
            "full, foreign (any pictures: are they taken for immunized ones?), batch (many files in one call: "
            "--pictures, default 1000), or speed: time and memory of whole commands, without --data.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the Markdown, CSV and JSON tables.")] = Path(
        "imuge-bench"
    ),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same tampering and attacks.")] = 0,
    sheet: Annotated[int, typer.Option("--sheet", min=0, help="Put the first N pictures on a contact sheet.")] = 0,
    # no IMUGE_JOBS: whoever speeds up batches with it must not get slower times measured unawares
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Pictures measured side by side, each in a process of its own; their times are longer than alone.",
        ),
    ] = 1,
    megapixels: Annotated[
        list[float] | None,
        typer.Option("--megapixels", min=0.1, help="Of the speed suite's picture; may be repeated. Default: 1."),
    ] = None,
    ablation: Annotated[
        bool,
        typer.Option(
            "--ablation",
            help="What each mechanism of --model imuge is worth: short trainings on shards in --data, --steps each.",
        ),
    ] = False,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Of each training of --ablation.")] = None,
    width: Annotated[
        int | None, typer.Option("--width", min=1, help="With --ablation: channels at full resolution. Default: 24.")
    ] = None,
    side: Annotated[
        int | None,
        typer.Option("--side", help="With --ablation: pixels of the windows that are shown. Default: 256."),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            "--beside", help="--out of another run on the same pictures, to be put beside this one; may be repeated."
        ),
    ] = None,
    update_readme: Annotated[
        Path | None,
        typer.Option(
            "--update-readme",
            help="Put each table between '<!-- bench:begin NAME -->' and '<!-- bench:end NAME -->' of FILE.",
        ),
    ] = None,
    key_file: options.KeyFileOption = None,
    model: options.ModelOption = "lattice",
    strength: options.StrengthOption = options.Strength.balanced,
    repair: options.RepairOption = options.Repair.normal,
    exact: Annotated[
        bool | None,
        typer.Option(
            "--exact/--no-exact", help="Whether pictures get the exact layer. Default: as the suite says, mostly not."
        ),
    ] = None,
    device: options.DeviceOption = options.Device.auto,
    weights: options.WeightsOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted run in --out, picture by picture.")
    ] = False,
    force: options.ForceOption = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Measure fidelity, localization and recovery under attacks, and write the tables."""
    console = configure(quiet=quiet, verbose=verbose)
    settings = options.EngineSettings(
        key_file,
        model,
        strength.value,
        device.value,
        weights,
        # In every other suite it would answer for the lattice wherever a file was not recompressed.
        exact=suite == "exact" if exact is None else exact,
        repair=repair.value,
    )
    if ablation or (steps, width, side) != (None, None, None):
        if not ablation or steps is None or data is None or suite is not None:
            raise UsageError(
                "--steps, --width, --side: these are of --ablation, which needs --data (shards of photographs) and "
                "--steps, and no --suite"
            )
        text = write_ablation(
            data,
            steps,
            out,
            seed,
            device.value,
            resume=resume,
            width=width,
            side=side,
            progress=console.note,
        )
        console.data(text)
        return
    if suite == "speed":
        if jobs > 1:
            raise UsageError(f"--jobs {jobs}: the speed suite times one command alone; leave --jobs out or set it to 1")
        if resume:
            raise UsageError("--resume: the speed suite takes minutes and is not resumed; leave it out")
        console.data(_speed(settings, megapixels, out, update_readme, force, console))
        return
    if suite == "batch":
        if resume:
            raise UsageError("--resume: the batch suite is not resumed; leave it out")
        console.data(_batch(settings, data, pictures, jobs, seed, out, update_readme, force, console))
        return
    from imuge_cli.benchmark import run_bench

    tables = run_bench(
        data=data,
        sizes=tuple(size) if size else None,
        pictures=pictures,
        attacks=tuple(attacks) if attacks else None,
        tampers=tuple(tampers) if tampers else None,
        shares=tuple(shares) if shares else None,
        suite=suite,
        out=out,
        seed=seed,
        # partial objects, unlike closures, can be sent to other processes
        make_engine=partial(options.make_engine, settings),
        make_stranger=partial(options.make_engine, replace(settings, key=_another_secret())),
        progress=console.note,
        sheet=sheet,
        jobs=jobs,
        update_readme=update_readme,
        force=force,
        resume=resume,
        beside=tuple(beside or ()),
    )
    if tables:
        console.data(str(tables))


def _another_secret() -> Secret:
    """Fixed, so that two runs measure the same; nobody immunizes with it."""
    import hashlib

    from imuge_cli.keys import Secret

    return Secret(hashlib.sha256(b"imuge bench: somebody else's secret").digest())


def _batch(
    settings: options.EngineSettings,
    data: Path | None,
    pictures: int | None,
    jobs: int,
    seed: int,
    out: Path,
    update_readme: Path | None,
    force: bool,
    console: Console,
) -> str:
    from imuge_cli.benchmark import run_batches
    from imuge_cli.benchmark.batches import DEFAULT_FILES

    return run_batches(
        data=data,
        out=out,
        files=pictures or DEFAULT_FILES,
        jobs=jobs,
        options=_engine_options(settings),
        immunize_options=("--strength", settings.strength),
        seed=seed,
        progress=console.note,
        update_readme=update_readme,
        force=force,
    )


def _engine_options(settings: options.EngineSettings) -> list[str]:
    """Said again to commands that run in processes of their own."""
    given = ["--model", settings.model, "--device", settings.device]
    if settings.key_file is not None:
        given += ["--key-file", str(settings.key_file)]
    if settings.weights is not None:
        given += ["--weights", str(settings.weights)]
    return given


def _speed(
    settings: options.EngineSettings,
    megapixels: list[float] | None,
    out: Path,
    update_readme: Path | None,
    force: bool,
    console: Console,
) -> str:
    from imuge_cli.benchmark import run_speed
    from imuge_cli.cli.demo import bundled_photograph

    return run_speed(
        photograph=bundled_photograph,
        out=out,
        options=_engine_options(settings),
        immunize_options=("--strength", settings.strength),
        megapixels=tuple(megapixels or (1.0,)),
        progress=console.note,
        update_readme=update_readme,
        force=force,
    )
