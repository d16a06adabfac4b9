"""`imuge verify`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imuge_cli.cli import options, pictures
from imuge_cli.cli.batch import Outcome, run_batch
from imuge_cli.cli.console import Console, configure
from imuge_cli.cli.filelist import named
from imuge_cli.cli.planning import Plan, Request, Wanted, from_stdin, page_for, plan, single_only
from imuge_cli.cli.suspects import Telling, describe, figures_against, thumbnails_of, write_findings

if TYPE_CHECKING:
    from imuge_cli.api import Imuge

ERROR = 2


def verify(
    suspects: Annotated[
        list[str] | None, typer.Argument(metavar="SUSPECT...", help="Files, folders, globs; '-' is stdin.")
    ] = None,
    files_from: options.FilesFromOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for masks and heat-maps. Default: beside the suspect."),
    ] = None,
    mask_out: options.MaskOutOption = False,
    heatmap_out: options.HeatmapOutOption = False,
    recursive: options.RecursiveOption = False,
    force: options.ForceOption = False,
    skip_existing: options.SkipExistingOption = False,
    jobs: options.JobsOption = 1,
    key_file: options.KeyFileOption = None,
    model: options.ModelOption = "lattice",
    device: options.DeviceOption = options.Device.auto,
    weights: options.WeightsOption = None,
    reference: options.ReferenceOption = None,
    report: options.ReportOption = None,
    json: options.JsonOption = False,
    exit_zero: options.ExitZeroOption = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Say what was done to pictures: intact, tampered (and where), or not immunized (or with another key).

    Exit code: 0 exact or intact, 1 tampered, 2 error, 3 no immunization found; the worst of several (2, 1, 3, 0).
    """
    console = configure(quiet=quiet, verbose=verbose)
    wanted = Wanted(None, mask=mask_out, heatmap=heatmap_out)
    request = Request(
        named(suspects, files_from), output, recursive, force, skip_existing, report, json, extra_inputs=(reference,)
    )
    plans = plan(request, wanted, console)
    single_only(plans, "--reference", reference)
    if not plans:
        return
    telling = Telling(device.value, reference, report is not None, force)
    settings = options.EngineSettings(key_file=key_file, model=model, device=device.value, weights=weights)
    with page_for(report, title="imuge: verified pictures", force=force) as add:
        tally = run_batch(
            "verify",
            plans,
            partial(_make, settings, telling),
            console=console,
            json=json,
            jobs=jobs,
            processes=not from_stdin(plans) and options.on_cpu(device.value, jobs),
            each=add,
        )
    raise typer.Exit(0 if exit_zero and tally.exit_code != ERROR else tally.exit_code)


def _make(settings: options.EngineSettings, telling: Telling) -> Callable[[Plan, Console], Outcome]:
    return partial(_verify, options.make_engine(settings), telling)


def _verify(engine: Imuge, telling: Telling, task: Plan, console: Console) -> Outcome:
    from imuge_cli.reporting import sha256_of_outputs, verify_report

    suspect = pictures.read(task.source)
    result = engine.verify(suspect)
    figures = figures_against(telling.reference, suspect, result.mask)
    write_findings(task, suspect, result.probability, result.mask, console=console, force=telling.force)
    report = verify_report(
        result,
        file=task.name,
        requested_device=telling.device,
        reference=figures,
        outputs=task.outputs(),
        input_sha256=suspect.source_sha256,
        output_sha256=sha256_of_outputs(task.outputs()),
    )
    shown = thumbnails_of(suspect, result.probability, result.mask) if telling.thumbnails else ()
    return Outcome(report, describe(report, console), shown)
