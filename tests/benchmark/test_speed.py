from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imuge_cli.benchmark.speed import Timing, enlarge, meter, run_speed, speed_table

# Stands in for the command line: copies INPUT to the -o file, holds some memory, says how long it took.
PRETENDER = """
import json, shutil, sys, time
arguments = sys.argv[1:]
if arguments[0] == "recover" and "--fail" in arguments:
    sys.exit("imuge: error: no such luck")
if arguments[0] != "--help":
    output = arguments[arguments.index("-o") + 1] if "-o" in arguments else None
    for source in [a for a in arguments[1:] if a.endswith((".png", ".bmp")) and a != output]:
        if output and "--jobs" not in arguments:
            shutil.copy(source, output)
        if "--slow" in arguments:
            time.sleep(0.2)
        print(json.dumps({"seconds": 0.125}))
"""


def photograph() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)


def test_meter_measures_one_process() -> None:
    done = meter([sys.executable, "-c", "import time; x = bytearray(90 * 10**6); time.sleep(0.3); print(len(x))"])
    assert done.exit_code == 0 and done.stdout.strip() == "90000000" and 0.3 < done.seconds < 20
    small = meter([sys.executable, "-S", "-c", "import sys; sys.exit(3)"])
    assert small.exit_code == 3
    if done.peak_bytes is not None and small.peak_bytes is not None:
        # the memory of this process, which is large, must not count
        assert done.peak_bytes > 90 * 10**6 > 50 * 10**6 > small.peak_bytes


def test_enlarge_gives_the_size_that_was_asked_for() -> None:
    for megapixels in (0.01, 1.0):
        picture = enlarge(photograph(), megapixels)
        height, width = picture.shape[:2]
        assert height * width == pytest.approx(1e6 * megapixels, rel=0.02)
        assert width / height == pytest.approx(1.5, rel=0.02)


def test_speed_runs_every_command(tmp_path: Path) -> None:
    script = tmp_path / "pretender.py"
    script.write_text(PRETENDER)
    readme = tmp_path / "R.md"
    readme.write_text("<!-- bench:begin speed -->\n<!-- bench:end speed -->\n")
    command = (sys.executable, "-S", str(script))
    text = run_speed(
        photograph=photograph, out=tmp_path / "o", megapixels=(0.02,), runs=2, command=command,
        update_readme=readme,
    )  # fmt: skip
    body = json.loads((tmp_path / "o" / "speed.json").read_text())
    assert [timing["command"] for timing in body["timings"]] == ["--help", "immunize", "verify", "recover"] + 2 * [
        "verify"
    ]
    assert [timing["suspect"] for timing in body["timings"]] == 4 * [""] + ["cropped and scaled", "never immunized"]
    assert [timing["inside"] for timing in body["timings"]] == [None] + 5 * [0.125]
    assert all(timing["seconds"] > 0 and timing["error"] == "" for timing in body["timings"])
    assert (tmp_path / "o" / "speed.md").read_text() == text
    assert "| imuge recover | 0.02 |" in text and "| imuge recover | 0.02 |" in readme.read_text()
    assert "| imuge verify (never immunized) | 0.02 |" in text


def test_each_further_picture_is_timed_in_a_batch(tmp_path: Path) -> None:
    script = tmp_path / "pretender.py"
    script.write_text(PRETENDER)
    run_speed(
        photograph=photograph, out=tmp_path, megapixels=(0.02,), runs=3, options=("--slow",),
        command=(sys.executable, "-S", str(script)),
    )  # fmt: skip
    none, *timings = json.loads((tmp_path / "speed.json").read_text())["timings"]
    timings, others = timings[:3], timings[3:]
    assert all(timing["further"] is None for timing in (none, *others))
    # each takes .2 s, whatever starting up takes; the pretender knows no jobs
    assert all(0.1 < timing["further"] < timing["seconds"] for timing in timings)
    assert all(0.05 < timing["together"] < timing["seconds"] for timing in timings)


def test_a_command_that_fails_is_named(tmp_path: Path) -> None:
    script = tmp_path / "pretender.py"
    script.write_text(PRETENDER)
    text = run_speed(
        photograph=photograph, out=tmp_path, megapixels=(0.02,), runs=1, options=("--fail",),
        command=(sys.executable, "-S", str(script)),
    )  # fmt: skip
    assert "recover: exit code 1: imuge: error: no such luck" in text
    assert "| imuge recover | 0.02 | - | <= 3 | not measured |" in text


def test_missed_times_are_named() -> None:
    table = speed_table(
        [
            Timing("--help", 0.0, 1, 0.4, None, 50.0),
            Timing("immunize", 1.0, 1, 2.5, 1.5, 601.0, further=1.75, together=1.25),
            Timing("recover", 24.0, 1, 20.0, 18.0, 1400.0),
            Timing("verify", 1.0, 1, 8.0, 7.0, 500.0, suspect="never immunized"),
        ]
    )
    nothing = ("-", "-", "-", "-")
    assert table.rows[0] == ("imuge --help", "-", "0.40", "<= 0.5", "reached", "-", *nothing, "50", "-", "-")
    assert table.rows[1][3:6] == ("<= 1", "**missed**", "1.50")
    assert table.rows[1][6:] == ("1.75", "1.25", "<= 1.5", "reached", "601", "<= 600", "**missed**")
    assert table.rows[2][3:] == ("-", "-", "18.00", *nothing, "1400", "<= 1500", "reached")
    assert table.rows[3][0] == "imuge verify (never immunized)"
    assert table.rows[3][3:] == ("-", "-", "7.00", *nothing, "500", "<= 600", "reached")
