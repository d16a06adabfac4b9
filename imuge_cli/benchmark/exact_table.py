"""What the exact layer finds and restores, by tampered share."""

from __future__ import annotations

from imuge_cli.benchmark.aggregate import figure, grouped, summarise
from imuge_cli.benchmark.goals import REMOVAL, goal_for, judge
from imuge_cli.benchmark.rows import CaseRow
from imuge_cli.benchmark.suites import size_name
from imuge_cli.benchmark.table import Table, least, mean, percent, tenth

_NOTE = (
    "Cases that the exact layer answered. Tiles of 16 x 16 pixels that hold a changed pixel. L-PSNR inside the "
    "tampered pixels against the published (immunized) file, where bit for bit counts as 60 dB; the last column "
    "against the pristine original, from which the published file itself is some 40 dB away. Bound: AVIF (4:4:4), "
    "or every bit where they suffice for that, with all bits that the intact tiles carry spent on the lost ones alone "
    "and on this very share; a file that has to serve every share cannot reach it at all of them."
)
_COLUMNS = (
    "attack", "tampered", "answered", "tile precision", "tile recall", "pixel F1", "bit for bit",
    "L-PSNR, published", "10th percentile", "worst", "to reach", "bound", "L-PSNR, original",
)  # fmt: skip


def exact_table(size: str, cases: list[CaseRow]) -> Table:
    """By attack and share."""
    rows = []
    for attack, of_attack in grouped(cases, lambda row: row.attack).items():
        for share in sorted({row.share for row in of_attack}):
            group = [row for row in of_attack if row.share == share]
            answered = [row for row in group if row.layer == "exact"]
            if answered:
                told = f"{len(answered)} of {len(group)}"
                rows.append((attack, f"{100 * share:g} %", told, *_cells(answered)))
    return Table(f"exact-{size}", f"The exact layer, {size_name(size)}", _COLUMNS, tuple(rows), (_NOTE,))


def _cells(rows: list[CaseRow]) -> tuple[str, ...]:
    figures = summarise(rows)
    published = figures.published_local_psnr
    goal = goal_for(rows[0].size, "L-PSNR, untouched file", rows[0].attack, rows[0].share)
    kept = figure(row.f1 for row in rows if row.tamper != REMOVAL)
    reach = "" if goal is None else f"{goal.reach:g} ({judge(goal, published.mean if published else None)})"
    return (
        mean(figures.tile_precision, 4),
        mean(figures.tile_recall, 4),
        mean(kept, 4),
        percent(figures.exact),
        mean(published, 2),
        tenth(published, 2),
        least(published, 2),
        reach,
        mean(figures.bound_local_psnr, 2),
        mean(figures.local_psnr, 2),
    )
