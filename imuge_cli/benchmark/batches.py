"""Whether a batch of many files finishes, names the broken ones, and keeps its memory flat: whole commands on files."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median

import numpy as np

from imuge_cli import __version__
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.attacks.tampers import random_tamper
from imuge_cli.benchmark.gallery import find_pictures, random_for
from imuge_cli.benchmark.machine import Machine, this_machine
from imuge_cli.benchmark.readme import names_in, update_markdown
from imuge_cli.benchmark.speed import COMMAND
from imuge_cli.benchmark.store import require_free
from imuge_cli.benchmark.table import EMPTY, Table, number
from imuge_cli.errors import UsageError
from imuge_cli.image.atomic import write_bytes
from imuge_cli.image.picture import Picture
from imuge_cli.image.read import read_picture
from imuge_cli.image.write import write_picture
from imuge_cli.reporting.schema import plain

SCHEMA = "imuge.batch/1"
JSON, MARKDOWN, PLOT = "batch.json", "batch.md", "batch.png"
DEFAULT_FILES = 1000
_SIDES = 192, 320
"""Pictures' sides are drawn between these, in pixels: no two shapes need be alike."""
_FOLDERS = 10
_BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "torn.png": lambda good: good[: len(good) // 3],
    "garbage.jpg": lambda good: b"\xff\xd8\xff\xe0" + good[200:900],
    "text.png": lambda good: b"no picture at all\n",
}
"""What corrupt files are made of."""
_TAMPERED = 0.75
"""Share of the pictures that are tampered with before they are verified."""
_SAMPLED = 0.25
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Watched:
    """One command on all files. done, failed: files by its JSON lines. named: whether the failed ones are the broken
    ones. memory: (seconds since the start, resident MB of 10^6 bytes); empty where the system does not tell."""

    command: str
    files: int
    done: int
    failed: int
    named: bool
    exit_code: int
    seconds: float
    memory: tuple[tuple[float, float], ...]

    def level(self, begin: float, end: float) -> float | None:
        """The median of the memory between two shares of the time, MB."""
        inside = [held for when, held in self.memory if begin <= when / self.seconds <= end]
        return median(inside) if inside else None

    @property
    def most(self) -> float | None:
        """The most memory that was seen, MB."""
        return max((held for _, held in self.memory), default=None)


def run_batches(
    *,
    data: Path | None,
    out: Path,
    files: int = DEFAULT_FILES,
    jobs: int = 1,
    options: Sequence[str] = (),
    immunize_options: Sequence[str] = (),
    seed: int = 0,
    command: Sequence[str] = COMMAND,
    progress: Callable[[str], None] | None = None,
    update_readme: Path | None = None,
    force: bool = False,
) -> str:
    """Immunize `files` pictures cut from those in `data`, three broken ones among them, tamper with most of the
    published ones, and verify them all with masks and a page; write batch.json, batch.md and a plot of the memory.

    options: for both commands. Returns the Markdown. Raises UsageError, InputError or OutputError before any work.
    """
    if data is None:
        raise UsageError("--data is missing; name a folder of pictures, such as Kodak's")
    if files <= len(_BROKEN):
        raise UsageError(f"--pictures {files}: {len(_BROKEN)} of the files are broken; take more")
    paths = find_pictures(data)
    require_free(out, force=force, names=(JSON, MARKDOWN, PLOT))
    if update_readme is not None:
        names_in(update_readme)
    tell = progress or (lambda text: None)
    common = ["--recursive", "--json", "--jobs", str(jobs), *options]
    with tempfile.TemporaryDirectory(prefix="imuge-batch-") as place:
        raw, published, suspects, masks = (Path(place, name) for name in ("raw", "published", "suspects", "masks"))
        _write_pictures(paths, raw, files, seed)
        tell(f"{files} files of which {len(_BROKEN)} are broken")
        immunize = ["immunize", str(raw), "-o", str(published), *common, *immunize_options]
        done = [_watch(command, immunize, files)]
        tell(_told(done[0]))
        _write_suspects(published, suspects, seed)
        _write_broken(suspects, next(raw.rglob("0000.png")).read_bytes())
        wanted = ["--mask-out", "-o", str(masks), "--report", str(masks / "report.html")]
        count = sum(1 for _ in suspects.rglob("*.*"))
        done.append(_watch(command, ["verify", str(suspects), *wanted, *common], count))
        tell(_told(done[1]))
    return _write(done, jobs, out, update_readme)


def batch_table(done: Sequence[Watched]) -> Table:
    """Files, time and memory of each command."""
    columns = (
        "command", "files", "done", "failed", "the broken ones, named", "exit code", "time, s", "each, s",
        "memory after a tenth, MB", "at the end, MB", "at most, MB",
    )  # fmt: skip
    rows = [
        (
            f"imuge {one.command}",
            str(one.files),
            str(one.done),
            str(one.failed),
            "yes" if one.named else "**no**",
            str(one.exit_code),
            number(one.seconds, 0),
            number(one.seconds / one.files, 2) if one.files else EMPTY,
            number(one.level(0.1, 0.2), 0),
            number(one.level(0.9, 1.0), 0),
            number(one.most, 0),
        )
        for one in done
    ]
    note = (
        f"Sides of {_SIDES[0]} to {_SIDES[1]} pixels; verified with masks and an HTML page. Memory: resident, of the "
        "whole process, medians over a tenth of the time."
    )
    return Table("batch", "Many files in one call", columns, tuple(rows), (note,))


def _write_pictures(paths: Sequence[Path], folder: Path, files: int, seed: int) -> None:
    """In a tree of folders, PNG and JPEG by turns, the broken ones in the first of them."""
    rng = random_for(seed, "batch")
    source, index = read_picture(paths[0]).as_uint8(), 0
    for place in range(files - len(_BROKEN)):
        if place * len(paths) // files != index:
            index = place * len(paths) // files
            source = read_picture(paths[index]).as_uint8()
        rows, columns = (min(int(rng.integers(_SIDES[0], _SIDES[1] + 1)), side) for side in source.shape[:2])
        top, left = (
            int(rng.integers(0, side - kept + 1)) for side, kept in zip(source.shape[:2], (rows, columns), strict=True)
        )
        cut = Picture(pixels=np.ascontiguousarray(source[top : top + rows, left : left + columns]))
        suffix = "png" if place % 2 == 0 else "jpg"
        write_picture(cut, folder / f"{place % _FOLDERS}" / f"{place:04}.{suffix}")
    _write_broken(folder, (folder / "0" / "0000.png").read_bytes())


def _write_broken(folder: Path, good: bytes) -> None:
    for name, spoil in _BROKEN.items():
        write_bytes(folder / "0" / name, spoil(good))


def _write_suspects(published: Path, suspects: Path, seed: int) -> None:
    """What became of the published pictures: JPEG 85, most of them tampered with."""
    for path in sorted(published.rglob("*.bmp")):
        rng = random_for(seed, path.name)
        pixels = read_picture(path).as_uint8()
        if rng.random() < _TAMPERED:
            pixels, _ = random_tamper(pixels, "clone", 0.08, rng)
        attacked = apply(parse("jpeg:85"), pixels, rng).image
        write_picture(Picture(pixels=attacked), suspects / path.relative_to(published).with_suffix(".png"))


def _watch(command: Sequence[str], arguments: Sequence[str], files: int) -> Watched:
    """Run a command to its end, looking at its memory now and then."""
    memory: list[tuple[float, float]] = []
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        started = time.monotonic()
        process = subprocess.Popen([*command, *arguments], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        while process.poll() is None:
            held = _resident(process.pid)
            if held is not None:
                memory.append((time.monotonic() - started, held))
            time.sleep(_SAMPLED)
        seconds = time.monotonic() - started
        stdout.seek(0)
        reports = [json.loads(line) for line in stdout]
    failed = sorted(Path(report["file"]).name for report in reports if report["error"])
    return Watched(
        command=arguments[0],
        files=files,
        done=len(reports) - len(failed),
        failed=len(failed),
        named=failed == sorted(_BROKEN),
        exit_code=process.returncode,
        seconds=seconds,
        memory=tuple(memory),
    )


def _resident(process: int) -> float | None:
    """MB of 10^6 bytes; None where the system does not tell."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None


def _told(done: Watched) -> str:
    return f"{done.command}: {done.done} done, {done.failed} failed, {done.seconds:.0f} s, exit code {done.exit_code}"


def _write(done: Sequence[Watched], jobs: int, out: Path, update_readme: Path | None) -> str:
    machine, table = this_machine(), batch_table(done)
    told = f"{_conditions(machine, jobs)}\n\n"
    text = f"# imuge: many files in one call\n\n{told}{table.markdown()}"
    drawn = _plot(done)
    if drawn is not None:
        write_bytes(out / PLOT, drawn, force=True)
        text += f"\n![Memory over time]({PLOT})\n"
    body = {"schema": SCHEMA, "version": __version__, "machine": machine, "jobs": jobs, "commands": list(done)}
    encoded = json.dumps(plain(body), indent=1, allow_nan=False) + "\n"
    write_bytes(out / JSON, encoded.encode("ascii"), force=True)
    write_bytes(out / MARKDOWN, text.encode("utf-8"), force=True)
    if update_readme is not None:
        update_markdown(update_readme, {table.name: told + table.body()})
    return text


def _plot(done: Sequence[Watched]) -> bytes | None:
    """Resident memory over time, PNG; None without matplotlib or without anything to draw."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    if not any(one.memory for one in done):
        return None
    canvas = Figure(figsize=(9, 3.2), layout="constrained")
    for place, one in enumerate(done, 1):
        axes = canvas.add_subplot(1, len(done), place)
        axes.plot([when for when, _ in one.memory], [held for _, held in one.memory])
        axes.set(title=f"imuge {one.command}, {one.files} files", xlabel="seconds", ylabel="resident memory, MB")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    stream = BytesIO()
    canvas.savefig(stream, dpi=110, format="png")
    return stream.getvalue()


def _conditions(machine: Machine, jobs: int) -> str:
    return (
        f"imuge {__version__}, {machine.cores} cores ({machine.processor}), {machine.system}, Python {machine.python}, "
        f"torch {machine.torch}, --jobs {jobs}."
    )
