from __future__ import annotations

import csv
import json
import multiprocessing
import os
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from small_engine import Recovered, SmallEngine

from imuge_cli.benchmark import parallel, run, run_bench
from imuge_cli.benchmark.parallel import WorkerTraceback
from imuge_cli.benchmark.suites import settle
from imuge_cli.benchmark.worker import Block, Work, blocks
from imuge_cli.errors import ImugeError, UsageError, WeightsError
from imuge_cli.image.picture import Picture


def bench(photos: Path, out: Path, **changes: Any) -> str:
    options: dict[str, Any] = {
        "sizes": ("40", "full"),
        "attacks": ("none", "crop:0.7"),
        "tampers": ("splice", "clone"),
        "shares": (0.1,),
        "make_engine": SmallEngine,
        "jobs": 2,
    }
    return run_bench(data=photos, out=out, **options | changes)


def cases(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as stream:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(stream)]


def body(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results.json").read_text())
    return found


def test_the_rows_are_those_of_one_process(photos: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    said: dict[Path, list[str]] = {one: [], two: []}
    for jobs, out in enumerate((one, two), start=1):
        bench(photos, out, jobs=jobs, make_stranger=partial(SmallEngine, embedded=9), sheet=2,
              progress=said[out].append)  # fmt: skip
    assert cases(one) == cases(two) and len(cases(one)) == 2 * 3 * 2 * 2
    assert {row["donor"] for row in cases(two)} == {"immunized", "plain", ""}
    for name in ("embedding", "untampered", "foreign"):
        without = [[{**row, "seconds": 0} for row in body(out)[name]] for out in (one, two)]
        assert without[0] == without[1] != []
    for name in ("engine", "pictures", "settings", "complete"):
        assert body(one)[name] == body(two)[name]
    assert (body(one)["jobs"], body(two)["jobs"]) == (1, 2)
    for size in ("40", "full"):
        assert (one / f"sheet-{size}.png").read_bytes() == (two / f"sheet-{size}.png").read_bytes()
    assert "2 pictures side by side" in (two / "tables.md").read_text()
    # in whatever order the pictures are done
    assert {line.split(":")[0] for line in said[one]} == {line.split(":")[0] for line in said[two]}
    assert [line.split(": ")[1][:11] for line in said[two]] == [f"{n} of 6 done"[:11] for n in range(1, 7)]
    assert multiprocessing.active_children() == []


class Failing(SmallEngine):
    def recover(self, picture: Picture, **options: Any) -> Recovered:
        if self.calls.count("recover") == 2:
            raise ZeroDivisionError("no such luck")
        return super().recover(picture, **options)


def test_what_breaks_a_worker_is_passed_on_and_the_rest_kept(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="no such luck") as caught:
        bench(photos, tmp_path, make_engine=Failing)
    assert isinstance(caught.value.__cause__, WorkerTraceback) and "in recover" in str(caught.value.__cause__)
    # one case of the worker that broke first (its second one lacks the true mask's), at most one of the other
    assert 1 <= len(cases(tmp_path)) <= 2 and body(tmp_path)["complete"] is False
    assert multiprocessing.active_children() == []


class Dying(SmallEngine):
    def recover(self, picture: Picture, **options: Any) -> Recovered:
        os._exit(7)


def test_a_worker_that_dies_is_missed(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ImugeError, match="exit code 7.*fewer --jobs"):
        bench(photos, tmp_path, make_engine=Dying)
    assert body(tmp_path)["complete"] is False and body(tmp_path)["embedding"] != []


def test_an_interrupt_ends_the_workers_and_keeps_what_is_done(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_SAVE_EVERY", 0.0)
    saved: list[int] = []

    def interrupt(line: str) -> None:
        saved.append(len(cases(tmp_path)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench(photos, tmp_path, progress=interrupt)
    assert saved == [len(cases(tmp_path))] and 4 <= saved[0] < 24
    assert body(tmp_path)["complete"] is False and multiprocessing.active_children() == []


def no_engine() -> SmallEngine:
    raise WeightsError("no weights")


def test_engines_that_cannot_be_made_leave_no_files(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights"):
        bench(photos, tmp_path / "out", make_engine=no_engine)
    assert not (tmp_path / "out").exists()


def test_no_processes_for_a_single_picture(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(parallel, "_start")
    engine = SmallEngine()
    bench(photos, tmp_path, jobs=8, sizes=("full",), pictures=1, make_engine=lambda: engine)
    assert body(tmp_path)["jobs"] == 1 and "recover" in engine.calls
    with pytest.raises(UsageError, match="--jobs 0"):
        bench(photos, tmp_path / "none", jobs=0)


@pytest.mark.parametrize(
    ("count", "jobs", "lengths"), [(24, 1, [24]), (24, 2, [4] * 6), (5, 2, [2, 2, 1]), (3, 8, [1, 1, 1])]
)
def test_blocks_hold_every_picture_once(count: int, jobs: int, lengths: list[int]) -> None:
    settings = settle(
        suite="smoke", sizes=("256", "512"), attacks=None, tampers=None, shares=None, pictures=count, seed=0
    )
    work = Work(SmallEngine, None, tuple(Path(f"{number}.png") for number in range(30)), settings, 0)
    found = blocks(work, jobs)
    assert [block.end - block.first for block in found] == lengths * 2
    for size in ("256", "512"):
        assert [i for b in found if b.size == size for i in range(b.first, b.end)] == list(range(count))
    assert found[0] == Block("256", 0, lengths[0])


class Unpackable(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def test_errors_that_cannot_travel_are_told_in_words() -> None:
    told = pickle.loads(pickle.dumps(parallel._failure(Unpackable("too", "much"))))
    assert isinstance(told.error, RuntimeError) and str(told.error) == "Unpackable: too much"
