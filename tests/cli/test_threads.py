from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from imuge_cli.cli import app, options

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if not Path("/proc/loadavg").exists():
    pytest.skip("this system does not tell how many processes run", allow_module_level=True)


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")  # so that it is put back whatever happens
    monkeypatch.delenv("OMP_NUM_THREADS")


def load(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    told, read = iter(lines * 10), Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda self: next(told) if str(self) == "/proc/loadavg" else read(self))


def test_an_idle_machine_is_used_wholly(monkeypatch: pytest.MonkeyPatch) -> None:
    load(monkeypatch, "9.00 9.00 9.00 1/80 11206\n")
    options.leave_busy_cores()
    assert "OMP_NUM_THREADS" not in os.environ


def test_busy_cores_are_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    load(monkeypatch, f"0.00 0.00 0.00 {CORES + 1}/80 11206\n")
    options.leave_busy_cores()
    assert os.environ["OMP_NUM_THREADS"] == "1"


def test_a_moment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    load(monkeypatch, "0 0 0 1/80 1", "0 0 0 9/80 1", "0 0 0 1/80 1", "0 0 0 1/80 1", "0 0 0 9/80 1")
    options.leave_busy_cores()
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("told", ["", "nonsense", "1 2 3"])
def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    load(monkeypatch, told)
    options.leave_busy_cores()
    assert "OMP_NUM_THREADS" not in os.environ


def test_threads_wait_briefly_unless_somebody_said_how(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that it is put back whatever happens
        monkeypatch.delenv(name)
    with pytest.raises(SystemExit):
        app.main(["--version"])
    assert 1000 < int(os.environ["GOMP_SPINCOUNT"]) < 300_000
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    options.wait_briefly()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    options.wait_briefly()
    assert "GOMP_SPINCOUNT" not in os.environ


@pytest.mark.parametrize(
    ("name", "set_it", "allowed"),
    [
        ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", options.keep_few_kernels, range(65, 1024)),
        ("OPENBLAS_NUM_THREADS", options.multiply_on_one_core, range(1, 2)),
    ],
)
def test_libraries_are_held_back_unless_somebody_said_how_far(
    monkeypatch: pytest.MonkeyPatch, name: str, set_it: Callable[[], None], allowed: range
) -> None:
    monkeypatch.setenv(name, "")
    monkeypatch.delenv(name)
    with pytest.raises(SystemExit):
        app.main(["--version"])
    assert int(os.environ[name]) in allowed
    monkeypatch.setenv(name, "7")
    set_it()
    assert os.environ[name] == "7"


def test_what_a_person_said_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    load(monkeypatch, f"0 0 0 {CORES + 5}/80 1")
    options.leave_busy_cores()
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_own_threads_are_no_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries' threads spin for a while after they were loaded."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(1000))

    threads = [threading.Thread(target=spin) for _ in range(3)]
    for thread in threads:
        thread.start()
    own, read = [], Path.read_text

    def told(self: Path) -> str:
        text = read(self)
        if "/task/" in str(self):
            own.append(text.rpartition(")")[2].split()[0])
        return text

    monkeypatch.setattr(Path, "read_text", told)
    options._busy_cores()
    stop.set()
    for thread in threads:
        thread.join()
    assert own.count("R") > options._LOOKS  # more than the one that looks
