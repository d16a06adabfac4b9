"""Results -> tables: the goals first, then what stands behind them."""

from __future__ import annotations

from imuge_cli.benchmark.aggregate import (
    CEILING_DB,
    Summary,
    decibels,
    false_alarms,
    false_detections,
    figure,
    grouped,
    summarise,
)
from imuge_cli.benchmark.beside import beside_table
from imuge_cli.benchmark.exact_table import exact_table
from imuge_cli.benchmark.geometry_table import geometry_table
from imuge_cli.benchmark.goals import (
    GOAL_SHARE,
    MISSED,
    NOT_MEASURED,
    PAPER_LOCAL_PSNR,
    PAPER_PSNR,
    REACHED,
    REMOVAL,
    Goal,
    Outcome,
    check,
    goal_for,
    judge,
    paper_figure,
    robust,
)
from imuge_cli.benchmark.rows import FAILURE_DB, CaseRow, Results
from imuge_cli.benchmark.suites import GEOMETRY, size_name
from imuge_cli.benchmark.table import EMPTY, Table, least, mean, number, percent, tenth

_PAPER = (
    'Paper: "From Image to Imuge" (ACM MM 2021), 256 x 256, 134 pictures that people tampered with, 10 to '
    "50 % of the area; scaled pictures were scaled back, noise has sigma .1 where pixels run from -1 to 1."
)
_RECOVERY_NOTE = (
    "L-PSNR: inside the truly tampered pixels, against the pristine original; a bit-exact recovery counts as "
    f"{CEILING_DB:g} dB. Failures: L-PSNR below {FAILURE_DB:g} dB, no synchronisation, or recovery refused; "
    "such a picture is measured as it stands. Oracle: recovered with the true mask. Inpainting: Telea's method "
    "under the true mask, what a picture that carries nothing can be given. AVIF: the whole original in as many bits "
    "as what is left of the immunization can carry at most over the noise it arrived with."
)
_RESIZED_NOTE = (
    "Suspects of another scale: figures are those at the suspect's size, but for the last column, in which the whole "
    "frame is given back at the original's size, and which decides what was reached. Where nothing was found, the "
    "suspect is brought there."
)


def make_tables(results: Results) -> list[Table]:
    """Every table that the rows allow."""
    tables = [_goals(results)]
    if results.embedding:
        tables.append(_embedding(results))
    for size in results.settings.sizes:
        cases = [row for row in results.cases if row.size == size]
        if cases:
            main = _main_share(cases)
            shown = [row for row in cases if row.share == main]
            if results.settings.suite == GEOMETRY:
                tables.append(geometry_table(size, cases))
                continue
            tables += [_recovery(size, main, shown), _localization(size, main, shown)]
            if results.beside:
                tables.append(beside_table(results, size, main))
            if any(row.layer == "exact" for row in cases):
                tables.append(exact_table(size, cases))
            tables.append(_by_share(size, cases))
            for share in sorted({row.share for row in cases}):
                name = f"tampers-{size}" if share == main else f"tampers-{size}-{100 * share:g}"
                tables.append(_by_tamper(name, size, share, [row for row in cases if row.share == share]))
    if results.untampered:
        tables.append(_untampered(results))
    if results.foreign:
        tables.append(_foreign(results))
    if results.embedding:
        tables.append(_time(results))
    return tables


def page(results: Results) -> str:
    """The whole page: how it was measured, and all tables."""
    heading = "# imuge: measured quality\n"
    return "\n".join([heading, conditions(results), *(table.markdown() for table in make_tables(results))])


def conditions(results: Results) -> str:
    """What was measured, with what, on what: one paragraph."""
    settings, engine, machine = results.settings, results.engine, results.machine
    made = (
        "no engine"
        if engine is None
        else (
            f"model {engine.model}, strength {engine.strength}, key {engine.key_kind}, device "
            f"{engine.device}, weights {(engine.weights_sha256 or 'none')[:16]}"
        )
    )
    beside = "" if results.jobs == 1 else f"; {results.jobs} pictures side by side, so that each took longer than alone"
    broken = "" if results.complete else "**Interrupted: these are the cases done until then.** "
    return (
        f"{broken}imuge {results.version}, {made}; suite {settings.suite}, {len(results.pictures)} pictures, "
        f"{len(results.cases)} cases, seed {settings.seed}; {machine.cores} cores ({machine.processor}), "
        f"{machine.system}, Python {machine.python}, torch {machine.torch}; {results.seconds:.0f} s{beside}.\n"
    )


def _main_share(cases: list[CaseRow]) -> float:
    shares = sorted({row.share for row in cases})
    return GOAL_SHARE if GOAL_SHARE in shares else shares[0]


def _goals(results: Results) -> Table:
    outcomes = check(results)
    rows = [_goal_row(outcome) for outcome in outcomes if outcome.status != NOT_MEASURED]
    counts = {
        status: sum(outcome.status == status for outcome in outcomes) for status in (REACHED, MISSED, NOT_MEASURED)
    }
    summary = (
        f"{counts[REACHED]} reached, {counts[MISSED]} missed, {counts[NOT_MEASURED]} not measured here. "
        "Means over all pictures; 10 % tampered unless said."
    )
    columns = ("figure", "size", "to reach", "ours", "paper", "verdict")
    return Table("goals", "Figures to reach", columns, tuple(rows), (summary, _PAPER))


def _goal_row(outcome: Outcome) -> tuple[str, ...]:
    goal = outcome.goal
    name = f"{goal.kind}, {goal.attack}" if goal.attack else goal.kind
    if goal.share != GOAL_SHARE:
        name += f", {100 * goal.share:g} % tampered"
    sign = "<=" if goal.at_most else ">="
    digits = 2 if "PSNR" in goal.kind else 4
    ours, paper = number(outcome.ours, digits), number(goal.paper, digits)
    return name, goal.size, f"{sign} {goal.reach:g}", ours, paper, _verdict(outcome.status)


def _verdict(status: str) -> str:
    return f"**{status}**" if status == MISSED else status


def _reach(goal: Goal | None, ours: float | None) -> tuple[str, str]:
    """What to reach, and whether it was: two cells."""
    if goal is None:
        return EMPTY, EMPTY
    return f"{goal.reach:g}", _verdict(judge(goal, ours))


def _embedding(results: Results) -> Table:
    rows = []
    for size, group in grouped(results.embedding, lambda row: row.size).items():
        fidelity, likeness = decibels(row.psnr for row in group), figure(row.ssim for row in group)
        assert fidelity and likeness
        worst = min(group, key=lambda row: row.psnr).picture
        first, second = goal_for(size, "immunized PSNR"), goal_for(size, "immunized SSIM")
        rows.append(
            (
                size,
                str(len(group)),
                mean(fidelity, 2),
                *_reach(first, fidelity.mean),
                least(fidelity, 2),
                worst,
            )
            + (mean(likeness, 4), *_reach(second, likeness.mean), least(likeness, 4))
        )
    columns = (
        "size", "pictures", "PSNR", "to reach", "verdict", "worst", "worst picture",
        "SSIM", "to reach", "verdict", "worst",
    )  # fmt: skip
    return Table(
        "embedding",
        "Immunized pictures",
        columns,
        tuple(rows),
        ("Paper (256 x 256, three pictures): PSNR 34.60 dB, SSIM 0.973.",),
    )


def _recovery(size: str, share: float, cases: list[CaseRow]) -> Table:
    rows = []
    resized = any(row.original_size_local_psnr is not None for row in cases)
    for attack, group in grouped(cases, lambda row: row.attack).items():
        figures = summarise(group)
        lattice = decibels(row.judged_local_psnr for row in robust(group))
        goal = goal_for(size, "L-PSNR, robust", attack, share)
        reach = _reach(goal, lattice.mean if lattice else None)
        rows.append(
            (attack, str(figures.cases), mean(figures.local_psnr, 2), tenth(figures.local_psnr, 2), *reach)
            + (number(paper_figure(PAPER_LOCAL_PSNR, size, attack), 2), mean(figures.oracle_local_psnr, 2))
            + (
                mean(figures.inpainted_local_psnr, 2),
                mean(figures.avif_local_psnr, 2),
                mean(figures.suspect_local_psnr, 2),
                percent(figures.exact),
                mean(figures.psnr, 2),
            )
            + (number(paper_figure(PAPER_PSNR, size, attack), 2), str(figures.failures))
            + ((mean(figures.original_size_local_psnr, 2),) if resized else ())
        )
    columns = (
        "attack", "cases", "L-PSNR", "10th percentile", "to reach", "verdict", "paper", "oracle mask",
        "inpainting", "AVIF", "before recovery", "bit-exact", "PSNR", "paper", "failures",
        *(("L-PSNR at the original's size",) if resized else ()),
    )  # fmt: skip
    title = f"Recovery, {size_name(size)}, {100 * share:g} % tampered"
    notes = (_RECOVERY_NOTE, *((_RESIZED_NOTE,) if resized else ()), _PAPER)
    return Table(f"recovery-{size}", title, columns, tuple(rows), notes)


def _localization(size: str, share: float, cases: list[CaseRow]) -> Table:
    rows = []
    for attack, group in grouped(cases, lambda row: row.attack).items():
        figures = summarise(group)
        others = figure(row.f1 for row in group if row.tamper != REMOVAL)
        removal = figure(row.f1 for row in group if row.tamper == REMOVAL)
        first, second = (goal_for(size, f"mask F1{tail}", attack, share) for tail in ("", ", removal"))
        rows.append(
            (attack, mean(others, 3), tenth(others, 3), *_reach(first, others.mean if others else None))
            + (mean(removal, 3), *_reach(second, removal.mean if removal else None))
            + (mean(figures.precision, 3), mean(figures.recall, 3), mean(figures.iou, 3))
            + (percent(figures.found), percent(figures.offset_exact), percent(figures.identified))
        )
    columns = (
        "attack", "F1", "10th percentile", "to reach", "verdict", "F1, removal", "to reach", "verdict",
        "precision", "recall", "IoU", "found", "offset exact", "identified",
    )  # fmt: skip
    title = f"Localization, {size_name(size)}, {100 * share:g} % tampered"
    notes = (
        "F1: all tampers but removal by inpainting, which has its own column. Precision, recall, IoU: all.",
        "Found: placed, with a verdict. Offset exact, identified: place and image id right, with a verdict or without.",
    )
    return Table(f"localization-{size}", title, columns, tuple(rows), notes)


def _by_share(size: str, cases: list[CaseRow]) -> Table:
    shares = sorted({row.share for row in cases})
    rows = []
    for attack, group in grouped(cases, lambda row: row.attack).items():
        cells = [attack]
        for share in shares:
            cells += _pair([row for row in group if row.share == share])
        rows.append(tuple(cells))
    columns = ("attack", *(f"{what}, {100 * share:g} %" for share in shares for what in ("L-PSNR", "F1")))
    return Table(f"shares-{size}", f"By tampered share, {size_name(size)}", columns, tuple(rows))


def _by_tamper(name: str, size: str, share: float, cases: list[CaseRow]) -> Table:
    tampers = list(grouped(cases, lambda row: row.tamper))
    rows = []
    for attack, group in grouped(cases, lambda row: row.attack).items():
        cells = [attack]
        for tamper in tampers:
            cells += _pair([row for row in group if row.tamper == tamper])
        rows.append(tuple(cells))
    columns = ("attack", *(f"{what}, {tamper}" for tamper in tampers for what in ("L-PSNR", "F1")))
    title = f"By tampering, {size_name(size)}, {100 * share:g} % tampered"
    return Table(name, title, columns, tuple(rows))


def _pair(rows: list[CaseRow]) -> list[str]:
    if not rows:
        return [EMPTY, EMPTY]
    figures: Summary = summarise(rows)
    return [mean(figures.local_psnr, 2), mean(figures.f1, 3)]


def _untampered(results: Results) -> Table:
    rows = []
    for size, of_size in grouped(results.untampered, lambda row: row.size).items():
        groups = {**grouped(of_size, lambda row: row.attack), "all": of_size}
        pixels, pictures = (goal_for(size, f"untampered: {what} flagged") for what in ("pixels", "pictures"))
        for attack, group in groups.items():
            alarms = false_alarms(group)
            rows.append(
                (attack, size, str(alarms.pictures), percent(alarms.flagged_pixels, 3))
                + (_reach(pixels, alarms.flagged_pixels)[1], percent(alarms.flagged_pictures))
                + (_reach(pictures, alarms.flagged_pictures)[1], str(alarms.intact), str(alarms.tampered))
                + (str(alarms.not_found),)
            )
    columns = (
        "attack", "size", "pictures", "pixels flagged", "verdict", "pictures flagged", "verdict",
        "said intact", "said tampered", "said not found",
    )  # fmt: skip
    note = "To reach: at most 0.1 % of the pixels, and of the pictures."
    return Table("untampered", "False alarms: immunized, attacked, not tampered with", columns, tuple(rows), (note,))


def _foreign(results: Results) -> Table:
    rows = []
    for size, of_size in grouped(results.foreign, lambda row: row.size).items():
        for kind, of_kind in grouped(of_size, lambda row: row.kind).items():
            for attack, group in grouped(of_kind, lambda row: row.attack).items():
                rows.append((kind, attack, size, str(len(group)), str(false_detections(group))))
    columns = ("pictures that are", "attack", "size", "pictures", "taken for immunized")
    return Table("foreign", "False detections: not immunized with this key", columns, tuple(rows))


def _time(results: Results) -> Table:
    rows = []
    for size, embedded in grouped(results.embedding, lambda row: row.size).items():
        immunize = figure(row.seconds for row in embedded)
        verify = figure(row.seconds for row in results.untampered if row.size == size)
        recover = figure(row.seconds for row in results.cases if row.size == size)
        rows.append((size, mean(immunize, 2), mean(verify, 2), mean(recover, 2)))
    columns = ("size", "immunize, s", "verify, s", "recover, s")
    where = (
        "in one process" if results.jobs == 1 else f"in {results.jobs} processes side by side, each slower than alone,"
    )
    note = f"Means {where} with everything loaded; the speed suite measures whole commands."
    return Table("time", "Time per picture", columns, tuple(rows), (note,))
