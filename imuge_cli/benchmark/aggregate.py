"""From rows to figures: mean, 10th percentile and smallest value; shares; failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from imuge_cli.benchmark.rows import CaseRow, ForeignRow, UntamperedRow

Row = TypeVar("Row")

CEILING_DB = 60.0
"""What a bit-exact recovery (infinite PSNR) counts as in a mean; nothing counts as more."""


@dataclass(frozen=True)
class Figure:
    """Of `count` values: mean, 10th percentile (linear between ranks), smallest."""

    count: int
    mean: float
    tenth: float
    least: float


@dataclass(frozen=True)
class Summary:
    """Of a group of cases. PSNR in dB, with CEILING_DB; None where no case had anything to measure.

    found, offset_exact, identified, exact: shares of the cases. failures: their number.
    """

    cases: int
    failures: int
    found: float
    offset_exact: float
    identified: float
    exact: float
    local_psnr: Figure | None
    published_local_psnr: Figure | None
    oracle_local_psnr: Figure | None
    inpainted_local_psnr: Figure | None
    avif_local_psnr: Figure | None
    bound_local_psnr: Figure | None
    suspect_local_psnr: Figure | None
    psnr: Figure | None
    canvas_psnr: Figure | None
    original_size_local_psnr: Figure | None
    precision: Figure | None
    recall: Figure | None
    f1: Figure | None
    iou: Figure | None
    tile_precision: Figure | None
    tile_recall: Figure | None
    seconds: Figure | None


@dataclass(frozen=True)
class FalseAlarms:
    """Of pictures in which nothing was tampered with. flagged_*: shares; the rest: numbers of pictures."""

    pictures: int
    flagged_pixels: float
    flagged_pictures: float
    intact: int
    tampered: int
    not_found: int


def figure(values: Iterable[float | None], *, ceiling: float | None = None) -> Figure | None:
    """None values are left out; values above `ceiling` count as `ceiling`. None where nothing is left."""
    kept = np.array([value for value in values if value is not None], dtype=np.float64)
    if kept.size == 0:
        return None
    if ceiling is not None:
        kept = np.minimum(kept, ceiling)
    return Figure(int(kept.size), float(kept.mean()), float(np.percentile(kept, 10)), float(kept.min()))


def decibels(values: Iterable[float | None]) -> Figure | None:
    """`figure` with CEILING_DB."""
    return figure(values, ceiling=CEILING_DB)


def summarise(rows: Sequence[CaseRow]) -> Summary:
    """At least one row."""
    return Summary(
        cases=len(rows),
        failures=sum(row.failed for row in rows),
        found=share(row.found for row in rows),
        offset_exact=share(row.offset_exact for row in rows),
        identified=share(row.identified for row in rows),
        exact=share(row.exact for row in rows),
        local_psnr=decibels(row.local_psnr for row in rows),
        published_local_psnr=decibels(row.published_local_psnr for row in rows),
        oracle_local_psnr=decibels(row.oracle_local_psnr for row in rows),
        inpainted_local_psnr=decibels(row.inpainted_local_psnr for row in rows),
        avif_local_psnr=decibels(row.avif_local_psnr for row in rows),
        bound_local_psnr=decibels(row.bound_local_psnr for row in rows),
        suspect_local_psnr=decibels(row.suspect_local_psnr for row in rows),
        psnr=decibels(row.psnr for row in rows),
        canvas_psnr=decibels(row.canvas_psnr for row in rows),
        original_size_local_psnr=decibels(row.original_size_local_psnr for row in rows),
        precision=figure(row.precision for row in rows),
        recall=figure(row.recall for row in rows),
        f1=figure(row.f1 for row in rows),
        iou=figure(row.iou for row in rows),
        tile_precision=figure(row.tile_precision for row in rows),
        tile_recall=figure(row.tile_recall for row in rows),
        seconds=figure(row.seconds for row in rows),
    )


def false_alarms(rows: Sequence[UntamperedRow]) -> FalseAlarms:
    """At least one row. A picture is flagged where a pixel is, or where the verdict is `tampered`."""
    verdicts = [row.verdict for row in rows]
    return FalseAlarms(
        pictures=len(rows),
        flagged_pixels=float(np.mean([row.flagged_share for row in rows])),
        flagged_pictures=share(row.flagged_share > 0 or row.verdict == "tampered" for row in rows),
        intact=sum(verdict in ("intact", "exact") for verdict in verdicts),
        tampered=verdicts.count("tampered"),
        not_found=verdicts.count("not-found"),
    )


def false_detections(rows: Sequence[ForeignRow]) -> int:
    """How many pictures without this key's immunization were taken for immunized ones, or for parts of some."""
    return sum(row.placed or row.verdict != "not-found" for row in rows)


def share(flags: Iterable[bool]) -> float:
    """Share of True; at least one flag."""
    return float(np.mean([bool(flag) for flag in flags]))


def grouped(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Rows by key, both in the order of the rows."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups
