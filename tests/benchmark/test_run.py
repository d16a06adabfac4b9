from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_engine import Recovered, SmallEngine

from imuge_cli.benchmark import run_bench
from imuge_cli.benchmark.sheet import COLUMNS, TILE
from imuge_cli.benchmark.suites import SUITES, settle
from imuge_cli.errors import OutputError, UsageError
from imuge_cli.image.picture import Picture
from imuge_cli.image.read import read_picture


def bench(photos: Path, out: Path, engine: SmallEngine | None = None, **changes: Any) -> str:
    options: dict[str, Any] = {
        "sizes": ("full",),
        "pictures": 2,
        "attacks": ("none", "crop:0.7"),
        "tampers": ("splice", "clone"),
        "shares": (0.1, 0.2),
        "make_stranger": lambda: SmallEngine(embedded=9),
    }
    options |= changes
    return run_bench(data=photos, out=out, make_engine=lambda: engine or SmallEngine(), **options)


def cases(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_case_once_and_all_files(photos: Path, tmp_path: Path) -> None:
    engine, out = SmallEngine(), tmp_path / "out"
    said: list[str] = []
    text = bench(photos, out, engine, progress=said.append)
    rows = cases(out)
    assert len(rows) == 2 * 2 * 2 * 2
    assert len({(r["picture"], r["attack"], r["tamper"], r["share"]) for r in rows}) == len(rows)
    assert sorted(r["donor"] for r in rows if r["tamper"] == "splice") == ["immunized"] * 4 + ["plain"] * 4
    assert {r["donor"] for r in rows if r["tamper"] == "clone"} == {""}
    assert {(r["outcome"], r["offset_exact"]) for r in rows} == {("recovered", "True")}
    assert (out / "tables.md").read_text() == text and "## Recovery, original size, 10 % tampered" in text
    body = json.loads((out / "results.json").read_text())
    assert body["complete"] is True and body["engine"]["weights_sha256"].startswith("0123")
    assert body["pictures"] == ["photo0.png", "photo1.png"]
    assert [row["verdict"] for row in body["foreign"]] == ["not-found"] * 4
    assert {row["kind"] for row in body["foreign"]} == {"never immunized", "another secret"}
    assert len(body["untampered"]) == 4 and all(row["flagged_share"] == 0 for row in body["untampered"])
    assert said[0].startswith("full, photo0.png: 1 of 2 done, 8 cases") and len(said) == 2
    # two pictures, and the last one's donor; each of them once
    assert engine.calls.count("immunize") == 3
    assert engine.calls.count("recover") == engine.calls.count("oracle") == len(rows)


def test_same_seed_same_figures(photos: Path, tmp_path: Path) -> None:
    def figures(out: Path) -> list[tuple[str, ...]]:
        names = ("picture", "attack", "tamper", "share", "local_psnr", "f1", "tampered_share")
        return [tuple(row[name] for name in names) for row in cases(out)]

    bench(photos, tmp_path / "a")
    bench(photos, tmp_path / "b")
    bench(photos, tmp_path / "c", attacks=("crop:0.7",), tampers=("clone",), shares=(0.2,))
    bench(photos, tmp_path / "d", seed=1)
    assert figures(tmp_path / "a") == figures(tmp_path / "b") != figures(tmp_path / "d")
    assert set(figures(tmp_path / "c")) < set(figures(tmp_path / "a"))


class Interrupted(SmallEngine):
    def recover(self, picture: Picture, **options: Any) -> Recovered:
        if self.calls.count("recover") == 3:
            raise KeyboardInterrupt
        return super().recover(picture, **options)


def test_an_interrupt_keeps_what_is_done(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        bench(photos, tmp_path, Interrupted())
    # the third case had its blind recovery, but not the one with the true mask
    assert len(cases(tmp_path)) == 2
    assert json.loads((tmp_path / "results.json").read_text())["complete"] is False
    assert "Interrupted" in (tmp_path / "tables.md").read_text()


def test_nothing_is_overwritten_unasked(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("precious")
    engine = SmallEngine()
    with pytest.raises(OutputError, match="--force"):
        bench(photos, tmp_path, engine)
    assert engine.calls == [] and (tmp_path / "results.csv").read_text() == "precious"
    bench(photos, tmp_path, engine, force=True)
    assert len(cases(tmp_path)) == 16


def test_the_sheet_shows_the_chosen_pictures(photos: Path, tmp_path: Path) -> None:
    text = bench(photos, tmp_path, sheet=1)
    sheet = read_picture(tmp_path / "sheet-full.png").as_uint8()
    assert sheet.shape == (TILE + 8, len(COLUMNS) * (TILE + 4) + 4, 3)
    assert "1. photo0.png, splice 10 %, none: F1" in text and "2. photo1" not in text
    truth = sheet[4 : 4 + TILE, 4 + 3 * (TILE + 4) : 4 + 3 * (TILE + 4) + TILE]
    # portrait: 64 x 48 in a square leaves margins of an eighth on both sides
    inside = truth[:, TILE // 8 : -TILE // 8, 0]
    assert np.isin(inside, (0, 255)).mean() > 0.5 and 0.05 < (inside > 128).mean() < 0.15
    assert (tmp_path / "tables.md").read_text() == text


def test_the_readme_gets_its_tables(photos: Path, tmp_path: Path) -> None:
    readme = tmp_path / "R.md"
    readme.write_text("<!-- bench:begin foreign -->\n<!-- bench:end foreign -->\n")
    bench(photos, tmp_path / "out", update_readme=readme)
    assert "| another secret | none | full | 2 | 0 |" in readme.read_text()
    engine = SmallEngine()
    readme.write_text("nothing")
    with pytest.raises(UsageError, match="no markers"):
        bench(photos, tmp_path / "other", engine, update_readme=readme)
    assert engine.calls == []


def test_the_suite_of_foreign_pictures_has_sections_of_its_own(photos: Path, tmp_path: Path) -> None:
    readme = tmp_path / "R.md"
    names = ("foreign", "foreign-foreign", "conditions", "conditions-foreign")
    readme.write_text("".join(f"<!-- bench:begin {name} -->\n{name}\n<!-- bench:end {name} -->\n" for name in names))
    engine = SmallEngine()
    attacks = ("none", "crop:0.7", "crop:0.5")
    bench(photos, tmp_path / "out", engine, suite="foreign", attacks=attacks, tampers=(), update_readme=readme)
    sections = readme.read_text().split("<!-- bench:end")
    assert "\nforeign\n" in sections[0]
    for attack in attacks:
        for kind in ("never immunized", "another secret"):
            assert f"| {kind} | {attack} | full | 2 | 0 |" in sections[1]
    assert engine.calls.count("verify") == 2 * 2 * 3
    assert "\nconditions\n" in sections[2]
    assert "suite foreign, 2 pictures" in sections[3]


def test_one_picture_has_no_donor(photos: Path, tmp_path: Path) -> None:
    for name in ("photo1.png", "photo2.png"):
        (photos / name).unlink()
    with pytest.raises(UsageError, match="one picture"):
        bench(photos, tmp_path / "a")
    bench(photos, tmp_path / "b", tampers=("clone",))
    assert len(cases(tmp_path / "b")) == 4


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"suite": "none-such"}, "none-such"),
        ({"sizes": ("small",)}, "small"),
        ({"sizes": ("0",)}, "0"),
        ({"attacks": ("jpg:70",)}, "jpg"),
        ({"tampers": ("glue",)}, "glue"),
        ({"shares": (0.0,)}, "share"),
    ],
)
def test_wrong_options_are_said_before_any_work(
    photos: Path, tmp_path: Path, changes: dict[str, Any], word: str
) -> None:
    engine = SmallEngine()
    with pytest.raises(UsageError, match=word):
        bench(photos, tmp_path, engine, **changes)
    assert engine.calls == []
    with pytest.raises(UsageError, match="--data"):
        run_bench(data=None, out=tmp_path, make_engine=SmallEngine)


@pytest.mark.parametrize("suite", SUITES)
def test_suites_are_canonical(suite: str) -> None:
    made = settle(suite=suite, sizes=None, attacks=None, tampers=None, shares=None, pictures=None, seed=0)
    chosen = SUITES[suite]
    assert made.attacks == chosen.attacks and made.tampers == chosen.tampers and made.shares == chosen.shares


def test_options_replace_parts_of_a_suite() -> None:
    made = settle(
        suite="smoke", sizes=None, attacks=("jpeg:70+none", "jpeg:70"), tampers=None, shares=(0.3,),
        pictures=5, seed=2,
    )  # fmt: skip
    assert made.attacks == ("jpeg:70",) and made.shares == (0.3,) and made.pictures == 5
    assert made.sizes == SUITES["smoke"].sizes
