"""`imuge immunize`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from imuge_cli.cli import options, pictures
from imuge_cli.cli.batch import Outcome, run_batch
from imuge_cli.cli.console import Console, configure
from imuge_cli.cli.filelist import named
from imuge_cli.cli.planning import Plan, Request, Wanted, from_stdin, page_for, plan
from imuge_cli.cli.suspects import Telling
from imuge_cli.errors import OutputError

if TYPE_CHECKING:
    from imuge_cli.api import Imuge

LOSSY = "jpeg"


def immunize(
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="INPUT...", help="Files, folders, globs; '-' is stdin.")
    ] = None,
    files_from: options.FilesFromOption = None,
    output: options.OutputOption = None,
    format: options.FormatOption = None,
    strip: options.StripOption = False,
    recursive: options.RecursiveOption = False,
    force: options.ForceOption = False,
    skip_existing: options.SkipExistingOption = False,
    jobs: options.JobsOption = 1,
    key_file: options.KeyFileOption = None,
    model: options.ModelOption = "lattice",
    strength: options.StrengthOption = options.Strength.balanced,
    exact: options.ExactOption = True,
    repair: options.RepairOption = options.Repair.normal,
    device: options.DeviceOption = options.Device.auto,
    weights: options.WeightsOption = None,
    report: options.ReportOption = None,
    json: options.JsonOption = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Immunize pictures: writes <stem>.immunized.bmp beside each input.

    The change is a fine grain, hardly visible. Files that are never recompressed also get an exact layer, which finds
    every changed bit and repairs small areas bit for bit; JPEG cannot hold one. Keep the key file, if you use one:
    without it nothing can be verified.
    """
    console = configure(quiet=quiet, verbose=verbose)
    wanted = Wanted("immunized", format=format.value if format else None)
    request = Request(named(inputs, files_from), output, recursive, force, skip_existing, report, json)
    plans = plan(request, wanted, console)
    if not plans:
        return
    settings = options.EngineSettings(
        key_file, model, strength.value, device.value, weights, exact=exact, repair=repair.value
    )
    telling = Telling(device.value, None, report is not None, force, strip)
    with page_for(report, title="imuge: immunized pictures", force=force) as add:
        tally = run_batch(
            "immunize",
            plans,
            partial(_make, settings, telling),
            console=console,
            json=json,
            data_on_stdout=any(task.picture == pictures.STDIO for task in plans),
            jobs=jobs,
            processes=not from_stdin(plans) and options.on_cpu(device.value, jobs),
            each=add,
        )
    raise typer.Exit(tally.exit_code)


def _make(settings: options.EngineSettings, telling: Telling) -> Callable[[Plan, Console], Outcome]:
    return partial(_immunize, options.make_engine(settings), telling)


def _immunize(engine: Imuge, telling: Telling, task: Plan, console: Console) -> Outcome:
    from imuge_cli.image.write import as_held
    from imuge_cli.reporting import immunize_report, sha256_of_outputs
    from imuge_cli.reporting.html import Thumbnail, decibel, figure

    source = telling.published(pictures.read(task.source))
    assert task.picture is not None  # a plan without it is left out
    held, warnings = as_held(source, task.format)
    result = engine.immunize(held, exact=False if task.format == LOSSY else None)
    # With all that the source had, so that the writer says what the format cannot hold.
    whole = source.with_pixels(result.picture.pixels)
    warnings += pictures.write(whole, task.picture, console=console, format=task.format, force=telling.force)
    if task.format == LOSSY:
        warnings.append(_verify_lossy(engine, task))
    for warning in warnings:
        console.once(warning, label="warning")
    report = immunize_report(
        result,
        file=task.name,
        requested_device=telling.device,
        outputs=task.outputs(),
        input_sha256=source.source_sha256,
        output_sha256=sha256_of_outputs(task.outputs()),
        warnings=tuple(warnings),
    )
    assert report.immunization is not None and report.device is not None and report.key is not None
    if report.key.kind == "published":
        console.once(f"key: {report.key.meaning}")
    console.once(f"running on {report.device.used} ({report.device.why})")
    text = (
        f"{task.name} -> {task.picture}  PSNR {decibel(report.immunization.psnr)}, "
        f"SSIM {figure(report.immunization.ssim)}"
    )
    shown: tuple[Thumbnail, ...] = ()
    if telling.thumbnails:
        shown = (
            Thumbnail.of("original", source.as_uint8()),
            Thumbnail.of("immunized", result.picture.as_uint8()),
        )
    return Outcome(report, text, shown)


def _verify_lossy(engine: Imuge, task: Plan) -> str:
    """Reads a lossy file back and verifies it. Returns the warning that goes with such files."""
    if task.picture is None or task.picture == pictures.STDIO:
        return "JPEG changes pixels: what went to stdout was not verified"
    verdict = engine.verify(pictures.read(task.picture)).verdict
    if verdict != "intact":
        raise OutputError(
            f"{task.picture}: was written, but verifies as '{verdict}': JPEG took too much; use --format png"
        )
    return "JPEG changes pixels: the files were verified after writing, but exact recovery needs --format png"
