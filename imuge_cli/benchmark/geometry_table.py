"""How well suspects of unknown scale and place are found, and what can be read and restored in them."""

from __future__ import annotations

from imuge_cli.attacks.chain import parse
from imuge_cli.benchmark.aggregate import figure, grouped
from imuge_cli.benchmark.rows import OFFSET_TOLERANCE, SCALE_TOLERANCE, CaseRow
from imuge_cli.benchmark.suites import size_name
from imuge_cli.benchmark.table import EMPTY, Table, mean, percent, tenth

_NOTE = (
    f"Placed: the offset within {OFFSET_TOLERANCE:g} pixels of the original (of its working size, where it is larger) "
    f"and the scale within {100 * SCALE_TOLERANCE:g} %. Read: the header could be read there, so that there is a "
    "verdict; the rest is not-found. Errors of what was placed. F1, L-PSNR, and L-PSNR before recovery: of what was "
    "read."
)
_COLUMNS = (
    "scale", "crop", "codec", "cases", "placed", "read", "offset error, pixels", "worst", "scale error", "worst",
    "F1", "L-PSNR", "10th percentile", "before recovery", "time, s",
)  # fmt: skip


def geometry_table(size: str, cases: list[CaseRow]) -> Table:
    """By attack, in the order measured."""
    rows = [_row(attack, group) for attack, group in grouped(cases, lambda row: row.attack).items()]
    return Table(f"geometry-{size}", f"Unknown scale and place, {size_name(size)}", _COLUMNS, tuple(rows), (_NOTE,))


def _row(attack: str, group: list[CaseRow]) -> tuple[str, ...]:
    steps = {step.name: step.strength for step in parse(attack).attacks}
    placed, read = [row for row in group if row.placed], [row for row in group if row.found]
    offsets, scales = [row.offset_error or 0.0 for row in placed], [100 * (row.scale_error or 0.0) for row in placed]
    local = figure(row.local_psnr for row in read)
    return (
        f"{100 * steps.get('scale', 1.0):g} %",
        f"{100 * steps['crop']:g} %" if "crop" in steps else "none",
        f"JPEG {steps['jpeg']:g}" if "jpeg" in steps else "PNG",
        str(len(group)),
        percent(len(placed) / len(group)),
        percent(len(read) / len(group)),
        mean(figure(offsets), 2),
        f"{max(offsets):.0f}" if offsets else EMPTY,
        f"{sum(scales) / len(scales):.3f} %" if scales else EMPTY,
        f"{max(scales):.2f} %" if scales else EMPTY,
        mean(figure(row.f1 for row in read), 3),
        mean(local, 2),
        tenth(local, 2),
        mean(figure(row.suspect_local_psnr for row in read), 2),
        mean(figure(row.seconds for row in group), 1),
    )
