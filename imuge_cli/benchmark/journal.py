"""What an unfinished run has measured, picture by picture, so that another one can go on where it stopped."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from imuge_cli import __version__
from imuge_cli.benchmark.rows import CaseRow, EmbeddingRow, EngineFacts, ForeignRow, UntamperedRow
from imuge_cli.benchmark.sheet import TILE, Strip
from imuge_cli.benchmark.store import JOURNAL
from imuge_cli.benchmark.worker import Place, Row, Work
from imuge_cli.errors import InputError, OutputError, UsageError
from imuge_cli.image.atomic import write_bytes
from imuge_cli.image.picture import Picture
from imuge_cli.image.read import read_picture
from imuge_cli.image.write import encode_picture
from imuge_cli.reporting.schema import plain

SCHEMA = "imuge.bench-journal/1"
_KINDS: dict[str, type[Row]] = {
    kind.__name__: kind for kind in (EngineFacts, EmbeddingRow, CaseRow, UntamperedRow, ForeignRow)
}
_STRIP = Strip.__name__


@dataclass(frozen=True)
class Done:
    """A picture with all its rows. seconds: that the run had taken by then, those before an interruption included."""

    place: Place
    rows: tuple[Row, ...]
    seconds: float


class Journal:
    """A file of one JSON object a line: what the run was asked for, then every finished picture as it comes."""

    def __init__(self, path: Path, done: tuple[Done, ...] = ()) -> None:
        """done: what is in it already."""
        self._path, self.done = path, done

    @classmethod
    def begin(cls, folder: Path, work: Work) -> Journal:
        """An empty one, over an earlier one's. Raises OutputError."""
        path = folder / JOURNAL
        write_bytes(path, _line(_heading(work)), force=True)
        return cls(path)

    @classmethod
    def resume(cls, folder: Path, work: Work) -> Journal:
        """The one that is there. Raises UsageError where there is none, or one of other work.

        A last line that was not written to its end, for the run was killed meanwhile, is as if it were not there.
        """
        path = folder / JOURNAL
        try:
            lines = path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            raise UsageError(f"--resume: {folder} holds no interrupted run; start one without --resume") from None
        except OSError as error:
            raise UsageError(f"--resume: {path} cannot be read ({error.strerror or error})") from error
        try:
            heading, *rest = map(json.loads, lines)
            done = tuple(_done(line) for line in rest)
        except (ValueError, KeyError, TypeError, InputError) as error:
            raise UsageError(f"--resume: {path} is damaged ({error}); start anew with --force") from error
        _compare(heading, _heading(work), folder)
        # Written anew, so that what comes next does not follow half a line.
        write_bytes(path, b"".join(line + b"\n" for line in lines), force=True)
        return cls(path, done)

    def add(self, done: Done) -> None:
        """Once this returns the picture is on the disk. Raises OutputError."""
        rows = [_packed(row) for row in done.rows]
        try:
            with self._path.open("ab") as stream:
                stream.write(_line({**asdict(done.place), "seconds": done.seconds, "rows": rows}))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            reason = error.strerror or str(error)
            raise OutputError(f"{self._path}: cannot be written ({reason}); choose another place with --out") from error

    def remove(self) -> None:
        """The run is over, and all is in its tables."""
        self._path.unlink(missing_ok=True)


def _heading(work: Work) -> dict[str, Any]:
    """What two runs must have in common. What the engine is shows in its own rows."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "settings": plain(work.settings),
        "pictures": [path.name for path in work.paths],
        "sheet": work.sheet,
        "another secret": work.make_stranger is not None,
    }


def _compare(found: Any, wanted: dict[str, Any], folder: Path) -> None:
    for name, value in wanted.items():
        other = found.get(name) if isinstance(found, dict) else None
        if other != value:
            raise UsageError(
                f"--resume: the interrupted run in {folder} is of other {name}: {_differing(other, value)}; repeat its "
                "options, or start anew with --force"
            )


def _differing(found: Any, wanted: Any) -> str:
    """What is there and what was asked for, of settings only the first that differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        name = next(key for key in wanted if found.get(key) != wanted[key])
        return f"{name} {_short(found.get(name))}, not {_short(wanted[name])}"
    return f"{_short(found)}, not {_short(wanted)}"


def _short(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) < 60 else f"{text[:56]} ..."


def _line(value: Any) -> bytes:
    # Infinite decibels mean that every bit is there; JSON proper has no word for that, Python's has.
    return json.dumps(value, default=_number).encode("ascii") + b"\n"


def _number(value: Any) -> Any:
    """NumPy's as Python's."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in a journal")


def _packed(row: Row) -> dict[str, Any]:
    if isinstance(row, Strip):
        tall = encode_picture(Picture(pixels=np.concatenate(row.tiles)), "png").data
        return {_STRIP: {"caption": row.caption, "tiles": base64.b64encode(tall).decode("ascii")}}
    return {type(row).__name__: {field.name: getattr(row, field.name) for field in fields(row)}}


def _unpacked(packed: dict[str, Any]) -> Row:
    ((kind, values),) = packed.items()
    if kind == _STRIP:
        tall = read_picture(BytesIO(base64.b64decode(values["tiles"]))).as_uint8()
        return Strip(values["caption"], tuple(tall[top : top + TILE] for top in range(0, len(tall), TILE)))
    return _KINDS[kind](**values)


def _done(line: dict[str, Any]) -> Done:
    rows: Sequence[dict[str, Any]] = line["rows"]
    return Done(Place(line["size"], line["index"]), tuple(map(_unpacked, rows)), line["seconds"])
