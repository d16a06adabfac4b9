"""The figures to reach, the paper's beside them, and whether they were reached.

The paper: "From Image to Imuge: Immunized Image Generation" (ACM MM 2021), measured at 256 x 256 on 134
pictures that people tampered with, 10 to 50 % of the area.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imuge_cli.benchmark.aggregate import Figure, decibels, false_alarms, figure, share
from imuge_cli.benchmark.rows import CaseRow, Results

GOAL_SHARE = 0.1
"""The goals are for this tampered share, unless they name another."""

REMOVAL = "inpaint"
_REMOVAL_ALLOWANCE = 0.02
REACHED, MISSED, NOT_MEASURED = "reached", "missed", "not measured"


@dataclass(frozen=True)
class Goal:
    """One figure to reach. kind: what is measured, see _MEASURES. attack: "" where it names none.

    reach: at least this much, or at most where `at_most`. paper: the paper's figure, where it has one.
    """

    size: str
    kind: str
    attack: str
    reach: float
    paper: float | None = None
    at_most: bool = False
    share: float = GOAL_SHARE


@dataclass(frozen=True)
class Outcome:
    """A goal, what was measured, and REACHED, MISSED or NOT_MEASURED."""

    goal: Goal
    ours: float | None
    status: str


PAPER_LOCAL_PSNR = {
    "none": 27.11, "jpeg:90": 26.11, "jpeg:70": 23.85, "jpeg:50": 18.71, "scale:1.5": 23.87,
    "scale:0.7": 25.10, "scale:0.5": 24.52, "crop:0.9": 26.85, "crop:0.7": 24.73, "crop:0.5": 24.10,
    "blur:5": 19.93, "noise:12.75": 27.06,
}  # fmt: skip
PAPER_PSNR = {
    "none": 29.60, "jpeg:90": 29.33, "jpeg:70": 27.43, "jpeg:50": 25.98, "scale:1.5": 25.23,
    "scale:0.7": 26.61, "scale:0.5": 25.78, "crop:0.9": 28.66, "crop:0.7": 25.94, "crop:0.5": 24.55,
    "blur:5": 27.35, "noise:12.75": 28.52,
}  # fmt: skip
_LOCAL_PSNR = {
    "none": (28, 31), "jpeg:90": (27, 29.5), "jpeg:70": (25.5, 27.5), "jpeg:50": (24, 26),
    "scale:1.5": (26, 28), "scale:0.7": (25.5, 27), "scale:0.5": (25, 26), "crop:0.9": (27, 28),
    "crop:0.7": (26, 27), "crop:0.5": (25, 26), "blur:5": (25.5, 27.5), "noise:5": (24.5, 26.5),
    "noise:12.75": (22, 24),
}  # fmt: skip
_F1 = {
    "none": (0.985, 0.99), "jpeg:90": (0.98, 0.985), "jpeg:70": (0.975, 0.98),
    "jpeg:50": (0.93, 0.95), "scale:1.5": (0.95, 0.96), "scale:0.7": (0.95, 0.96),
    "scale:0.5": (0.95, 0.96), "blur:3": (0.96, 0.97), "blur:5": (0.96, 0.97),
}  # fmt: skip
_SIZES = ("256", "512")
PAPER_IMMUNIZED = 34.60
"""PSNR of the paper's immunized pictures, 256 x 256, dB."""


def _with_scale_back(goals: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """A picture brought back to its size has the same goal as one left at the other size."""
    scaled = {name.replace("scale:", "scale-back:"): goal for name, goal in goals.items()}
    return goals | scaled


def paper_figure(table: dict[str, float], size: str, attack: str) -> float | None:
    """The paper's figure for an attack; it knows one size, and scales back."""
    return table.get(attack.replace("scale-back:", "scale:")) if size == "256" else None


def _goals() -> tuple[Goal, ...]:
    goals = [
        Goal("256", "immunized PSNR", "", 40.0, PAPER_IMMUNIZED),
        Goal("256", "immunized SSIM", "", 0.975, 0.973),
        Goal("512", "immunized PSNR", "", 41.0),
        Goal("512", "immunized SSIM", "", 0.98),
        Goal("512", "immunized PSNR, worst picture", "", 39.0),
    ]
    for at, size in enumerate(_SIZES):
        for attack, reach in _with_scale_back(_F1).items():
            goals.append(Goal(size, "mask F1", attack, reach[at]))
            goals.append(Goal(size, "mask F1, removal", attack, round(reach[at] - _REMOVAL_ALLOWANCE, 4)))
        goals.append(Goal(size, "untampered: pixels flagged", "", 0.001, at_most=True))
        goals.append(Goal(size, "untampered: pictures flagged", "", 0.001, at_most=True))
        goals.append(Goal(size, "bit-exact inside, untouched file", "none", 1.0, share=0.1))
        goals.append(Goal(size, "L-PSNR, untouched file", "none", 42.0, share=0.25))
        goals.append(Goal(size, "L-PSNR, untouched file", "none", 37.0, share=0.5))
        for attack, reach in _with_scale_back(_LOCAL_PSNR).items():
            paper = paper_figure(PAPER_LOCAL_PSNR, size, attack)
            goals.append(Goal(size, "L-PSNR, robust", attack, reach[at], paper))
        for attack in ("crop:0.9", "crop:0.7", "crop:0.5"):
            goals.append(Goal(size, "crop offset exact", attack, 0.99))
    goals.append(Goal("512", "PSNR of what was cropped away", "crop:0.9", 22.0))
    return tuple(goals)


GOALS = _goals()


def goal_for(size: str, kind: str, attack: str = "", share: float = GOAL_SHARE) -> Goal | None:
    """The goal of this name, if there is one."""
    wanted = (size, kind, attack, share)
    return next((goal for goal in GOALS if (goal.size, goal.kind, goal.attack, goal.share) == wanted), None)


def check(results: Results) -> tuple[Outcome, ...]:
    """Every goal of the sizes that were measured."""
    return tuple(_outcome(goal, results) for goal in GOALS if goal.size in results.settings.sizes)


def judge(goal: Goal, ours: float | None) -> str:
    """REACHED, MISSED or NOT_MEASURED."""
    if ours is None:
        return NOT_MEASURED
    return REACHED if (ours <= goal.reach if goal.at_most else ours >= goal.reach) else MISSED


def robust(rows: Sequence[CaseRow]) -> list[CaseRow]:
    """Without those that the lossless layer answered: it is alive in untouched files only."""
    return [row for row in rows if row.layer != "exact"]


def _outcome(goal: Goal, results: Results) -> Outcome:
    ours = _MEASURES[goal.kind](goal, results)
    return Outcome(goal, ours, judge(goal, ours))


def _cases(goal: Goal, results: Results) -> list[CaseRow]:
    wanted = (goal.size, goal.attack, goal.share)
    return [row for row in results.cases if (row.size, row.attack, row.share) == wanted]


def _mean(value: Figure | None) -> float | None:
    return value.mean if value else None


def _immunized(name: str) -> Callable[[Goal, Results], float | None]:
    def measure(goal: Goal, results: Results) -> float | None:
        rows = [row for row in results.embedding if row.size == goal.size]
        if name == "ssim":
            return _mean(figure(row.ssim for row in rows))
        found = decibels(row.psnr for row in rows)
        return (found.least if name == "least" else found.mean) if found else None

    return measure


def _f1(goal: Goal, results: Results) -> float | None:
    removal = goal.kind.endswith("removal")
    return _mean(figure(row.f1 for row in _cases(goal, results) if (row.tamper == REMOVAL) == removal))


def _flagged(goal: Goal, results: Results) -> float | None:
    rows = [row for row in results.untampered if row.size == goal.size]
    if not rows:
        return None
    alarms = false_alarms(rows)
    return alarms.flagged_pixels if "pixels" in goal.kind else alarms.flagged_pictures


def _published_local_psnr(goal: Goal, results: Results) -> float | None:
    return _mean(decibels(row.published_local_psnr for row in _of_exact_layer(goal, results)))


def _of_exact_layer(goal: Goal, results: Results) -> list[CaseRow]:
    """All cases, those that the lattice had to answer too, if the pictures had an exact layer at all."""
    rows = _cases(goal, results)
    return rows if any(row.layer == "exact" for row in rows) else []


def _robust_local_psnr(goal: Goal, results: Results) -> float | None:
    return _mean(decibels(row.judged_local_psnr for row in robust(_cases(goal, results))))


def _canvas(goal: Goal, results: Results) -> float | None:
    return _mean(decibels(row.canvas_psnr for row in _cases(goal, results)))


def _exact(goal: Goal, results: Results) -> float | None:
    rows = _of_exact_layer(goal, results)
    return share(row.exact for row in rows) if rows else None


def _offset(goal: Goal, results: Results) -> float | None:
    # the offset does not depend on the tampered share: all of them count
    rows = [row for row in results.cases if (row.size, row.attack) == (goal.size, goal.attack)]
    return share(row.offset_exact for row in rows) if rows else None


_MEASURES: dict[str, Callable[[Goal, Results], float | None]] = {
    "immunized PSNR": _immunized("psnr"),
    "immunized PSNR, worst picture": _immunized("least"),
    "immunized SSIM": _immunized("ssim"),
    "mask F1": _f1,
    "mask F1, removal": _f1,
    "untampered: pixels flagged": _flagged,
    "untampered: pictures flagged": _flagged,
    "bit-exact inside, untouched file": _exact,
    "L-PSNR, untouched file": _published_local_psnr,
    "L-PSNR, robust": _robust_local_psnr,
    "crop offset exact": _offset,
    "PSNR of what was cropped away": _canvas,
}
