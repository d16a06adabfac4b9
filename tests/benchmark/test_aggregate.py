from __future__ import annotations

import math

import pytest
from bench_rows import case

from imuge_cli.benchmark.aggregate import (
    CEILING_DB,
    decibels,
    false_alarms,
    false_detections,
    figure,
    summarise,
)
from imuge_cli.benchmark.rows import ForeignRow, UntamperedRow


def test_figure_by_hand() -> None:
    found = figure([10.0, 20.0, None, 30.0])
    assert found is not None
    # the 10th percentile of three values lies .2 of the way from the first to the second
    assert (found.count, found.mean, found.least) == (3, 20.0, 10.0) and found.tenth == pytest.approx(12.0)
    assert figure([None, None]) is None
    one = figure([7.0])
    assert one is not None and one.tenth == one.mean == one.least == 7.0


def test_bit_exact_counts_as_the_ceiling() -> None:
    found = decibels([math.inf, 30.0, 75.0])
    assert found is not None and found.mean == pytest.approx((CEILING_DB + 30.0 + CEILING_DB) / 3)


def test_summary_by_hand() -> None:
    rows = [
        case(local_psnr=20.0, f1=1.0, oracle_local_psnr=22.0),
        case(local_psnr=14.0, f1=0.5, offset_exact=False),  # too poor
        case(local_psnr=None, f1=0.0, oracle_local_psnr=None, identified=False),  # nothing left inside
        case(local_psnr=math.inf, exact=True, f1=1.0, oracle_local_psnr=None),
        case(local_psnr=16.0, f1=0.0, outcome="not-found", found=False, offset_exact=False),
        case(local_psnr=18.0, f1=0.5, outcome="refused"),
    ]
    made = summarise(rows)
    assert made.cases == 6 and made.failures == 3
    assert made.local_psnr is not None and made.local_psnr.count == 5
    assert made.local_psnr.mean == pytest.approx((20 + 14 + 60 + 16 + 18) / 5)
    assert made.local_psnr.tenth == pytest.approx(14 + 0.4 * 2)
    assert made.f1 is not None and made.f1.mean == pytest.approx(0.5)
    assert made.found == pytest.approx(5 / 6) and made.offset_exact == pytest.approx(4 / 6)
    assert made.exact == pytest.approx(1 / 6) and made.identified == pytest.approx(5 / 6)
    assert made.oracle_local_psnr is not None
    assert made.oracle_local_psnr.mean == pytest.approx((22 + 27 * 3) / 4)
    assert made.canvas_psnr is None


def test_false_alarms_by_hand() -> None:
    def row(verdict: str, flagged: float) -> UntamperedRow:
        return UntamperedRow("256", "a", "none", verdict, flagged, 0.1)

    rows = [row("intact", 0.0), row("tampered", 0.04), row("exact", 0.0), row("not-found", 0.0)]
    made = false_alarms(rows)
    assert (made.pictures, made.intact, made.tampered, made.not_found) == (4, 2, 1, 1)
    assert made.flagged_pixels == pytest.approx(0.01) and made.flagged_pictures == 0.25


def test_false_detections() -> None:
    verdicts = [("not-found", False), ("intact", True), ("tampered", True), ("not-found", False), ("not-found", True)]
    assert false_detections([ForeignRow("256", "a", "another secret", "none", *said) for said in verdicts]) == 3
