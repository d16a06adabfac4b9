from __future__ import annotations

import gc
import io
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from running import run

from imuge_cli.cli.batch import Outcome, Tally, run_batch
from imuge_cli.cli.console import Console
from imuge_cli.reporting.html import Thumbnail
from imuge_cli.reporting.schema import Report

Maker = Callable[..., Path]
BOX = (slice(20, 30), slice(10, 34))


@dataclass(frozen=True)
class Task:
    name: str


class Blob(bytes):
    """Bytes that can be watched."""


def tasks(count: int) -> list[Task]:
    return [Task(f"{number:03}.png") for number in range(count)]


def outcome(task: Task, png: bytes = b"") -> Outcome:
    return Outcome(Report("verify", "0", task.name, 0), task.name, (Thumbnail("suspect", png),))


@pytest.mark.parametrize("jobs", [1, 3])
def test_outcomes_come_in_order_and_are_not_kept(jobs: int) -> None:
    alive: weakref.WeakSet[Blob] = weakref.WeakSet()
    lock, seen, most = threading.Lock(), [], 0

    def work(task: Task, console: Console) -> Outcome:
        time.sleep(0.002 * (task.name[2] == "0"))  # some take longer than those after them
        blob = Blob(100)
        with lock:
            alive.add(blob)
        return outcome(task, blob)

    def each(one: Outcome) -> None:
        nonlocal most
        seen.append(one.report.file)
        gc.collect()
        most = max(most, len(alive))

    tally = run_batch("verify", tasks(60), lambda: work, console=Console(quiet=True), jobs=jobs, each=each)
    assert seen == [task.name for task in tasks(60)] and tally.files == 60
    assert most <= 2 * jobs + 2  # not 60


def test_no_more_than_some_files_are_begun_ahead() -> None:
    begun: list[str] = []

    def work(task: Task, console: Console) -> Outcome:
        begun.append(task.name)
        return outcome(task)

    def each(one: Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch("verify", tasks(100), lambda: work, console=Console(quiet=True), jobs=2, each=each)
    assert len(begun) < 10


def test_the_summary_counts_and_names() -> None:
    tally = Tally()
    for number in range(25):
        tally.add(Outcome(Report("verify", "0", f"{number}.png", 2), "", failed=True))
    tally.add(outcome(Task("good.png")))
    told = tally.summary(3700)
    assert tally.exit_code == 2
    assert told.startswith("26 files in 1 h 1 min: 1 done; 25 failed: 0.png, 1.png, ") and told.endswith("5 more")
    assert "in 2 min 5 s" in tally.summary(125) and "in 1.5 s" in tally.summary(1.5)


def test_a_batch_is_summed_up_on_stderr(engines: list[FakeEngine], suspect: Maker, picture: Maker) -> None:
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    names = [suspect("i.png"), suspect("t.png", BOX), suspect("u.png", BOX), picture("n.png"), "broken.png"]
    ran = run("verify", *names)
    assert ran.code == 2
    assert "5 files in" in ran.err and "4 done (1 intact, 1 not-found, 2 tampered); 1 failed: broken.png" in ran.err
    assert "files in" not in ran.out and "files in" not in run("verify", *names, "--quiet").err
    assert "files in" not in run("verify", names[0]).err


@pytest.mark.parametrize("end", ["\n", "\0", "\r\n"])
def test_names_come_from_a_file(engines: list[FakeEngine], suspect: Maker, end: str) -> None:
    suspect("a.png"), suspect("with space.png", BOX), suspect("c.png")
    Path("list").write_bytes(end.join(["with space.png", "", "c.png", ""]).encode())
    reports = run("verify", "--files-from", "list", "--json").objects
    assert [report["file"] for report in reports] == ["c.png", "with space.png"]
    reports = run("verify", "a.png", "--files-from", "list", "--json").objects
    assert [report["file"] for report in reports] == ["a.png", "c.png", "with space.png"]


def test_names_come_from_stdin(engines: list[FakeEngine], suspect: Maker, picture: Maker) -> None:
    suspect("a.png")
    (report,) = run("verify", "--files-from", "-", "--json", stdin=b"a.png\n").objects
    assert report["file"] == "a.png"
    picture("p.png")
    assert run("immunize", "--files-from", "-", stdin=b"p.png\n").code == 0 and Path("p.immunized.bmp").exists()
    ran = run("verify", "-", "--files-from", "-", stdin=b"a.png\n")
    assert ran.code == 2 and "stdin cannot hold both" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no pictures named"),
        (("--files-from", "none"), "none: cannot read the list of pictures"),
        (("--files-from", "empty"), "empty: names no pictures"),
    ],
)
@pytest.mark.parametrize("command", ["immunize", "verify", "recover"])
def test_no_names_are_an_error(engines: list[FakeEngine], command: str, arguments: tuple[str, ...], said: str) -> None:
    Path("empty").write_bytes(b"\n\n")
    ran = run(command, *arguments)
    assert ran.code == 2 and said in ran.err and engines == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_tells_rate_and_time_left_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "120")

    def work(task: Task, console: Console) -> Outcome:
        time.sleep(0.02)
        return outcome(task)

    run_batch("verify", tasks(12), lambda: work, console=Console())
    shown = stream.getvalue()
    assert "/12" in shown and "left" in shown and "12 files in" in shown
    assert "a second" in shown or "s each" in shown


def test_reports_name_every_file_by_its_hash(engines: list[FakeEngine], suspect: Maker, picture: Maker) -> None:
    """What was read, what was written, stdin and files that fail included."""
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    tampered = suspect("t.png", BOX)
    reports = run("recover", tampered, "broken.png", "missing.png", "--mask-out", "--json").objects
    by_name = {report["file"]: report for report in reports}
    assert by_name["t.png"]["input_sha256"] == sha256(tampered.read_bytes()).hexdigest()
    assert by_name["t.png"]["output_sha256"] == {
        "picture": sha256(Path("t.recovered.bmp").read_bytes()).hexdigest(),
        "mask": sha256(Path("t.mask.png").read_bytes()).hexdigest(),
    }
    assert by_name["broken.png"]["input_sha256"] == sha256(Path("broken.png").read_bytes()).hexdigest()
    assert by_name["missing.png"]["input_sha256"] is None
    (report,) = run("verify", "-", "--json", stdin=tampered.read_bytes()).objects
    assert report["input_sha256"] == sha256(tampered.read_bytes()).hexdigest()
    (report,) = run("immunize", picture("p.png"), "--json").objects
    assert report["output_sha256"] == {"picture": sha256(Path("p.immunized.bmp").read_bytes()).hexdigest()}


def test_a_page_goes_to_stdout_too(engines: list[FakeEngine], suspect: Maker) -> None:
    ran = run("verify", suspect("t.png", BOX), "--report", "-", "--quiet")
    assert "<!doctype html>" in ran.out and ran.out.rstrip().endswith("</html>")


def test_a_page_that_cannot_be_written_is_told_before_any_work(engines: list[FakeEngine], suspect: Maker) -> None:
    suspect("t.png", BOX)
    Path("folder").mkdir()
    Path("page.html").write_bytes(b"precious")
    for name in ("folder", "page.html"):
        ran = run("verify", "t.png", "--report", name)
        assert ran.code == 2 and name in ran.err and ran.out == ""
    assert not any(engine.calls for engine in engines)
