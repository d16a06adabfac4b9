"""Defaults from a TOML file: below options and environment variables, above the built-in ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from imuge_cli.errors import InputError, UsageError


def default_path() -> Path:
    """`$XDG_CONFIG_HOME/imuge/config.toml`, by default below ~/.config."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "imuge" / "config.toml"


def read_config(explicit: Path | None) -> dict[str, Any]:
    """The file's content; empty where no file was named and the usual one does not exist.

    Top-level entries are defaults for every command that has such an option, `[verify]` those of one command.
    Raises InputError where a file cannot be read or is no TOML.
    """
    path = explicit or default_path()
    try:
        content = path.read_bytes()
    except OSError as error:
        if explicit is None and not path.exists():
            return {}
        raise InputError(f"{path}: cannot read the configuration ({error.strerror})") from error
    return _parse(content, path)


def _parse(content: bytes, path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(content.decode("utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: is no TOML file ({error}); correct it") from error


def defaults_for(ctx: typer.Context, config: Mapping[str, Any]) -> dict[str, Any]:
    """The file's entries as Typer's default map: command -> parameter -> value.

    Raises UsageError for an entry that no command knows: a misspelt one must not do nothing in silence.
    """
    if not config:
        return {}
    commands = getattr(ctx.command, "commands", {})
    options = {name: _options(command) for name, command in commands.items()}
    defaults: dict[str, dict[str, Any]] = {name: {} for name in commands}
    for key, value in config.items():
        if key in commands and isinstance(value, dict):
            continue
        takers = [name for name in commands if key in options[name]]
        if not takers:
            raise UsageError(f"configuration: no command has an option '{key}'; correct or remove it")
        for name in takers:
            defaults[name][options[name][key]] = value
    for name, table in config.items():
        if name in commands and isinstance(table, dict):
            for key, value in table.items():
                if key not in options[name]:
                    raise UsageError(f"configuration: '{name}' has no option '{key}'; correct or remove it")
                defaults[name][options[name][key]] = value
    return dict(defaults)


def _options(command: Any) -> dict[str, str]:
    """Option as written on the command line, without dashes -> parameter name."""
    found = {}
    for parameter in getattr(command, "params", []):
        if parameter.param_type_name == "option":
            for spelling in parameter.opts:
                found[spelling.lstrip("-")] = parameter.name
    return found
