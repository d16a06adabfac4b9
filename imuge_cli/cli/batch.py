"""The loop over files: one bad file neither stops the others nor hides among them."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from imuge_cli.cli.console import Console
from imuge_cli.cli.processes import AHEAD, Crew, Lost
from imuge_cli.errors import ImugeError, WorkerError

if TYPE_CHECKING:
    from imuge_cli.reporting.html import Thumbnail
    from imuge_cli.reporting.schema import Report

_SEVERITY = {0: 0, 3: 1, 1: 2, 2: 3}
_NAMED = 20
"""Failed files that a summary names; each was named when it failed, too."""


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


def worst(codes: Iterable[int]) -> int:
    """The exit code of a batch: 2 over 1 over 3 over 0."""
    return max(codes, key=lambda code: _SEVERITY.get(code, _SEVERITY[2]), default=0)


@dataclass
class Tally:
    """What a batch came to. exit_code: the worst. verdicts: how often each, of verify and
    recover. failed: names, in order."""

    files: int = 0
    exit_code: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        self.files += 1
        self.exit_code = worst((self.exit_code, outcome.exit_code))
        if outcome.failed:
            self.failed.append(outcome.report.file)
        elif outcome.report.verification is not None:
            self.verdicts[outcome.report.verification.verdict] += 1

    def summary(self, seconds: float) -> str:
        """For a person, after several files."""
        told = [f"{self.files - len(self.failed):,} done"]
        if self.verdicts:
            told[0] += f" ({', '.join(f'{count:,} {verdict}' for verdict, count in sorted(self.verdicts.items()))})"
        if self.failed:
            named = ", ".join(self.failed[:_NAMED])
            more = f" and {len(self.failed) - _NAMED:,} more" if len(self.failed) > _NAMED else ""
            told.append(f"{len(self.failed):,} failed: {named}{more}")
        return f"{self.files:,} files in {_duration(seconds)}: {'; '.join(told)}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


Work = Callable[[Task, Console], Outcome]


def run_batch(
    command: str,
    tasks: Sequence[Task],
    make: Callable[[], Work[Task]],
    *,
    console: Console,
    json: bool = False,
    data_on_stdout: bool = False,
    jobs: int = 1,
    processes: bool = False,
    each: Callable[[Outcome], None] | None = None,
) -> Tally:
    """Work on every task, telling the outcomes in the tasks' order, and of several how many came to what.

    make: gives what does one task; called here in any case, so that whatever is wrong with it is told before any work.
    json: one object per file on stdout, for failed files too. data_on_stdout: a picture goes there, so text is told on
    stderr. jobs: how many at a time, in threads, or, with `processes` and where there are more than a few files, in
    processes that each call make (which can be pickled then). each: is given every outcome in turn; none is kept, so
    that memory does not grow with the number of files.
    """
    work = make()
    if processes and jobs > 1 and len(tasks) > AHEAD * jobs:
        outcomes = _in_processes(command, tasks, make, jobs, console)
    else:
        outcomes = _in_threads(tasks, partial(_guarded, command, work, console=console), jobs)
    tally, started = Tally(), time.monotonic()
    for outcome in console.track(outcomes, len(tasks)):
        if json:
            from imuge_cli.reporting.schema import to_line

            console.data(to_line(outcome.report))
        elif outcome.text and not outcome.failed:
            (console.note if data_on_stdout else console.data)(outcome.text)
        tally.add(outcome)
        if each is not None:
            each(outcome)
    if tally.files > 1:
        console.note(tally.summary(time.monotonic() - started))
    return tally


def _guarded(command: str, work: Work[Task], task: Task, console: Console) -> Outcome:
    try:
        return work(task, console)
    except Exception as error:
        return _failure(command, task.name, error, console)


def _in_threads(tasks: Sequence[Task], work: Callable[[Task], Outcome], jobs: int) -> Iterator[Outcome]:
    if jobs == 1 or len(tasks) < 2:
        yield from map(work, tasks)
        return
    with ThreadPoolExecutor(jobs) as pool:
        begun: deque[Future[Outcome]] = deque()
        try:
            for task in tasks:
                begun.append(pool.submit(work, task))
                if len(begun) == AHEAD * jobs:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


def _in_processes(
    command: str, tasks: Sequence[Task], make: Callable[[], Work[Task]], jobs: int, console: Console
) -> Iterator[Outcome]:
    crew: Crew[Task, Outcome] = Crew(partial(_guarding, command, make), jobs, console)
    for told in crew.results(tasks):
        if isinstance(told, Lost):
            error = WorkerError("its process was killed (out of memory?); take fewer --jobs, or this file alone")
            yield _failure(command, told.task.name, error, console)
        else:
            told.say(console)
            yield told.result


def _guarding(command: str, make: Callable[[], Work[Task]]) -> Work[Task]:
    return partial(_guarded, command, make())


def _fingerprint(name: str) -> str | None:
    """Of the file that could not be dealt with; None where it cannot even be read."""
    from imuge_cli.reporting import sha256_of

    try:
        return sha256_of(name) if os.path.isfile(name) else None
    except ImugeError:
        return None


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
    report = error_report(command, file=name, exit_code=code, error=error, input_sha256=_fingerprint(name))
    return Outcome(report, str(error), failed=True)
