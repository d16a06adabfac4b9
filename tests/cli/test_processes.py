"""Batches in processes of their own, with the real engine and with work that kills its process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from photographs import photograph

from imuge_cli.cli.batch import Outcome, run_batch
from imuge_cli.cli.console import Console
from imuge_cli.image.picture import Picture
from imuge_cli.image.write import write_picture
from imuge_cli.reporting.schema import Report


@dataclass(frozen=True)
class Task:
    name: str


def make(deadly: tuple[str, ...] = ()) -> partial[Outcome]:
    return partial(work, os.getpid(), deadly)


def work(made_in: int, deadly: tuple[str, ...], task: Task, console: Console) -> Outcome:
    assert made_in == os.getpid()  # each process has made it for itself
    time.sleep(0.15)  # so long that on a busy machine both processes have started before all is done
    if task.name in deadly:
        os._exit(9)
    if task.name == "bad":
        raise ZeroDivisionError("a fault")
    console.once("said once")
    console.note(f"note of {task.name}")
    return Outcome(Report("verify", "0", task.name, 0, warnings=(str(os.getpid()),)), task.name)


def run(names: list[str], deadly: tuple[str, ...] = ()) -> tuple[list[Outcome], int]:
    outcomes: list[Outcome] = []
    tally = run_batch(
        "verify",
        [Task(name) for name in names],
        partial(make, deadly),
        console=Console(),
        jobs=2,
        processes=True,
        each=outcomes.append,
    )
    return outcomes, tally.exit_code


def test_order_faults_and_messages_are_as_in_one_process(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["a", "b", "bad", *(str(number) for number in range(20))]
    outcomes, code = run(names)
    assert [one.report.file for one in outcomes] == names and code == 2
    processes = {one.report.warnings[0] for one in outcomes if not one.failed}
    assert len(processes) == 2 and str(os.getpid()) not in processes
    err = capsys.readouterr().err
    assert err.count("said once") == 1 and err.count("note of ") == 22
    assert "error: bad: unexpected ZeroDivisionError: a fault (IMUGE_DEBUG=1 shows where)" in err


def test_a_process_that_dies_takes_no_other_file_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    names = [str(number) for number in range(12)]
    outcomes, code = run(names, deadly=("3", "9"))
    assert [one.report.file for one in outcomes] == names and code == 2
    assert [one.report.file for one in outcomes if one.failed] == ["3", "9"]
    err = capsys.readouterr().err
    assert "error: 3: its process was killed" in err and "12 files in" in err and "2 failed: 3, 9" in err


def test_few_files_stay_in_this_process() -> None:
    outcomes, _ = run(["a", "b", "c"])
    assert {one.report.warnings[0] for one in outcomes} == {str(os.getpid())}


@pytest.mark.slow
def test_a_whole_batch_in_processes(tmp_path: Path) -> None:
    for number in range(7):
        pixels = photograph("astronaut", 30 * number, 100, 160, 176)
        write_picture(Picture(pixels=np.ascontiguousarray(pixels)), tmp_path / "in" / f"{number}.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    env = {**os.environ, "NO_COLOR": "1"}
    env.pop("OMP_NUM_THREADS", None)

    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "imuge_cli", *arguments, "--json", "--jobs", "2", "--device", "cpu"]
        return subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=240)

    done = start("immunize", "in", "-o", "out")
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 2 and [Path(r["file"]).name for r in reports] == [
        *(f"{number}.png" for number in range(7)),
        "broken.png",
    ]
    assert done.stderr.count("running on cpu") == 1 and "7 done; 1 failed: in/broken.png" in done.stderr
    done = start("verify", "out", "--report", "page.html", "--mask-out", "-o", "masks")
    assert done.returncode == 0 and done.stderr.count("7 done (7 exact)") == 1
    assert (tmp_path / "page.html").is_file() and len(list((tmp_path / "masks").rglob("*.mask.png"))) == 7
