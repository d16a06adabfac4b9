"""`imuge keygen`: a new secret."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imuge_cli.cli import options
from imuge_cli.cli.console import configure


def keygen(
    file: Annotated[Path | None, typer.Argument(help="Where to write it (mode 0600). Without FILE: to stdout.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists: its secret is lost.")] = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Write a new secret. Keep it: what it immunized can be verified with it alone."""
    console = configure(quiet=quiet, verbose=verbose)
    from imuge_cli.keys import new_secret_text, write_new_secret

    if file is None or str(file) == "-":
        console.data(new_secret_text().rstrip("\n"))
        return
    write_new_secret(file, force=force)
    console.note(f"{file}: a new secret; pass it with --key-file or IMUGE_KEY_FILE, and keep a copy in a safe place")
