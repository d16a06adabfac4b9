"""Running the command line inside a test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from inspect import signature
from typing import Any

from typer.testing import CliRunner

from imuge_cli.cli.app import app


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    raw: bytes

    @property
    def objects(self) -> list[Any]:
        """stdout as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def _runner() -> Any:
    """stdout and stderr apart: older Typers have to be told so, newer ones cannot be told."""
    old = "mix_stderr" in signature(CliRunner.__init__).parameters
    return CliRunner(mix_stderr=False) if old else CliRunner()  # type: ignore[call-arg]


def run(*arguments: object, stdin: bytes | None = None, env: dict[str, str] | None = None) -> Ran:
    result = _runner().invoke(app, [str(argument) for argument in arguments], input=stdin, env=env)
    raw = result.stdout_bytes
    assert "Traceback" not in result.stderr or "--verbose" in arguments or env == {"IMUGE_DEBUG": "1"}
    return Ran(result.exit_code, raw.decode("utf-8", "replace"), result.stderr, raw)
