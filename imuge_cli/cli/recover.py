"""`imuge recover`."""

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
from imuge_cli.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imuge_cli.api import Imuge, RecoverResult
    from imuge_cli.image.picture import Picture
    from imuge_cli.reporting.schema import RecoveryReport


def recover(
    suspects: Annotated[
        list[str] | None, typer.Argument(metavar="SUSPECT...", help="Files, folders, globs; '-' is stdin.")
    ] = None,
    files_from: options.FilesFromOption = None,
    output: options.OutputOption = None,
    format: options.FormatOption = None,
    mask: Annotated[
        Path | None,
        typer.Option("--mask", help="A person's mask for a single suspect (white = tampered), used instead."),
    ] = None,
    restore_canvas: Annotated[
        bool,
        typer.Option("--restore-canvas", help="Give a cropped or resized suspect its original frame back."),
    ] = False,
    mask_out: options.MaskOutOption = False,
    heatmap_out: options.HeatmapOutOption = False,
    replaced_out: options.ReplacedOutOption = False,
    strip: options.StripOption = False,
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
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Give tampered pictures their content back: writes <stem>.recovered.bmp beside each suspect.

    Tiles of the exact layer that come back bit for bit are told apart from what is a reconstruction.
    An intact picture is written as it is. Where there is nothing to recover from, nothing is written.
    """
    console = configure(quiet=quiet, verbose=verbose)
    chosen = format.value if format else None
    wanted = Wanted("recovered", format=chosen, mask=mask_out, heatmap=heatmap_out, replaced=replaced_out)
    request = Request(
        named(suspects, files_from),
        output,
        recursive,
        force,
        skip_existing,
        report,
        json,
        extra_inputs=(reference, mask),
    )
    plans = plan(request, wanted, console)
    single_only(plans, "--reference", reference)
    single_only(plans, "--mask", mask)
    if not plans:
        return
    telling = Telling(device.value, reference, report is not None, force, strip)
    given = _read_mask(mask)
    settings = options.EngineSettings(key_file=key_file, model=model, device=device.value, weights=weights)
    with page_for(report, title="imuge: recovered pictures", force=force) as add:
        tally = run_batch(
            "recover",
            plans,
            partial(_make, settings, telling, given, restore_canvas),
            console=console,
            json=json,
            data_on_stdout=any(task.picture == pictures.STDIO for task in plans),
            jobs=jobs,
            processes=not from_stdin(plans) and options.on_cpu(device.value, jobs),
            each=add,
        )
    raise typer.Exit(tally.exit_code)


def _read_mask(path: Path | None) -> NDArray[np.bool_] | None:
    from imuge_cli.image.read import read_mask

    return None if path is None else read_mask(path)


def _make(
    settings: options.EngineSettings, telling: Telling, given: NDArray[np.bool_] | None, restore_canvas: bool
) -> Callable[[Plan, Console], Outcome]:
    return partial(_recover, options.make_engine(settings), telling, given, restore_canvas)


def _recover(
    engine: Imuge,
    telling: Telling,
    given: NDArray[np.bool_] | None,
    restore_canvas: bool,
    task: Plan,
    console: Console,
) -> Outcome:
    from imuge_cli.image.write import write_mask
    from imuge_cli.reporting import recover_report, sha256_of_outputs
    from imuge_cli.reporting.html import Thumbnail

    suspect = telling.published(pictures.read(task.source))
    _require_size(given, suspect)
    result = engine.recover(suspect, mask=given, restore_canvas=restore_canvas)
    verification = result.verification
    used = given if given is not None else verification.mask
    figures = figures_against(telling.reference, result.picture, used)
    warnings: tuple[str, ...] = ()
    if task.picture is not None:
        warnings = pictures.write(
            result.picture, task.picture, console=console, format=task.format, force=telling.force
        )
        warnings += _of_transparency(result, suspect, pictures.format_for(task.picture, task.format))
    write_findings(task, suspect, verification.probability, used, console=console, force=telling.force)
    if task.replaced is not None:
        write_mask(result.mask, task.replaced, force=telling.force)
    for warning in warnings:
        console.once(warning, label="warning")
    report = recover_report(
        result,
        file=task.name,
        requested_device=telling.device,
        reference=figures,
        outputs=task.outputs(),
        input_sha256=suspect.source_sha256,
        output_sha256=sha256_of_outputs(task.outputs()),
        warnings=warnings,
    )
    assert report.recovery is not None
    done = _done(report.recovery, result.picture, suspect)
    if task.picture is not None:
        done += f" -> {task.picture}"
    shown: tuple[Thumbnail, ...] = ()
    if telling.thumbnails:
        shown = thumbnails_of(suspect, verification.probability, used)
        shown = (*shown, Thumbnail.of("recovered", result.picture.as_uint8()))
    return Outcome(report, f"{describe(report, console)}\n  {done}", shown)


def _of_transparency(result: RecoverResult, suspect: Picture, format: str) -> tuple[str, ...]:
    """What has to be said of the transparency that is written, where the format holds any."""
    from imuge_cli.image.write import as_held

    if suspect.alpha is None or as_held(suspect, format)[0].alpha is None:
        return ()
    if result.picture.alpha is None:
        return ("transparency was left out: the suspect's does not fit the original's frame",)
    if suspect.opaque or not result.mask.any():
        return ()
    return ("transparency is not restored: it is the suspect's, and where pixels were restored nothing proves it",)


def _done(recovery: RecoveryReport, recovered: Picture, suspect: Picture) -> str:
    from imuge_cli.reporting.html import percent

    if not recovery.changed:
        return "nothing to restore, unchanged"
    done = [f"restored {percent(recovery.restored_share)} of the pixels"] if recovery.restored_share else []
    if recovery.proven_share:
        done.append(f"{percent(recovery.proven_share)} bit for bit, proven by seals")
    if (recovered.height, recovered.width) != (suspect.height, suspect.width):
        done.append(f"gave back the original frame of {recovered.width} x {recovered.height} pixels")
    return ", ".join(done)


def _require_size(given: NDArray[np.bool_] | None, suspect: Picture) -> None:
    if given is not None and given.shape != (suspect.height, suspect.width):
        raise InputError(
            f"the mask is {given.shape[1]} x {given.shape[0]}, "
            f"the suspect {suspect.width} x {suspect.height}; "
            "draw the mask on the suspect itself"
        )
