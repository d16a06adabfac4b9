"""The loop over files: one bad file neither stops the others nor hides among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from imuge_cli.cli.console import Console
from imuge_cli.errors import ImugeError

if TYPE_CHECKING:
    from imuge_cli.reporting.html import Thumbnail
    from imuge_cli.reporting.schema import Report

_SEVERITY = {0: 0, 3: 1, 1: 2, 2: 3}


class Named(Protocol):
    """Anything a batch can work on: it needs a name to be spoken of."""

    @property
    def name(self) -> str: ...


Task = TypeVar("Task", bound=Named)


@dataclass(frozen=True)
class Outcome:
    """What one file came to. text: for people; report: for `--json` and `--report`."""

    report: Report
    text: str
    thumbnails: tuple[Thumbnail, ...] = ()
    failed: bool = False

    @property
    def exit_code(self) -> int:
        return self.report.exit_code


def worst(codes: Sequence[int]) -> int:
    """The exit code of a batch: 2 over 1 over 3 over 0."""
    return max(codes, key=lambda code: _SEVERITY.get(code, _SEVERITY[2]), default=0)


def run_batch(
    command: str,
    tasks: Sequence[Task],
    work: Callable[[Task], Outcome],
    *,
    console: Console,
    json: bool = False,
    data_on_stdout: bool = False,
    jobs: int = 1,
) -> list[Outcome]:
    """Work on every task, telling the outcomes in the tasks' order; returns them.

    json: one object per file on stdout, for failed files too. data_on_stdout: a picture goes there, so text
    is told on stderr. jobs: threads; the networks and codecs release Python's lock while they compute.
    """

    def guarded(task: Task) -> Outcome:
        try:
            return work(task)
        except Exception as error:
            return _failure(command, task.name, error, console)

    outcomes = []
    for outcome in console.track(_ordered(tasks, guarded, jobs), len(tasks)):
        if json:
            from imuge_cli.reporting.schema import to_line

            console.data(to_line(outcome.report))
        elif outcome.text and not outcome.failed:
            (console.note if data_on_stdout else console.data)(outcome.text)
        outcomes.append(outcome)
    return outcomes


def _ordered(tasks: Sequence[Task], work: Callable[[Task], Outcome], jobs: int) -> Iterator[Outcome]:
    if jobs == 1 or len(tasks) < 2:
        yield from map(work, tasks)
        return
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work, task) for task in tasks]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _failure(command: str, name: str, error: Exception, console: Console) -> Outcome:
    from imuge_cli.reporting import error_report

    if isinstance(error, BrokenPipeError):
        raise error
    if isinstance(error, ImugeError):
        code = error.exit_code if command == "verify" else 2
        console.error(error, file=name)
    else:
        code = 2
        console.unexpected(error, file=name)
    report = error_report(command, file=name, exit_code=code, error=error)
    return Outcome(report, str(error), failed=True)
