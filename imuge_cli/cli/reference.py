"""The command reference, from the commands themselves: `python -m imuge_cli.cli.reference markdown` (or `man`)."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from imuge_cli import __version__
from imuge_cli.cli.app import app

_EXIT_OF_VERIFY = (
    "0 exact or intact, 1 tampered, 2 error, 3 no immunization found (or another key); of several the worst, 2 over 1 "
    "over 3 over 0"
)
_INTRODUCTION = """\
# Command reference

Made from the program by `python -m imuge_cli.cli.reference markdown`; a test holds it to that.

Defaults may also come from a TOML file (`imuge --config FILE`, else `~/.config/imuge/config.toml`):
`format = 'png'` for every command that has the option, a table `[verify]` for one of them. Variables that an option
has are named beside it. Options win over variables, variables over the file."""


@dataclass(frozen=True)
class Parameter:
    """An argument or option, as it is spelled and explained. default: "" where there is none to tell."""

    spelling: str
    help: str
    default: str
    variable: str
    argument: bool


@dataclass(frozen=True)
class Command:
    """name: with the program's, `imuge weights list`. prose: what it does, its docstring."""

    name: str
    prose: str
    parameters: tuple[Parameter, ...]

    @property
    def usage(self) -> str:
        """In one line."""
        arguments = (parameter.spelling for parameter in self.parameters if parameter.argument)
        return " ".join((self.name, "[OPTION]...", *(f"[{spelling}]" for spelling in arguments)))

    @property
    def exit_code(self) -> str:
        """What it answers."""
        return _EXIT_OF_VERIFY if self.name == "imuge verify" else "0 done, 2 error"


def commands() -> list[Command]:
    """In the order of `imuge --help`."""
    found = list(_of(app, "imuge"))
    for group in app.registered_groups:
        assert group.typer_instance is not None
        found += _of(group.typer_instance, f"imuge {group.name}")
    return found


def markdown() -> str:
    """docs/cli.md."""
    lines = [_INTRODUCTION]
    for command in commands():
        lines += ["", f"## {command.name}", "", _plain(command.prose), "", f"```\n{command.usage}\n```", ""]
        lines += [f"`{p.spelling}`: {_plain(p.help)}\n" for p in command.parameters if p.argument]
        lines += ["| option | what it does | default |", "|---|---|---|"]
        for p in command.parameters:
            if not p.argument:
                variable = f" `{p.variable}`" if p.variable else ""
                lines.append(f"| `{_cell(p.spelling)}` | {_cell(p.help)}{variable} | {_cell(p.default)} |")
        lines += ["", f"Exit code: {command.exit_code}."]
    return "\n".join(lines) + "\n"


def man() -> str:
    """imuge(1), in roff."""
    lines = [
        f'.TH IMUGE 1 "" "imuge {__version__}" "User Commands"',
        ".SH NAME",
        "imuge \\- pictures that can prove and repair themselves",
        ".SH SYNOPSIS",
        ".B imuge",
        ".I COMMAND",
        "[OPTION]... [PICTURE]...",
        ".SH DESCRIPTION",
        _roff(str(app.info.help)),
        ".SH COMMANDS",
    ]
    for command in commands():
        lines += [f'.SS "{_roff(command.name)}"', _roff(command.prose), ".PP", f".B {_roff(command.usage)}"]
        for p in command.parameters:
            default = f" Default: {p.default}." if p.default else ""
            variable = f" Variable: {p.variable}." if p.variable else ""
            lines += [".TP", f".B {_roff(p.spelling)}", _roff(p.help + default + variable)]
        lines += [".PP", _roff(f"Exit code: {command.exit_code}.")]
    lines += [".SH FILES", ".TP", ".I ~/.config/imuge/config.toml", "Defaults for options."]
    return "\n".join(lines) + "\n"


def _of(typer_app: typer.Typer, prefix: str) -> Iterator[Command]:
    for registered in typer_app.registered_commands:
        callback = registered.callback
        assert callback is not None and registered.name is not None
        prose = inspect.cleandoc(callback.__doc__ or "")
        yield Command(f"{prefix} {registered.name}", prose, tuple(_parameters(callback)))


def _parameters(callback: Callable[..., Any]) -> Iterator[Parameter]:
    hints = get_type_hints(callback, include_extras=True)
    for name, parameter in inspect.signature(callback).parameters.items():
        annotated = hints[name]
        if get_origin(annotated) is not Annotated:  # `Annotated | None`, as get_type_hints makes of a default None
            annotated = next(part for part in get_args(annotated) if get_origin(part) is Annotated)
        kind, info = get_args(annotated)[:2]
        assert isinstance(info, (ArgumentInfo, OptionInfo))
        argument = isinstance(info, ArgumentInfo)
        spelling = info.metavar or name.upper() if argument else _spelling(name, kind, info)
        told = " ".join((info.help or "").split())
        yield Parameter(spelling, told, _default(parameter.default, info), str(info.envvar or ""), argument)


def _spelling(name: str, kind: Any, info: Any) -> str:
    """`-o, --output PATH`, `--exact/--no-exact`, `--strength subtle|balanced|strong`."""
    names = ", ".join(sorted(_spellings(info) or (f"--{name.replace('_', '-')}",), key=len))
    kind = _inner(kind)
    if kind is bool:
        return names
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"{names} {'|'.join(str(choice.value) for choice in kind)}"
    return f"{names} {info.metavar or {Path: 'PATH', int: 'N', float: 'X'}.get(kind, 'TEXT')}"


def _spellings(info: Any) -> tuple[str, ...]:
    """Within Annotated, Typer keeps the first where a default would else be."""
    return tuple(one for one in (info.default, *(info.param_decls or ())) if isinstance(one, str))


def _inner(kind: Any) -> Any:
    """Without `| None` and `list`."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _default(value: Any, info: Any) -> str:
    if isinstance(value, bool):
        both = [spelling for spelling in _spellings(info) if "/" in spelling]
        return both[0].split("/")[0 if value else 1] if both else ""
    return "" if value is None or value is inspect.Parameter.empty else str(getattr(value, "value", value))


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Text that Markdown does not take for HTML."""
    return text.replace("<", "\\<")


def _roff(text: str) -> str:
    """Escaped: a hyphen is a hyphen, and a line that begins with a dot or a quote is text."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in escaped.splitlines())


if __name__ == "__main__":
    made = {"markdown": markdown, "man": man}.get(sys.argv[1] if len(sys.argv) == 2 else "")
    if made is None:
        sys.exit("usage: python -m imuge_cli.cli.reference markdown|man")
    sys.stdout.write(made())
