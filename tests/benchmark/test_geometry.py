"""The geometry suite: what it asks, and how its table counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench_rows import case, results

from imuge_cli.benchmark.geometry_table import geometry_table
from imuge_cli.benchmark.suites import GEOMETRY, settle
from imuge_cli.benchmark.tables import make_tables


def test_the_suite_combines_scales_crops_and_codecs() -> None:
    settings = settle(suite=GEOMETRY, sizes=None, attacks=None, tampers=None, shares=None, pictures=None, seed=0)
    assert len(settings.attacks) == 6 * 3 * 3 and settings.lean
    assert "none" in settings.attacks and "crop:0.5+scale:0.25+jpeg:70" in settings.attacks


def test_found_is_not_read() -> None:
    attack = "crop:0.5+scale:0.5+jpeg:70"
    rows = [
        case(attack=attack, offset_error=1.0, scale_error=0.001, local_psnr=20.0, f1=0.9, seconds=1.0),
        case(
            attack=attack, offset_error=0.0, scale_error=0.003, found=False, outcome="not-found", local_psnr=9.0, f1=0.0
        ),
        case(attack=attack, offset_error=3.0, scale_error=0.0, found=False, outcome="not-found", f1=0.0),
        case(attack=attack, offset_error=None, scale_error=None, found=False, outcome="not-found", f1=0.0),
    ]
    assert [row.placed for row in rows] == [True, True, False, False]
    (row,) = geometry_table("full", rows).rows
    assert row[:6] == ("50 %", "50 %", "JPEG 70", "4", "50.0 %", "25.0 %")
    assert row[6:12] == ("0.50", "1", "0.200 %", "0.30 %", "0.900", "20.00")


@pytest.mark.parametrize(
    ("attack", "cells"), [("none", ("100 %", "none", "PNG")), ("scale:2", ("200 %", "none", "PNG"))]
)
def test_what_was_not_done_is_told(attack: str, cells: tuple[str, ...]) -> None:
    assert geometry_table("full", [case(attack=attack)]).rows[0][:3] == cells


def test_places_of_large_pictures_are_told_to_pixels_of_their_working_size() -> None:
    row = case(offset_error=7.0, scale_error=0.0, working_pixel=4.0)
    assert row.placed and not replace(row, working_pixel=1.0).placed and not replace(row, offset_error=9.0).placed


def test_the_suite_has_its_own_table() -> None:
    made = results(cases=(case(size="full"),))
    made = replace(made, settings=replace(made.settings, suite=GEOMETRY, sizes=("full",)))
    names = [table.name for table in make_tables(made)]
    assert "geometry-full" in names and "recovery-full" not in names
