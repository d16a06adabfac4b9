"""The application: commands, global options, and what happens to errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from imuge_cli import __version__
from imuge_cli.cli import attack, bench, demo, doctor, immunize, keygen, recover, train, verify, weights
from imuge_cli.cli.config import defaults_for, read_config
from imuge_cli.cli.console import current, silenced_pipe
from imuge_cli.cli.options import keep_few_kernels, multiply_on_one_core, wait_briefly
from imuge_cli.errors import ImugeError

USAGE_AND_FAILURE, INTERRUPTED = 2, 130


class ImugeGroup(TyperGroup):
    """Turns exceptions into one line and an exit code: imuge's own, and any other too (never Python's 1)."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with silenced_pipe():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            current().error("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except ImugeError as error:
            current().error(error)
            raise typer.Exit(error.exit_code) from error
        except Exception as error:
            if _is_typers_own(error):
                raise
            _tell(error)
            raise typer.Exit(USAGE_AND_FAILURE) from error


def _tell(error: Exception) -> None:
    """A full disk, or a name that the system cannot bear, is no fault of the program."""
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename!s}: " if error.filename else ""
        current().error(f"{name}{error.strerror}; check the name and the disk")
    else:
        current().unexpected(error)


def _is_typers_own(error: Exception) -> bool:
    """Exit and Abort steer the flow; usage errors can show themselves and know their exit code."""
    return isinstance(error, (typer.Exit, typer.Abort)) or (hasattr(error, "show") and hasattr(error, "exit_code"))


app = typer.Typer(
    name="imuge",
    cls=ImugeGroup,
    help="Immunize pictures against tampering: find out later what was changed, and get back what was there.",
    epilog=(
        "Exit codes of verify: 0 exact or intact, 1 tampered, 2 error, 3 no immunization found. "
        "Other commands: 0 or 2. "
        "A batch returns the worst (2 over 1 over 3 over 0). Defaults: options, then IMUGE_* variables, then "
        "~/.config/imuge/config.toml."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        current().data(f"imuge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            envvar="IMUGE_CONFIG",
            help="TOML file with defaults for options, e.g. format = 'png'.",
        ),
    ] = None,
) -> None:
    if ctx.invoked_subcommand is not None:
        ctx.default_map = defaults_for(ctx, read_config(config))


app.command("immunize")(immunize.immunize)
app.command("verify")(verify.verify)
app.command("recover")(recover.recover)
app.command("keygen")(keygen.keygen)
app.command("attack")(attack.attack)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("bench")(bench.bench)
app.command("train")(train.train)
app.add_typer(weights.app, name="weights")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    wait_briefly()
    multiply_on_one_core()
    keep_few_kernels()
    try:
        app(args=arguments, prog_name="imuge")
    except KeyboardInterrupt:  # before or after a command ran
        sys.exit(INTERRUPTED)
    except ImugeError as error:
        current().error(error)
        sys.exit(error.exit_code)
    except Exception as error:
        _tell(error)
        sys.exit(USAGE_AND_FAILURE)
