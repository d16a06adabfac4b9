"""Several workers side by side, each a fresh process with engines of its own."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from imuge_cli.benchmark.machine import this_machine
from imuge_cli.benchmark.worker import Block, Step, Work, Worker
from imuge_cli.errors import ImugeError

_PATIENCE = 5.0
"""Seconds that a process gets to end."""


class WorkerTraceback(Exception):
    """Where an error came from: the cause of what a worker raised, as text, for tracebacks stay in their process."""


@dataclass(frozen=True)
class _Failure:
    """The last that a worker says. where: its traceback."""

    error: BaseException
    where: str


@dataclass(frozen=True)
class _Member:
    """A worker, seen from outside. It says None whenever it has nothing to do."""

    process: SpawnProcess
    line: Connection


class Crew:
    """Workers that are ready. Raises what a worker raises; ImugeError where one ends without a word."""

    def __init__(self, members: list[_Member]) -> None:
        self._members = members

    def steps(self, blocks: Iterable[Block]) -> Iterator[Step]:
        """Every row of every block, as they come: a picture's rows in order, pictures among each other."""
        waiting = deque(blocks)
        busy: dict[object, _Member] = {member.line: member for member in self._members if _hand_out(member, waiting)}
        while busy:
            for line in wait([member.line for member in busy.values()]):
                message = _hear(busy[line])
                if message is not None:
                    yield message
                elif not _hand_out(busy[line], waiting):
                    del busy[line]


@contextmanager
def crew(work: Work, jobs: int) -> Iterator[Crew]:
    """So many workers, until the block ends. Their engines are made first, and raise what they raise here."""
    threads = max(1, this_machine().cores // jobs)
    members: list[_Member] = []
    try:
        for _ in range(jobs):
            members.append(_start(work, threads))
        for member in members:
            _hear(member)
        yield Crew(members)
    finally:
        # whatever they still do, nobody waits for it
        for member in members:
            member.process.terminate()
        for member in members:
            member.line.close()
            member.process.join(_PATIENCE)
            if member.process.is_alive():
                member.process.kill()


def _start(work: Work, threads: int) -> _Member:
    # spawned: a fork would inherit torch's threads in whatever state they are, and cannot use CUDA
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, threads), daemon=True)
    process.start()
    theirs.close()  # the worker's end alone keeps the line open: it breaks when the worker dies
    return _Member(process, ours)


def _hand_out(member: _Member, waiting: deque[Block]) -> bool:
    """Give the next block to a worker, if there is one."""
    if not waiting:
        return False
    try:
        member.line.send(waiting.popleft())
    except OSError:
        raise _lost(member) from None
    return True


def _hear(member: _Member) -> Step | None:
    try:
        message: Step | _Failure | None = member.line.recv()
    except (EOFError, OSError):
        raise _lost(member) from None
    if isinstance(message, _Failure):
        raise message.error from WorkerTraceback(message.where)
    return message


def _lost(member: _Member) -> ImugeError:
    member.process.join(_PATIENCE)
    return ImugeError(
        f"a worker ended with exit code {member.process.exitcode} (is there memory for so many?); use fewer --jobs"
    )


def _serve(line: Connection, work: Work, threads: int) -> None:
    """The worker's process: blocks come in, rows go out, until the line breaks."""
    # Ctrl-C reaches every process of the terminal; the first one saves what is done, and ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _limit(threads)
        worker = Worker(work)
        line.send(None)
        while True:
            for step in worker.steps(line.recv()):
                line.send(step)
            line.send(None)
    except BaseException as error:
        with suppress(OSError):  # the first process is gone, and nobody is left to be told
            line.send(_failure(error))


def _limit(threads: int) -> None:
    """Keep torch to this worker's share of the cores, or to less where the environment says so."""
    import torch

    torch.set_num_threads(min(threads, torch.get_num_threads()))


def _failure(error: BaseException) -> _Failure:
    where = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # some can be packed but not unpacked again, which would hide what happened
        error = RuntimeError(f"{type(error).__name__}: {error}")
    return _Failure(error, where)
