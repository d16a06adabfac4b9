from __future__ import annotations

import csv
import json
import math
from io import StringIO
from typing import Any

import pytest
from bench_rows import case, embedding, results

from imuge_cli.benchmark.goals import GOALS, MISSED, NOT_MEASURED, REACHED, check
from imuge_cli.benchmark.rows import Results
from imuge_cli.benchmark.store import to_csv, to_json
from imuge_cli.benchmark.table import Table
from imuge_cli.benchmark.tables import make_tables, page


def status(made: Results, kind: str, attack: str = "", share: float = 0.1) -> tuple[Any, str]:
    (found,) = (
        outcome
        for outcome in check(made)
        if (outcome.goal.kind, outcome.goal.attack, outcome.goal.size) == (kind, attack, "256")
        and outcome.goal.share == share
    )
    return found.ours, found.status


def test_goals_are_unique() -> None:
    names = [(goal.size, goal.kind, goal.attack, goal.share) for goal in GOALS]
    assert len(set(names)) == len(names)


def test_goals_are_reached_missed_or_not_measured() -> None:
    rows = (
        case(local_psnr=25.0, f1=0.99),
        case(local_psnr=27.0, f1=0.97),
        case(attack="jpeg:50", local_psnr=23.9),
        case(attack="jpeg:90", share=0.25, local_psnr=5.0),  # the goal is for 10 %
    )
    made = results(cases=rows, embedding=(embedding(psnr=39.0), embedding(psnr=40.9)))
    assert status(made, "L-PSNR, robust", "jpeg:70") == (26.0, REACHED)
    assert status(made, "L-PSNR, robust", "jpeg:50") == (23.9, MISSED)
    assert status(made, "L-PSNR, robust", "jpeg:90") == (None, NOT_MEASURED)
    assert status(made, "mask F1", "jpeg:70") == (pytest.approx(0.98), REACHED)
    assert status(made, "mask F1, removal", "jpeg:70") == (None, NOT_MEASURED)
    assert status(made, "immunized PSNR") == (pytest.approx(39.95), MISSED)


def test_the_lossless_layer_does_not_flatter_the_robust_one() -> None:
    rows = (
        case(attack="none", local_psnr=27.0),
        case(attack="none", layer="exact", local_psnr=math.inf, exact=True),
    )
    made = results(cases=rows)
    assert status(made, "L-PSNR, robust", "none") == (27.0, MISSED)
    assert status(made, "bit-exact inside, untouched file", "none") == (0.5, MISSED)


def test_scaled_suspects_are_judged_at_the_originals_size() -> None:
    made = results(cases=(case(attack="scale:0.7", local_psnr=27.0, original_size_local_psnr=24.0), case()))
    assert status(made, "L-PSNR, robust", "scale:0.7") == (24.0, MISSED)
    (table,) = (table for table in make_tables(made) if table.name == "recovery-256")
    scaled, other = table.rows
    assert table.columns[-1] == "L-PSNR at the original's size" and (scaled[-1], other[-1]) == ("24.00", "-")
    assert scaled[2] == "27.00" and scaled[table.columns.index("verdict")] == "**missed**"
    (plain,) = (table for table in make_tables(results(cases=(case(),))) if table.name == "recovery-256")
    assert plain.columns == table.columns[:-1]


def test_removal_has_its_own_f1() -> None:
    made = results(cases=(case(f1=0.98), case(f1=0.956, tamper="inpaint")))
    assert status(made, "mask F1", "jpeg:70") == (0.98, REACHED)
    assert status(made, "mask F1, removal", "jpeg:70") == (0.956, REACHED)


def test_tables_name_missed_figures_and_the_paper() -> None:
    made = results(cases=(case(local_psnr=25.4), case(attack="jpeg:50", local_psnr=24.5)))
    text = page(made)
    line = "| L-PSNR, robust, jpeg:70 | 256 | >= 25.5 | 25.40 | 23.85 | **missed** |"
    assert line in text
    assert "| L-PSNR, robust, jpeg:50 | 256 | >= 24 | 24.50 | 18.71 | reached |" in text
    recovery = next(table for table in make_tables(made) if table.name == "recovery-256")
    assert dict(zip(recovery.columns[:6], recovery.rows[0][:6], strict=True)) == {
        "attack": "jpeg:70", "cases": "1", "L-PSNR": "25.40", "10th percentile": "25.40", "to reach": "25.5",
        "verdict": "**missed**",
    }  # fmt: skip
    assert "Interrupted" not in text and "Interrupted" in page(results(complete=False))


def test_times_taken_side_by_side_are_said_to_be() -> None:
    alone, beside = (results(embedding=(embedding(),), jobs=jobs) for jobs in (1, 3))
    assert "side by side" not in page(alone) and "Means in one process" in page(alone)
    assert "12 s; 3 pictures side by side" in page(beside) and "Means in 3 processes side by side" in page(beside)
    assert [json.loads(to_json(made))["jobs"] for made in (alone, beside)] == [1, 3]


def test_the_papers_figures_stand_at_its_size_only() -> None:
    text = page(results(cases=(case(size="512", local_psnr=28.0),)))
    assert "| L-PSNR, robust, jpeg:70 | 512 | >= 27.5 | 28.00 | - | reached |" in text


def test_a_table_checks_its_width() -> None:
    assert Table("t", "T", ("a", "b"), (("1|2", "3"),)).body() == "| a | b |\n| --- | ---: |\n| 1/2 | 3 |"
    with pytest.raises(ValueError, match="2 cells"):
        Table("t", "T", ("a", "b"), (("1",),))


def test_csv_and_json_hold_the_same_cases() -> None:
    rows = (case(local_psnr=math.inf, exact=True), case(local_psnr=None, outcome="refused"))
    read = list(csv.DictReader(StringIO(to_csv(rows))))
    assert [row["local_psnr"] for row in read] == ["inf", ""]
    assert [row["failed"] for row in read] == ["False", "True"]
    body = json.loads(to_json(results(cases=rows)))
    assert body["schema"] == "imuge.bench/1" and body["settings"]["seed"] == 5
    whole, splices = body["groups"]
    assert whole["tamper"] == "" and splices["tamper"] == "splice"
    assert whole["summary"]["cases"] == 2 and whole["summary"]["local_psnr"]["mean"] == 60.0
