"""A long run of the fuzzers: `python tests/fuzz/run.py --inputs 100000` prints a table, and exits with 1 on a finding.

Every target's inputs are numbered; `--only NAME --from N --inputs 1` repeats one. A target runs in a process of its
own, which is killed where one input takes longer than the limit, and started again behind it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

SHARES = {"exact layer, pixels": 0.05, "weights": 0.05, "configuration": 0.05, "key files": 0.05, "whole way": 0.002}
"""Slow ones get fewer of the inputs; what is left is shared evenly."""
SELF_TESTS = ("self-test: crash", "self-test: hang")
_SHOWN = 5
_READY, _LOADING = -1, 120.0
"""What a process says that is ready, and the seconds that it may take until then."""


@dataclass
class Findings:
    """Of one target. peak_mb: most resident memory, of 10^6 bytes; slowest: seconds of one input."""

    inputs: int
    crashes: list[str] = field(default_factory=list)
    hangs: list[int] = field(default_factory=list)
    peak_mb: float = 0.0
    begun_mb: float = 0.0
    slowest: float = 0.0
    seconds: float = 0.0

    @property
    def row(self) -> str:
        """Cells behind the name."""
        counts = f"{self.inputs} | {len(self.crashes)} | {len(self.hangs)}"
        return f"{counts} | {self.slowest:.2f} | {self.begun_mb:.0f} | {self.peak_mb:.0f} | {self.seconds:.0f}"


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--from", dest="first", type=int, default=0, help="number of the first one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds that one input may take")
    parser.add_argument("--only", action="append", help="a target's name; may be repeated")
    given = parser.parse_args(arguments)
    from targets import TARGETS

    names = given.only or list(TARGETS)
    _tell("| what is damaged | inputs | crashes | hangs | slowest, s | memory at first, MB | at most, MB | time, s |")
    _tell("|---|---:|---:|---:|---:|---:|---:|---:|")
    found = False
    for name, count in _counts(names, given.inputs).items():
        findings = _run(name, given.first, count, given.seed, given.limit)
        _tell(f"| {name} | {findings.row} |")
        for told in [*findings.crashes, *(f"input {number}: no answer in time" for number in findings.hangs)][:_SHOWN]:
            sys.stderr.write(f"{name}: {told}\n")
        found |= bool(findings.crashes or findings.hangs)
    return 1 if found else 0


def _counts(names: list[str], inputs: int) -> dict[str, int]:
    if len(names) == 1:
        return {names[0]: inputs}
    slow = {name: round(inputs * SHARES[name]) for name in names if name in SHARES}
    even = [name for name in names if name not in slow]
    left = (inputs - sum(slow.values())) // max(1, len(even))
    return {name: slow.get(name, left) for name in names}


def _run(name: str, first: int, count: int, seed: int, limit: float) -> Findings:
    """All inputs of one target."""
    findings, started, at = Findings(count), time.monotonic(), first
    context = multiprocessing.get_context("spawn")
    while at < first + count:
        ours, theirs = context.Pipe(False)
        process = context.Process(target=_work, args=(name, at, first + count, seed, theirs), daemon=True)
        process.start()
        theirs.close()
        at = _listen(ours, at, findings, limit)
        process.kill()
        process.join()
    findings.seconds = time.monotonic() - started
    return findings


def _listen(messages: Connection, at: int, findings: Findings, limit: float) -> int:
    """Until the worker is through, hangs or dies; the number of the input to go on with."""
    patience = _LOADING
    while True:
        if not messages.poll(patience):
            findings.hangs.append(at)
            return at + 1
        try:
            number, seconds, memory, crash = messages.recv()
        except EOFError:
            findings.crashes.append(f"input {at}: the process died")
            return at + 1
        patience = limit
        if number is None:
            return sys.maxsize
        if number == _READY:
            continue
        at = number + 1
        findings.begun_mb = findings.begun_mb or memory
        findings.peak_mb = max(findings.peak_mb, memory)
        findings.slowest = max(findings.slowest, seconds)
        if crash:
            findings.crashes.append(f"input {number}: {crash}")


def _work(name: str, first: int, end: int, seed: int, messages: Connection) -> None:
    from targets import TARGETS

    target = {"self-test: crash": _crash, "self-test: hang": _hang, **TARGETS}[name]
    # libtiff and others tell their troubles on stderr themselves
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    messages.send((_READY, 0.0, 0.0, ""))
    for number in range(first, end):
        started, crash = time.monotonic(), ""
        try:
            target(np.random.default_rng([seed, number]))
        except Exception:
            crash = traceback.format_exc(limit=-3)
        messages.send((number, time.monotonic() - started, _resident(), crash))
    messages.send((None, 0.0, 0.0, ""))


def _crash(rng: np.random.Generator) -> None:
    if int(rng.integers(20)) == 0:
        raise ZeroDivisionError("a crash to be found")


def _hang(rng: np.random.Generator) -> None:
    if int(rng.integers(4)) == 3:
        time.sleep(1000)


def _resident() -> float:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
