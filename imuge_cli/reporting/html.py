"""One self-contained HTML page: no script, no style sheet, no picture from anywhere else."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO

from imuge_cli import __version__
from imuge_cli.errors import OutputError
from imuge_cli.reporting.markup import text
from imuge_cli.reporting.schema import Report
from imuge_cli.reporting.section import cell, section
from imuge_cli.reporting.thumbnails import Thumbnail, suspect_thumbnails
from imuge_cli.reporting.wording import (
    ASSUMED,
    around_text,
    box_text,
    decibel,
    figure,
    inside_regions,
    not_found_text,
    orientation_text,
    percent,
    reference_text,
    regions_text,
    tiles_text,
    tone_text,
    verdict_of,
)

__all__ = [
    "ASSUMED",
    "PageWriter",
    "Thumbnail",
    "around_text",
    "box_text",
    "decibel",
    "figure",
    "inside_regions",
    "not_found_text",
    "page",
    "orientation_text",
    "percent",
    "reference_text",
    "regions_text",
    "suspect_thumbnails",
    "tiles_text",
    "tone_text",
]

_CELL = 200  # pixels of the longer side of a picture in the contact sheet
_MANY = 20  # files, from which on browsers should lay out only what is in sight
_PIECE = 1 << 20
_ORDER = ("error", "tampered", "not-found", "intact", "exact", "immunized")


class PageWriter:
    """Writes a page file by file, in constant memory: what was added waits in temporary files beside the target.

    target: a path, or a binary stream. A path is written atomically by `close`: whole or not at all. As a context
    manager it closes, or aborts where an exception passes through. For one thread.
    """

    def __init__(self, target: Path | BinaryIO, *, title: str, force: bool = False) -> None:
        """Raises OutputError where the target is in the way or its folder cannot be written to."""
        self._target = target
        self._title = title
        self._force = force
        self._counts: Counter[str] = Counter()
        self._cells, self._sections = _spools(target, force)
        self._open = True

    def add(self, report: Report, thumbnails: Sequence[Thumbnail] = ()) -> None:
        """One more file, with its pictures; neither is kept in memory. Raises OutputError."""
        if not self._open:
            raise ValueError("the page is closed")
        number = self._counts.total() + 1
        self._write(self._cells, cell(number, report, _small(thumbnails)))
        self._write(self._sections, section(number, report, thumbnails))
        self._counts[verdict_of(report)] += 1

    def close(self) -> None:
        """Put the page together and write it. Raises OutputError. Once closed or aborted, nothing happens."""
        if not self._open:
            return
        try:
            if isinstance(self._target, Path):
                from imuge_cli.image.atomic import write_chunks

                write_chunks(self._target, self._chunks(), force=self._force)
            else:
                self._target.writelines(self._chunks())
                self._target.flush()
        finally:
            self.abort()

    def abort(self) -> None:
        """Drop everything; no page is written."""
        self._open = False
        self._cells.close()
        self._sections.close()

    def __enter__(self) -> PageWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _write(self, spool: IO[bytes], content: str) -> None:
        try:
            spool.write(content.encode("utf-8"))
        except OSError as error:
            raise _unwritable(self._target, error) from error

    def _chunks(self) -> Iterator[bytes]:
        yield _head(self._title, self._counts).encode("utf-8")
        if self._counts.total() > 1:
            yield b'<nav aria-label="Files"><ul class="sheet">\n'
            yield from _pieces(self._cells)
            yield b"</ul></nav>\n"
        yield b'<main class="many">\n' if self._counts.total() > _MANY else b"<main>\n"
        yield from _pieces(self._sections)
        yield f"</main>\n<footer>imuge {text(__version__)}</footer>\n<script>{_script()}</script>\n".encode()
        yield b"</body></html>\n"


def page(entries: Sequence[tuple[Report, Sequence[Thumbnail]]], *, title: str) -> str:
    """The page for some files, in their order."""
    stream = BytesIO()
    with PageWriter(stream, title=title) as writer:
        for report, thumbnails in entries:
            writer.add(report, thumbnails)
    return stream.getvalue().decode("utf-8")


def _head(title: str, counts: Counter[str]) -> str:
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_fingerprint(_style())}'; "
        f"script-src '{_fingerprint(_script())}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n"
        '<link rel="icon" href="data:,">\n'  # or browsers ask the server for one
        f"<style>{_style()}</style></head>\n<body>\n"
        f'<header><h1>{text(title)}</h1><p class="counts">{text(_summary(counts))}</p></header>\n'
    )


def _summary(counts: Counter[str]) -> str:
    """`3 files: 2 tampered, 1 intact`."""
    total = counts.total()
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _ORDER if counts[verdict])
    return f"{total} {'file' if total == 1 else 'files'}" + (f": {told}" if told else "")


def _small(thumbnails: Sequence[Thumbnail]) -> Thumbnail | None:
    """The first picture, in the contact sheet's size."""
    if not thumbnails:
        return None
    from imuge_cli.image.preview import smaller

    first = thumbnails[0]
    small = smaller(first.data, _CELL)
    return Thumbnail(first.caption, small.data, small.mime, first.height, first.width)


def _spools(target: Path | BinaryIO, force: bool) -> tuple[IO[bytes], IO[bytes]]:
    """Two nameless files, gone with the process whatever happens to it; beside the target, where there is room for it.

    Found out before any work is done: whether the target may be written at all.
    """
    folder = _folder(target, force) if isinstance(target, Path) else None
    try:
        return tempfile.TemporaryFile(dir=folder), tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise _unwritable(target, error) from error


def _folder(target: Path, force: bool) -> Path | None:
    """Where the page will lie, or the nearest folder above that exists; None (anywhere) for devices and pipes."""
    if os.path.isdir(target):
        raise OutputError(f"{target}: is a folder, not a file; name a file inside it")
    if os.path.exists(target) and not os.path.isfile(target):
        return None
    if os.path.isfile(target) and not force:
        raise OutputError(f"{target}: exists already; use --force to replace it")
    folder = target.resolve().parent
    while not os.path.exists(folder):
        folder = folder.parent
    return folder


def _unwritable(target: Path | BinaryIO, error: OSError) -> OutputError:
    where = target if isinstance(target, Path) else "the page"
    return OutputError(f"{where}: cannot be written ({error.strerror or error}); choose another place with --report")


def _pieces(spool: IO[bytes]) -> Iterator[bytes]:
    spool.seek(0)
    while piece := spool.read(_PIECE):
        yield piece


def _fingerprint(content: str) -> str:
    """As a content security policy names the one script or style that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")


@cache
def _style() -> str:
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")


@cache
def _script() -> str:
    return Path(__file__).with_name("page.js").read_text(encoding="utf-8")
