"""The tables as pictures: what an attack's strength and the tampered share do, and how visible the immunization is.

Drawn with matplotlib where it is installed (the extra `bench`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from imuge_cli.attacks.chain import parse
from imuge_cli.benchmark.aggregate import Figure, Summary, grouped, summarise
from imuge_cli.benchmark.goals import GOAL_SHARE, PAPER_LOCAL_PSNR, goal_for, paper_figure
from imuge_cli.benchmark.rows import CaseRow, Results
from imuge_cli.benchmark.suites import size_name
from imuge_cli.image.atomic import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Kind of attack: what its strength is called. Strengths become the horizontal axis.
_FAMILIES = {
    "jpeg": "JPEG quality",
    "scale": "scale, left at that size",
    "scale-back": "scale, scaled back",
    "crop": "share of the area that a crop keeps",
}
_SHARE_ATTACKS = ("none", "jpeg:90", "jpeg:70", "jpeg:50")
_DPI = 110


@dataclass(frozen=True)
class Plot:
    """A plot's file name in the results' folder, and what it shows."""

    name: str
    title: str


def write_plots(results: Results, folder: Path) -> tuple[Plot, ...]:
    """Write every plot that the rows allow (two strengths or shares at least), PNG; none without matplotlib."""
    try:
        from matplotlib.figure import Figure as Canvas
    except ImportError:
        return ()
    made = []
    for plot, draw in _plots(results):
        canvas = Canvas(figsize=(9, 3.6), layout="constrained")
        draw(canvas)
        stream = BytesIO()
        canvas.savefig(stream, dpi=_DPI, format="png")
        write_bytes(folder / plot.name, stream.getvalue(), force=True)
        made.append(plot)
    return tuple(made)


def links(plots: Sequence[Plot]) -> str:
    """The plots as Markdown, for a page beside them."""
    return "".join(f"\n## {plot.title}\n\n![{plot.title}]({plot.name})\n" for plot in plots)


def _plots(results: Results) -> Iterator[tuple[Plot, Callable[[Canvas], None]]]:
    for size, cases in grouped(results.cases, lambda row: row.size).items():
        at_goal = [row for row in cases if row.share == GOAL_SHARE]
        for family, label in _FAMILIES.items():
            by_strength = strengths(at_goal, family)
            if len(by_strength) > 1:
                title = f"{label[0].upper()}{label[1:]}, {size_name(size)}, {100 * GOAL_SHARE:g} % tampered"
                yield Plot(f"{family}-{size}.png", title), _strength_drawing(by_strength, family, label, size)
        shares = sorted({row.share for row in cases})
        if len(shares) > 1:
            yield Plot(f"shares-{size}.png", f"Tampered share, {size_name(size)}"), _share_drawing(cases)
        exactly = [row for row in cases if row.layer == "exact" and row.attack == "none"]
        if len({row.share for row in exactly}) > 1:
            yield Plot(f"exact-{size}.png", f"The exact layer, {size_name(size)}"), _exact_drawing(exactly, size)
    if len(results.embedding) > 1:
        yield Plot("embedding.png", "Immunized pictures"), _embedding_drawing(results)


def strengths(cases: Sequence[CaseRow], family: str) -> dict[float, Summary]:
    """Summaries of one kind of attack by its strength, rising; chains and other kinds are left out."""
    by_strength = {}
    for name, group in grouped(cases, lambda row: row.attack).items():
        attacks = parse(name).attacks
        if [attack.name for attack in attacks] == [family]:
            by_strength[attacks[0].strength] = summarise(group)
    return dict(sorted(by_strength.items()))


def _strength_drawing(
    by_strength: dict[float, Summary], family: str, label: str, size: str
) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        left, right = canvas.subplots(1, 2)
        places = list(by_strength)
        for name, style, pick in _CURVES:
            _curve(left, places, [pick(summary) for summary in by_strength.values()], name, style)
        attacks = [f"{family}:{strength:g}" for strength in places]
        paper = [paper_figure(PAPER_LOCAL_PSNR, size, attack) for attack in attacks]
        _points(left, places, paper, "paper", "k^")
        goals = [goal_for(size, "L-PSNR, robust", attack, GOAL_SHARE) for attack in attacks]
        _points(left, places, [goal.reach if goal else None for goal in goals], "to reach", "g+")
        _curve(right, places, [summary.f1 for summary in by_strength.values()], "mask", "C0o-")
        _label(left, right, label)

    return draw


_CURVES: tuple[tuple[str, str, Callable[[Summary], Figure | None]], ...] = (
    ("recovered", "C0o-", lambda summary: summary.local_psnr),
    ("true mask", "C1s--", lambda summary: summary.oracle_local_psnr),
    ("AVIF at the channel's capacity", "C2-.", lambda summary: summary.avif_local_psnr),
    ("inpainting (Telea), true mask", "C7:", lambda summary: summary.inpainted_local_psnr),
)


def _share_drawing(cases: Sequence[CaseRow]) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        left, right = canvas.subplots(1, 2)
        by_attack = grouped((row for row in cases if row.attack in _SHARE_ATTACKS), lambda row: row.attack)
        for number, (attack, rows) in enumerate(by_attack.items()):
            groups = dict(sorted((share, [r for r in rows if r.share == share]) for share in {r.share for r in rows}))
            summaries = [summarise(group) for group in groups.values()]
            places = [100 * share for share in groups]
            _curve(left, places, [s.local_psnr for s in summaries], attack, f"C{number}o-")
            _curve(right, places, [s.f1 for s in summaries], attack, f"C{number}o-")
        _label(left, right, "tampered share, %")

    return draw


def _exact_drawing(cases: Sequence[CaseRow], size: str) -> Callable[[Canvas], None]:
    """Recovery against the published picture and its bound on the left; on the right what was found, and what came back
    bit for bit."""

    def draw(canvas: Canvas) -> None:
        left, right = canvas.subplots(1, 2)
        groups = {
            share: summarise([r for r in cases if r.share == share]) for share in sorted({r.share for r in cases})
        }
        places, summaries = [100 * share for share in groups], list(groups.values())
        restored = [summary.published_local_psnr for summary in summaries]
        _curve(left, places, restored, "mean", "C0o-")
        _points(left, places, [figure.tenth if figure else None for figure in restored], "10th percentile", "C0v:")
        _curve(left, places, [summary.bound_local_psnr for summary in summaries], "codec with all the bits", "C2s-.")
        goals = [goal_for(size, "L-PSNR, untouched file", "none", share) for share in groups]
        _points(left, places, [goal.reach if goal else None for goal in goals], "to reach", "g+")
        _points(right, places, [summary.exact for summary in summaries], "share of cases bit for bit", "C0o-")
        _curve(right, places, [summary.tile_recall for summary in summaries], "tile recall", "C1s--")
        _curve(right, places, [summary.f1 for summary in summaries], "pixel F1", "C3^-.")
        for axes, vertical in ((left, "L-PSNR against the published file, dB"), (right, "share")):
            _label_axes(axes, "tampered share, %", vertical)

    return draw


def _embedding_drawing(results: Results) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        left, right = canvas.subplots(1, 2)
        by_size = grouped(results.embedding, lambda row: row.size)
        names = [size_name(size) for size in by_size]
        left.hist([[row.psnr for row in rows] for rows in by_size.values()], label=names)
        right.hist([[row.ssim for row in rows] for rows in by_size.values()], label=names)
        left.set(xlabel="PSNR, dB", ylabel="pictures")
        right.set(xlabel="SSIM", ylabel="pictures")
        left.legend(fontsize=8)

    return draw


def _label(left: Axes, right: Axes, horizontal: str) -> None:
    """Recovery on the left, the mask on the right, over the same quantity."""
    for axes, vertical in ((left, "L-PSNR, dB"), (right, "F1 of the mask")):
        _label_axes(axes, horizontal, vertical)


def _label_axes(axes: Axes, horizontal: str, vertical: str) -> None:
    axes.set(xlabel=horizontal, ylabel=vertical)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _curve(axes: Axes, places: Sequence[float], figures: Sequence[Figure | None], name: str, style: str) -> None:
    _points(axes, places, [figure.mean if figure else None for figure in figures], name, style)


def _points(axes: Axes, places: Sequence[float], values: Sequence[float | None], name: str, style: str) -> None:
    kept = [(place, value) for place, value in zip(places, values, strict=True) if value is not None]
    if kept:
        axes.plot([place for place, _ in kept], [value for _, value in kept], style, label=name, markersize=5)
