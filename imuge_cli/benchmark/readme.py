"""Putting tables between the markers of a Markdown file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from imuge_cli.errors import InputError, UsageError
from imuge_cli.image.atomic import write_bytes

_MARKER = re.compile(r"^[ \t]*<!--[ \t]*bench:(begin|end)[ \t]+([\w.-]+)[ \t]*-->[ \t]*$")


def names_in(path: Path) -> list[str]:
    """The names between whose markers the file has room, in order. Raises InputError or UsageError."""
    return [name for name, _, _ in _sections(_read(path).split("\n"), path)]


def update_markdown(path: Path, tables: Mapping[str, str]) -> list[str]:
    """Put tables between `<!-- bench:begin NAME -->` and `<!-- bench:end NAME -->`, each on its own line.

    What stood between them goes; everything else stays as it is, and so do sections whose name is not in
    `tables`. Returns the names that were written. Raises InputError where the file cannot be read, UsageError
    where it has no markers or they do not pair up, OutputError.
    """
    lines = _read(path).split("\n")
    written = []
    for name, begin, end in reversed(_sections(lines, path)):  # from below: line numbers above stay right
        if name in tables:
            lines[begin + 1 : end] = ["", *tables[name].strip("\n").split("\n"), ""]
            written.append(name)
    if written:
        write_bytes(path, "\n".join(lines).encode("utf-8"), force=True)
    return written[::-1]


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise InputError(f"{path}: cannot be read ({reason}); name a Markdown file") from error


def _sections(lines: list[str], path: Path) -> list[tuple[str, int, int]]:
    """(name, line of begin, line of end), numbers from 0."""
    found, open_name, open_line = [], "", -1
    for at, line in enumerate(lines):
        match = _MARKER.match(line)
        if match is None:
            continue
        kind, name = match[1], match[2]
        fits = open_line < 0 if kind == "begin" else open_line >= 0 and name == open_name
        if not fits:
            raise UsageError(f"{path}, line {at + 1}: 'bench:{kind} {name}' has no partner; pair the markers")
        if kind == "begin":
            open_name, open_line = name, at
        else:
            found.append((name, open_line, at))
            open_line = -1
    if open_line >= 0:
        raise UsageError(f"{path}, line {open_line + 1}: 'bench:begin {open_name}' has no end; add one")
    if not found:
        raise UsageError(f"{path}: has no markers; add '<!-- bench:begin goals -->' and its end")
    return found
