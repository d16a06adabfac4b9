"""`imuge weights list` and `check`."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING

import typer

from imuge_cli.cli import options
from imuge_cli.cli.console import configure

if TYPE_CHECKING:
    from imuge_cli.checkpoints import WeightsCheck, WeightsEntry

app = typer.Typer(
    help="What weights there are, and whether they are intact.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("list")
def list_families(
    weights: options.WeightsOption = None,
    json: options.JsonOption = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """List the families of weights: name, size, date, training steps, sha256, file."""
    console = configure(quiet=quiet, verbose=verbose)
    from imuge_cli.checkpoints import find_weights, list_weights
    from imuge_cli.reporting.schema import plain

    console.detail(f"weights from {find_weights(weights)}")
    for entry in list_weights(weights):
        console.data(json_module.dumps(plain(entry), allow_nan=False) if json else _line(entry))


@app.command("check")
def check(
    weights: options.WeightsOption = None,
    json: options.JsonOption = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Compare every file with the sha256 in the manifest. Exit code 0: all intact; 2: not."""
    console = configure(quiet=quiet, verbose=verbose)
    from imuge_cli.checkpoints import check_weights
    from imuge_cli.reporting.schema import plain

    checks = check_weights(weights)
    for checked in checks:
        if json:
            body = {"family": checked.entry.family, "path": checked.path, "status": checked.status}
            hashes = {"expected": checked.entry.sha256, "found": checked.found}
            console.data(json_module.dumps(plain({**body, **hashes}), allow_nan=False))
        else:
            console.data(f"{checked.entry.family}: {checked.status}  {checked.path.name}")
        if checked.status != "intact":
            console.error(_complaint(checked))
    if not checks:
        console.note("the manifest names no weights")
    if any(checked.status != "intact" for checked in checks):
        raise typer.Exit(2)


def _line(entry: WeightsEntry) -> str:
    return (
        f"{entry.family}  {entry.size / 1e6:.2f} MB  {entry.parameters:,} numbers ({entry.dtype})  "
        f"{entry.created}  {entry.training_steps} steps  {entry.sha256[:16]}  {entry.file}"
    )


def _complaint(checked: WeightsCheck) -> str:
    expected = checked.entry.sha256
    if checked.found is None:
        return f"{checked.path}: is missing (expected sha256 {expected}); reinstall imuge or copy the file again"
    return (
        f"{checked.path}: expected sha256 {expected}, found {checked.found}; "
        "the file is damaged or was replaced: reinstall imuge or copy the file again"
    )
