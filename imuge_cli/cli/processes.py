"""Several files at a time in processes of their own: networks and codecs leave little for threads to share."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from imuge_cli.cli.console import Console

Task = TypeVar("Task")
Result = TypeVar("Result")
AHEAD = 2
"""Files that are begun for each job before the first of them is told: enough that no job waits, and few enough that
thousands of files take no more memory than some."""


class Recorder(Console):
    """Keeps what a worker says, for the one console that people see."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        super().__init__(quiet=quiet, verbose=verbose)
        self.said: list[tuple[str, str | None]] = []

    def once(self, text: str, *, label: str = "note") -> None:
        """See Console; whether it was said already the other one knows."""
        self.said.append((text, label))

    def _message(self, text: str) -> None:
        self.said.append((text, None))


@dataclass(frozen=True)
class Lost(Generic[Task]):
    """A task over which its process died."""

    task: Task


@dataclass(frozen=True)
class Told(Generic[Result]):
    """What a task came to, and what was said on the way: text and label, None for messages as they are."""

    result: Result
    said: list[tuple[str, str | None]] = field(default_factory=list)

    def say(self, console: Console) -> None:
        """On the console that people see."""
        for text, label in self.said:
            if label is None:
                console.repeat(text)
            else:
                console.once(text, label=label)


class Crew(Generic[Task, Result]):
    """Processes that all made the same work for themselves.

    make: gives what does one task, told the console to speak to; it and what it is made of can be pickled. jobs: how
    many processes; the cores are shared out among them.
    """

    def __init__(self, make: Callable[[], Callable[[Task, Console], Result]], jobs: int, console: Console) -> None:
        self._make, self._jobs, self._console = make, jobs, console

    def results(self, tasks: Iterable[Task]) -> Iterator[Told[Result] | Lost[Task]]:
        """In the tasks' order. A process that dies takes no other task with it."""
        left = iter(tasks)
        while True:
            begun: deque[tuple[Task, Future[Told[Result]]]] = deque()
            with self._pool(self._jobs) as pool:
                try:
                    for task in left:
                        begun.append((task, pool.submit(_do, task)))
                        if len(begun) == AHEAD * self._jobs:
                            yield begun[0][1].result()
                            begun.popleft()
                    while begun:
                        yield begun[0][1].result()
                        begun.popleft()
                    return
                except BrokenProcessPool:
                    pass
                finally:
                    pool.shutdown(wait=True, cancel_futures=True)
            # One of these killed its process, and nobody knows which: one by one.
            for task, _ in begun:
                yield self._alone(task)

    def _alone(self, task: Task) -> Told[Result] | Lost[Task]:
        with self._pool(1) as pool:
            try:
                return pool.submit(_do, task).result()
            except BrokenProcessPool:
                return Lost(task)

    def _pool(self, jobs: int) -> ProcessPoolExecutor:
        threads = max(1, _cores() // self._jobs)
        # spawned: a fork would inherit torch's threads in whatever state they are
        return ProcessPoolExecutor(
            jobs,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(self._make, threads, self._console.quiet, self._console.verbose),
        )


_here: dict[str, Any] = {}


def _begin(make: Callable[[], Any], threads: int, quiet: bool, verbose: bool) -> None:
    """Whoever started the batch is interrupted, and waits for the files at hand."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Before anything is imported that reads it.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    _here.update(work=make(), quiet=quiet, verbose=verbose)


def _end_with_parent() -> None:
    """Whoever is killed must leave no process behind that waits for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(task: Any) -> Told[Any]:
    console = Recorder(quiet=_here["quiet"], verbose=_here["verbose"])
    return Told(_here["work"](task, console), console.said)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
