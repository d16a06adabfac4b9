"""Two streams: data on stdout, everything said to a person on stderr."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

from imuge_cli.errors import OutputError

Item = TypeVar("Item")


class Console:
    """Prints for one command. quiet drops notes and warnings, never errors or data; verbose adds details."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def data(self, text: str) -> None:
        """A result, on stdout."""
        with self._lock:
            _print(text, sys.stdout)

    def data_bytes(self, content: bytes) -> None:
        """A file's content, on stdout. Raises OutputError where it takes no more, a full disk behind it, say."""
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"stdout: cannot be written ({error.strerror})") from error

    def note(self, text: str) -> None:
        """Something worth knowing."""
        if not self.quiet:
            self._message(text)

    def detail(self, text: str) -> None:
        """Something worth knowing for those who asked with --verbose."""
        if self.verbose and not self.quiet:
            self._message(text)

    def once(self, text: str, *, label: str = "note") -> None:
        """A note or warning that a batch would repeat for every file."""
        with self._lock:
            said = text in self._said
            self._said.add(text)
        if not said and not self.quiet:
            self._message(f"{label}: {text}")

    def repeat(self, text: str) -> None:
        """A message that was made elsewhere."""
        self._message(text)

    def error(self, error: BaseException | str, *, file: str | None = None) -> None:
        """What went wrong, in one line, naming the file; with a traceback where one is wanted and useful."""
        text = str(error) or (type(error).__name__ if isinstance(error, BaseException) else "")
        if file is not None and file not in text:
            text = f"{file}: {text}"
        self._message(f"{_coloured('error', '31')}: {one_line(text)}")

    def unexpected(self, error: BaseException, *, file: str | None = None) -> None:
        """A fault of the program: one line, and the traceback with --verbose or IMUGE_DEBUG=1."""
        hint = "" if self._wants_traceback() else " (IMUGE_DEBUG=1 shows where)"
        self.error(f"unexpected {type(error).__name__}: {error}{hint}", file=file)
        if self._wants_traceback():
            self._message("".join(traceback.format_exception(error)).rstrip())

    def track(self, items: Iterable[Item], total: int) -> Iterator[Item]:
        """Passes items through; with a progress bar where stderr is a terminal and there are several."""
        if self.quiet or total < 2 or not sys.stderr.isatty():
            yield from items
            return
        from rich import progress
        from rich.console import Console as RichConsole

        bar = progress.Progress(
            progress.TextColumn("imuge"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.fields[rate]}, left"),
            progress.TimeRemainingColumn(),
            console=RichConsole(stderr=True),
            transient=True,
        )
        with bar:
            task = bar.add_task("imuge", total=total, rate="-")
            for item in items:
                yield item
                bar.advance(task)
                speed = bar.tasks[0].speed
                bar.update(
                    task, rate=f"{1 / speed:.1f} s each" if speed and speed < 1 else f"{speed or 0:.1f} a second"
                )

    def _wants_traceback(self) -> bool:
        return self.verbose or os.environ.get("IMUGE_DEBUG") == "1"

    def _message(self, text: str) -> None:
        with self._lock:
            _print(f"imuge: {text}", sys.stderr)


_current = Console()


def configure(*, quiet: bool = False, verbose: bool = False) -> Console:
    """The console of the command that now runs; the handler of unexpected errors uses it too."""
    global _current
    _current = Console(quiet=quiet, verbose=verbose)
    return _current


def current() -> Console:
    """The console configured last."""
    return _current


def one_line(text: str) -> str:
    """Control characters replaced: a message is one line whatever a file is called."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


@contextmanager
def silenced_pipe() -> Iterator[None]:
    """A reader that went away (`| head`) is no error worth a message: what is left goes nowhere."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(2) from None


def _coloured(text: str, code: str) -> str:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty():
        return text
    return f"\033[{code}m{text}\033[0m"


def _print(text: str, stream: TextIO) -> None:
    # File names need not be valid text in the terminal's encoding; what cannot be shown is escaped.
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
