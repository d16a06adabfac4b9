"""Other runs' figures beside this one's, attack by attack: what one model buys over another."""

from __future__ import annotations

from imuge_cli.benchmark.aggregate import figure, grouped, summarise
from imuge_cli.benchmark.goals import PAPER_IMMUNIZED, PAPER_LOCAL_PSNR, paper_figure
from imuge_cli.benchmark.rows import Beside, CaseRow, Results
from imuge_cli.benchmark.table import EMPTY, Table, mean, number

_NOTE = (
    "L-PSNR (dB) and F1 of the mask, all tampers. Inpainting: Telea's method under the true mask. Paper: P1 Table 1, "
    "its own pictures and tampering. Rows that another run did not measure are empty."
)


def beside_table(results: Results, size: str, share: float) -> Table:
    """One line per attack of this run at a size and a tampered share, and one of how visible the models are."""
    others = results.beside
    own = "this run" if results.engine is None else results.engine.model
    own = f"{own} (this run)" if own in [other.name for other in others] else own
    psnr = figure(row.psnr for row in results.embedding if row.size == size)
    rows = [
        ("immunized PSNR", mean(psnr, 2), *(number(other.psnr.get(size), 2) for other in others))
        + (number(PAPER_IMMUNIZED, 2) if size == "256" else EMPTY, EMPTY)
        + (EMPTY,) * (1 + len(others))
    ]
    cases = [row for row in results.cases if row.size == size and row.share == share]
    for attack, group in grouped(cases, lambda row: row.attack).items():
        rows.append(_row(attack, group, others, size, share))
    names = [own, *(other.name for other in others)]
    columns = (
        "attack", *(f"L-PSNR, {name}" for name in names), "paper", "inpainting", *(f"F1, {name}" for name in names)
    )  # fmt: skip
    return Table(f"beside-{size}", f"Side by side, {size}, {100 * share:g} % tampered", columns, tuple(rows), (_NOTE,))


def _row(attack: str, group: list[CaseRow], others: tuple[Beside, ...], size: str, share: float) -> tuple[str, ...]:
    summary = summarise(group)
    found = [other.figures.get((size, attack, share), (None, None)) for other in others]
    return (
        attack,
        mean(summary.local_psnr, 2),
        *(number(l_psnr, 2) for l_psnr, _ in found),
        number(paper_figure(PAPER_LOCAL_PSNR, size, attack), 2),
        mean(summary.inpainted_local_psnr, 2),
        mean(summary.f1, 3),
        *(number(f1, 3) for _, f1 in found),
    )
