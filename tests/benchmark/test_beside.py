"""Another run's figures beside this one's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_engine import SmallEngine
from test_run import bench

from imuge_cli.errors import InputError, UsageError


def line(text: str, start: str) -> list[str]:
    section = text.split("## Side by side")[1]
    found = next(row for row in section.splitlines() if row.startswith(f"| {start} |"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_two_runs_stand_side_by_side(photos: Path, tmp_path: Path) -> None:
    first = bench(photos, tmp_path / "first", attacks=("none",))
    assert "Side by side" not in first
    text = bench(photos, tmp_path / "second", beside=(tmp_path / "first",))
    assert "## Side by side, full, 10 % tampered" in text
    names = line(text, "attack")
    assert names == [
        "attack", "L-PSNR, small (this run)", "L-PSNR, small", "paper", "inpainting",
        "F1, small (this run)", "F1, small",
    ]  # fmt: skip
    none = line(text, "none")
    assert none[1] == none[2] and none[5] == none[6] and float(none[4]) > 5
    # What the other run did not measure stays empty.
    crop = line(text, "crop:0.7")
    assert crop[2] == crop[6] == "-" and float(crop[1]) > 5
    visible = line(text, "immunized PSNR")
    # The paper's pictures have 256 x 256 pixels.
    assert visible[1] == visible[2] != "-" and visible[3] == "-"
    assert (tmp_path / "second" / "tables.md").read_text() == text


def test_two_runs_of_one_model_are_told_apart_by_their_folders(photos: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        bench(photos, tmp_path / name, attacks=("none",))
    text = bench(photos, tmp_path / "c", attacks=("none",), beside=(tmp_path / "a", tmp_path / "b"))
    assert line(text, "attack")[2:4] == ["L-PSNR, small (a)", "L-PSNR, small (b)"]


def test_runs_that_cannot_be_compared_are_refused(photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    bench(photos, other, attacks=("none",), tampers=("clone",), pictures=1)
    engine = SmallEngine()
    with pytest.raises(UsageError, match="the same --pictures"):
        bench(photos, tmp_path / "out", engine, beside=(other,))
    with pytest.raises(InputError, match="cannot be read"):
        bench(photos, tmp_path / "out", engine, beside=(tmp_path / "nowhere",))
    body = json.loads((other / "results.json").read_text())
    for damage in ({**body, "schema": "imuge.bench/0"}, {**body, "groups": [{}]}, [1]):
        (other / "results.json").write_text(json.dumps(damage))
        with pytest.raises(InputError, match="no run's result"):
            bench(photos, tmp_path / "out", engine, beside=(other,))
    assert engine.calls == [] and not (tmp_path / "out").exists()
