"""What each of the paper's mechanisms is worth (P1 Table 3): short trainings of equal length, one for each row."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imuge_cli.errors import UsageError
from imuge_cli.training.finish import FIGURES_FILE
from imuge_cli.training.imuge_plan import ABLATION, Mechanisms
from imuge_cli.training.imuge_run import MECHANISMS, train_imuge
from imuge_cli.training.state import STATE_FILE

PAPER = (13.16, 20.99, 23.30, 25.19, 27.03, 27.43)
"""P1 Table 3, L-PSNR in dB at JPEG 70 as printed, after 200 epochs."""


@dataclass(frozen=True)
class AblationRow:
    """name: the mechanism that a row adds. psnr: of immunized pictures, l_psnr: at JPEG 70, dB; f1: of V's mask there,
    None without V. paper: P1's L-PSNR, dB."""

    name: str
    psnr: float
    l_psnr: float
    f1: float | None
    paper: float


def run_ablation(
    *,
    data: Sequence[Path],
    steps: int,
    out: Path,
    batch: int | None = None,
    seed: int = 0,
    device: str = "auto",
    limit: int | None = None,
    resume: bool = False,
    width: int | None = None,
    side: int | None = None,
    progress: Callable[[str], None] = print,
) -> tuple[AblationRow, ...]:
    """Train every row for the same number of steps, from the same seed, each into a folder of its own in `out`.

    resume: keep rows that are done and go on with the one that was interrupted. width, side: as `train_imuge` takes
    them, for all rows. Raises as `train_imuge`.
    """
    rows = []
    for number, ((name, mechanisms), paper) in enumerate(zip(ABLATION.items(), PAPER, strict=True)):
        folder = out / f"row-{number}"
        done = folder / FIGURES_FILE
        if done.is_file() and not resume:
            raise UsageError(f"{folder}: holds a training already; give --resume, or another --out")
        if not done.is_file() or _figures(done)["step"] != steps:
            progress(f"ablation, row {number + 1} of {len(PAPER)}: {name}")
            again = resume and (folder / STATE_FILE).is_file()
            train_imuge(
                data=data,
                steps=steps,
                batch=batch,
                resume=again,
                out=folder,
                seed=seed,
                device=device,
                progress=progress,
                limit=limit,
                validate_every=steps,
                without=() if again else _left_out(mechanisms),
                width=None if again else width,
                side=side,
            )
        figures = _figures(done)
        f1 = figures["f1 jpeg:70"] if mechanisms.verifier else None
        rows.append(AblationRow(name, figures["psnr"], figures["l_psnr jpeg:70"], f1, paper))
    return tuple(rows)


def _left_out(mechanisms: Mechanisms) -> tuple[str, ...]:
    return tuple(option for option, field in MECHANISMS.items() if not getattr(mechanisms, field))


def _figures(path: Path) -> dict[str, float]:
    figures: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return figures
