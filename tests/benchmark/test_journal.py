"""Runs that stop are gone on with where they stopped, and say the same as if they never had."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small_engine import Recovered, SmallEngine
from test_run import bench

from imuge_cli.benchmark.journal import Journal
from imuge_cli.benchmark.store import JOURNAL
from imuge_cli.benchmark.suites import settle
from imuge_cli.benchmark.worker import Block, Place, Work, blocks
from imuge_cli.errors import OutputError, UsageError
from imuge_cli.image.picture import Picture


@dataclass
class Stopping(SmallEngine):
    """Interrupted at the blind recovery of that number."""

    at: int = 0

    def recover(self, picture: Picture, **options: Any) -> Recovered:
        if self.calls.count("recover") == self.at:
            raise KeyboardInterrupt
        return super().recover(picture, **options)


def stopped(photos: Path, out: Path, at: int = 12, **changes: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        bench(photos, out, Stopping(at=at), pictures=3, sheet=2, **changes)


def resumed(photos: Path, out: Path, engine: SmallEngine | None = None, **changes: Any) -> str:
    return bench(photos, out, engine, pictures=3, sheet=2, resume=True, **changes)


def rows(out: Path) -> list[list[str]]:
    """All but the seconds."""
    with (out / "results.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    return [[value for name, value in row.items() if name != "seconds"] for row in found]


def body(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    for row in found["embedding"] + found["untampered"]:
        row["seconds"] = 0
    return found


def test_a_resumed_run_says_what_an_uninterrupted_one_says(photos: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    bench(photos, whole, pictures=3, sheet=2)
    stopped(photos, parts)
    assert body(parts)["complete"] is False
    engine, said = SmallEngine(), list[str]()
    resumed(photos, parts, engine, progress=said.append)
    assert rows(parts) == rows(whole) and len(rows(whole)) == 24
    for name in ("complete", "engine", "pictures", "embedding", "untampered", "foreign", "goals"):
        assert body(parts)[name] == body(whole)[name]
    assert (parts / "sheet-full.png").read_bytes() == (whole / "sheet-full.png").read_bytes()
    # The first picture was finished and is not done again; the second one, of which half was done, is.
    assert engine.calls.count("recover") == 16
    assert said[0].startswith("full, photo1.png: 2 of 3 done, 16 cases")
    assert not (parts / JOURNAL).exists() and not (whole / JOURNAL).exists()


def test_what_was_killed_while_writing_is_gone_on_with(photos: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    bench(photos, whole, pictures=3, sheet=2)
    stopped(photos, parts, at=20)
    journal = parts / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    # All but the journal is lost, and its last line breaks off.
    for path in parts.iterdir():
        if path != journal:
            path.unlink()
    journal.write_bytes(b"".join(lines[:2]) + lines[2][:100])
    stopped(photos, parts, at=10, resume=True)
    assert len(journal.read_bytes().splitlines()) == 3
    engine = SmallEngine()
    resumed(photos, parts, engine)
    assert engine.calls.count("recover") == 8 and rows(parts) == rows(whole)


def test_time_counts_from_the_first_beginning(photos: Path, tmp_path: Path) -> None:
    stopped(photos, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / JOURNAL).read_text().splitlines()]
    lines[1]["seconds"] = 1000.0
    (tmp_path / JOURNAL).write_text("".join(json.dumps(line) + "\n" for line in lines))
    resumed(photos, tmp_path)
    assert 1000 < body(tmp_path)["seconds"] < 1100


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"shares": (0.2,)}, "shares 0.1 0.2, not 0.2"),
        ({"seed": 3}, "seed 0, not 3"),
        ({"sheet": 1}, "other sheet: 2, not 1"),
        ({"make_stranger": None}, "another secret"),
    ],
)
def test_other_work_is_refused(photos: Path, tmp_path: Path, changes: dict[str, Any], word: str) -> None:
    stopped(photos, tmp_path)
    before = (tmp_path / JOURNAL).read_bytes()
    with pytest.raises(UsageError, match=word):
        bench(photos, tmp_path, **{"pictures": 3, "sheet": 2, "resume": True} | changes)
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_other_pictures_and_another_engine_are_refused(photos: Path, tmp_path: Path) -> None:
    stopped(photos, tmp_path)

    class Other(SmallEngine):
        def immunize(self, picture: Picture, *, image_id: int | None = None) -> Any:
            made = super().immunize(picture, image_id=image_id)
            return type(made)(made.picture, strength="strong")

    with pytest.raises(UsageError, match=r"of another engine.*balanced.*strong.*--force"):
        resumed(photos, tmp_path, Other())
    assert len(rows(tmp_path)) == 8
    (photos / "photo2.png").rename(photos / "another.png")
    with pytest.raises(UsageError, match="pictures"):
        resumed(photos, tmp_path)


def test_there_has_to_be_something_to_resume(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no interrupted run"):
        resumed(photos, tmp_path)
    with pytest.raises(UsageError, match="--resume and --force"):
        resumed(photos, tmp_path, force=True)
    stopped(photos, tmp_path)
    (tmp_path / "results.json").unlink()
    (tmp_path / "results.csv").unlink()
    (tmp_path / "tables.md").unlink()
    with pytest.raises(OutputError, match=JOURNAL):
        bench(photos, tmp_path)
    (tmp_path / JOURNAL).write_text("no journal\n")
    with pytest.raises(UsageError, match="damaged.*--force"):
        resumed(photos, tmp_path)


def test_pieces_leave_out_what_is_done(tmp_path: Path) -> None:
    settings = settle(
        suite=None, sizes=("40", "full"), attacks=None, tampers=None, shares=None, pictures=None, seed=0
    )  # fmt: skip
    work = Work(SmallEngine, None, tuple(tmp_path / str(number) for number in range(9)), settings, 0)
    done = [Place("40", index) for index in (0, 2, 3, 8)] + [Place("full", index) for index in range(9)]
    assert blocks(work, 2, done) == [Block("40", 1, 2), Block("40", 4, 8)]
    assert blocks(work, 1, done) == [Block("40", 1, 2), Block("40", 4, 8)]
    assert blocks(work, 3, [*done, *(Place("40", index) for index in range(9))]) == []
    assert Journal.begin(tmp_path / "new", work).done == ()
