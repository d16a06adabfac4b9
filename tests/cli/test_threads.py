from __future__ import annotations

import os
from pathlib import Path

import pytest

from imuge_cli.cli import options

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")  # so that it is put back whatever happens
    monkeypatch.delenv("OMP_NUM_THREADS")


def load(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    told = iter(lines * 10)
    monkeypatch.setattr(Path, "read_text", lambda self: next(told))


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


def test_what_a_person_said_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    load(monkeypatch, f"0 0 0 {CORES + 5}/80 1")
    options.leave_busy_cores()
    assert os.environ["OMP_NUM_THREADS"] == "3"
