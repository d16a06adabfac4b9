"""A short run of the fuzzers, the same inputs every time. docs/robustness.md has the long one."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from mutations import mutated
from run import main
from running import run
from targets import TARGETS, files

SHORT = {"picture files": 1500, "exact layer, pixels": 30, "weights": 150, "whole way": 3}


@pytest.mark.parametrize("name", TARGETS)
def test_damage_is_told_in_one_line(name: str) -> None:
    for number in range(SHORT.get(name, 200)):
        TARGETS[name](np.random.default_rng([1, number]))


def test_mutations_damage_and_are_repeatable() -> None:
    data = files()[0]
    made = [mutated(data, np.random.default_rng([0, number]), files()) for number in range(200)]
    assert made == [mutated(data, np.random.default_rng([0, number]), files()) for number in range(200)]
    assert sum(one != data for one in made) > 190 and len(set(made)) > 190


WORDS = st.one_of(
    st.sampled_from(["immunize", "verify", "recover", "attack", "keygen", "weights", "list", "check", "-", "--", "-o"]),
    st.sampled_from(
        ["--json", "--jobs", "0", "--format", "png", "gif", "--mask", "--report", "--device", "cuda", "-r"]
    ),
    st.sampled_from(["no/such/file.png", "*.none", "", ".", "\0", "--files-from", "/dev/null", "a" * 300]),
    st.text(max_size=12),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS, max_size=6))
def test_any_command_line_is_answered(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run(*words, stdin=b"")
    assert ran.code in (0, 2, 3) and "IMUGE_DEBUG" not in ran.err


def test_the_long_run_reports_crashes_and_hangs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--inputs", "300", "--only", "exact layer, header", "--only", "lattice, header"]) == 0
    told = capsys.readouterr().out
    assert "| exact layer, header | 150 | 0 | 0 |" in told
    assert main(["--inputs", "40", "--only", "self-test: crash"]) == 1
    assert "| self-test: crash | 40 | 1 | 0 |" in capsys.readouterr().out
    assert main(["--inputs", "4", "--only", "self-test: hang", "--limit", "1"]) == 1
    assert "| self-test: hang | 4 | 0 | 2 |" in capsys.readouterr().out
