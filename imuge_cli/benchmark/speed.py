"""Time and memory of the command line: every command in a fresh process, as a person starts it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from imuge_cli import __version__
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.attacks.resample import resize
from imuge_cli.attacks.tampers import random_tamper
from imuge_cli.benchmark.engine import Image8
from imuge_cli.benchmark.goals import MISSED, NOT_MEASURED, REACHED
from imuge_cli.benchmark.machine import Machine, this_machine
from imuge_cli.benchmark.readme import names_in, update_markdown
from imuge_cli.benchmark.store import require_free
from imuge_cli.benchmark.table import EMPTY, Table, number
from imuge_cli.image.atomic import write_bytes
from imuge_cli.image.picture import Picture
from imuge_cli.image.read import read_picture
from imuge_cli.image.write import write_picture
from imuge_cli.reporting.schema import plain

SCHEMA = "imuge.speed/1"
JSON, MARKDOWN = "speed.json", "speed.md"
COMMAND = (sys.executable, "-m", "imuge_cli")
_ASPECT = 1.5
_LARGE = 10.0
"""Megapixels from which a command runs once, no batch is timed, and the goal for large pictures' memory holds."""
_BATCH = 8
"""Pictures in the batch that tells what each further one takes."""
_TOGETHER = (3, 7)
"""Pictures for each core in the two batches that tell what each further one takes with as many jobs as cores."""

# A process forked from a large one counts that one's memory as its own until it runs something else, and the
# peak keeps it. So a small interpreter stands in between, and asks for the peak of its only child.
_METER = """
import json, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
seconds = time.perf_counter() - started
try:
    import resource
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
except ImportError:
    peak = None
json.dump([seconds, peak, done.returncode, done.stdout.decode("utf-8", "replace"),
           done.stderr.decode("utf-8", "replace")], sys.stdout)
"""


@dataclass(frozen=True)
class Metered:
    """One run of a command. peak_bytes: most memory it held at once, None where the system does not tell."""

    seconds: float
    peak_bytes: int | None
    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Timing:
    """A command on a picture (0 megapixels: on none). suspect: what was done to it, of SUSPECTS; "" for the usual one.
    seconds: median over `runs` of the whole process.

    inside: what the command says its work took, without starting up and files. further: seconds that each
    picture after the first takes in a batch, files read and written; together: the same with as many jobs as cores.
    peak_mb: largest, in 10^6 bytes, of a single picture. error: why there are no figures, or "".
    """

    command: str
    megapixels: float
    runs: int
    seconds: float | None
    inside: float | None
    peak_mb: float | None
    error: str = ""
    further: float | None = None
    suspect: str = ""
    together: float | None = None

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.command} ({self.suspect})" if self.suspect else self.command


SUSPECTS = {"cropped and scaled": "crop:0.7+scale:0.7+jpeg:85", "never immunized": "jpeg:90"}
"""What has to be searched for, and what is nowhere to be found."""
GOAL_SECONDS = {"--help": 0.5, "immunize": 1.0, "verify": 1.5, "recover": 3.0}
GOAL_FURTHER = {"immunize": 1.5, "verify": 2.0, "recover": 4.0}
GOAL_MB, GOAL_LARGE_MB = 600.0, 1500.0


def run_speed(
    *,
    photograph: Callable[[], Image8],
    out: Path,
    options: Sequence[str] = (),
    immunize_options: Sequence[str] = (),
    megapixels: Sequence[float] = (1.0,),
    runs: int = 3,
    command: Sequence[str] = COMMAND,
    progress: Callable[[str], None] | None = None,
    update_readme: Path | None = None,
    force: bool = False,
) -> str:
    """Measure start-up, immunize, verify and recover, alone and in a batch, and verify where it has to search; write
    speed.json and speed.md; return the Markdown.

    photograph: gives an H x W x 3 uint8 picture, which is enlarged and tiled. options: for all three
    commands, e.g. a key file; immunize_options: for the first one. runs: of each command, one on large
    pictures. Raises OutputError, InputError or UsageError before any work.
    """
    require_free(out, force=force, names=(JSON, MARKDOWN))
    if update_readme is not None:
        names_in(update_readme)
    tell = progress or (lambda text: None)
    given = {name: [*command, name, *options, "--json", "--quiet"] for name in ("verify", "recover")}
    given["immunize"] = [*command, "immunize", *options, *immunize_options, "--json", "--quiet"]
    timings = [_repeat([*command, "--help"], "--help", 0.0, runs)]
    with tempfile.TemporaryDirectory(prefix="imuge-speed-") as folder:
        for size in megapixels:
            picture = enlarge(photograph(), size)
            tell(f"{size:g} megapixels: {picture.shape[1]} x {picture.shape[0]}")
            timings += _commands(picture, Path(folder), given, size, runs, tell)
    return _write(timings, out, update_readme)


def _write(timings: list[Timing], out: Path, update_readme: Path | None) -> str:
    machine = this_machine()
    table = speed_table(timings)
    told = f"{_conditions(machine)}\n\n"
    text = f"# imuge: time and memory\n\n{told}{table.markdown()}"
    body = {"schema": SCHEMA, "version": __version__, "machine": machine, "timings": timings}
    encoded = json.dumps(plain(body), indent=1, allow_nan=False) + "\n"
    write_bytes(out / JSON, encoded.encode("ascii"), force=True)
    write_bytes(out / MARKDOWN, text.encode("utf-8"), force=True)
    if update_readme is not None:
        update_markdown(update_readme, {table.name: told + table.body()})
    return text


def enlarge(photograph: Image8, megapixels: float) -> Image8:
    """A 3:2 picture of about that many megapixels: the photograph, twice its size, mirrored side by side."""
    width = round((megapixels * 1e6 * _ASPECT) ** 0.5)
    height = round(width / _ASPECT)
    large = resize(photograph, 2 * photograph.shape[0], 2 * photograph.shape[1], "lanczos")
    pair = np.concatenate([large, large[:, ::-1]], axis=1)
    four = np.concatenate([pair, pair[::-1]], axis=0)
    repeats = -(-height // four.shape[0]), -(-width // four.shape[1]), 1
    return np.ascontiguousarray(np.tile(four, repeats)[:height, :width])


def meter(command: Sequence[str]) -> Metered:
    """Run a command to its end in a fresh process and measure it."""
    done = subprocess.run([sys.executable, "-S", "-c", _METER, *command], capture_output=True, text=True, check=True)
    return Metered(*json.loads(done.stdout))


def speed_table(timings: Sequence[Timing]) -> Table:
    """With the goals, which are for two cores, one megapixel, and the whole process."""
    rows = [_row(timing) for timing in timings]
    columns = (
        "command", "megapixels", "whole process, s", "to reach", "verdict", "its own work, s",
        "each further picture, s", "all cores", "to reach", "verdict", "peak memory, MB", "to reach", "verdict",
    )  # fmt: skip
    errors = tuple(f"{timing.name}: {timing.error}" for timing in timings if timing.error)
    return Table("speed", "Time and memory of whole commands", columns, tuple(rows), errors)


def _commands(
    picture: Image8,
    folder: Path,
    given: Mapping[str, Sequence[str]],
    size: float,
    runs: int,
    tell: Callable[[str], None],
) -> list[Timing]:
    """immunize, then verify and recover what was cloned in and compressed afterwards; then verify other SUSPECTS."""
    source, immunized, suspect, recovered = (
        folder / f"{size:g}-{name}" for name in ("in.png", "immunized.bmp", "suspect.png", "recovered.bmp")
    )
    runs = 1 if size >= _LARGE else runs
    write_picture(Picture(pixels=picture), source, force=True)
    timings = []

    def run(name: str, picture_file: Path, own: Sequence[str], said: str = "") -> None:
        timing = replace(_repeat([*given[name], str(picture_file), *own], name, size, runs), suspect=said)
        if timing.error == "" and said == "" and size < _LARGE:
            timing = _with_batch(timing, given[name], picture_file)
        timings.append(timing)
        tell(f"{timing.name}: {number(timing.seconds, 2)} s {timing.error}".rstrip())

    run("immunize", source, ["-o", str(immunized), "--force"])
    if immunized.exists():
        _write_suspect(immunized, suspect)
    run("verify", suspect, ["--exit-zero"])
    run("recover", suspect, ["-o", str(recovered), "--force"])
    for said, attack in SUSPECTS.items():
        other = folder / f"{size:g}-{said}.png"
        begun = immunized if said != "never immunized" and immunized.exists() else source
        attacked = apply(parse(attack), read_picture(begun).as_uint8(), np.random.default_rng(1))
        write_picture(Picture(pixels=attacked.image), other, force=True)
        run("verify", other, ["--exit-zero"], said)
    return timings


def _with_batch(timing: Timing, given: Sequence[str], picture_file: Path) -> Timing:
    """With what each picture after the first takes, one after the other and several at a time."""

    def batch(pictures: int, jobs: int, runs: int) -> Timing:
        folder = picture_file.parent / f"batch-{timing.command}-{pictures}"
        folder.mkdir(exist_ok=True)
        copies = [folder / f"{place}{picture_file.suffix}" for place in range(pictures)]
        for copy in copies:
            shutil.copy(picture_file, copy)
        # Only verify tells its verdict by the exit code.
        own = ["-o", str(folder), "--force", *(["--exit-zero"] if timing.command == "verify" else [])]
        return _repeat([*given, *map(str, copies), *own, "--jobs", str(jobs)], timing.command, timing.megapixels, runs)

    done = batch(_BATCH, 1, timing.runs)
    if done.seconds is None or timing.seconds is None:
        return replace(timing, error=f"batch: {done.error}")
    further = (done.seconds - timing.seconds) / (_BATCH - 1)
    cores = this_machine().cores
    # What it takes to start all processes is in both.
    fewer, more = (batch(many * cores, cores, 1) for many in _TOGETHER)
    if fewer.seconds is None or more.seconds is None:
        return replace(timing, further=further, error=f"several jobs: {fewer.error or more.error}")
    together = (more.seconds - fewer.seconds) / (_TOGETHER[1] - _TOGETHER[0]) / cores
    return replace(timing, further=further, together=together)


def _write_suspect(immunized: Path, suspect: Path) -> None:
    rng = np.random.default_rng(1)
    tampered, _truth = random_tamper(read_picture(immunized).as_uint8(), "clone", 0.1, rng)
    attacked = apply(parse("jpeg:90"), tampered, rng)
    write_picture(Picture(pixels=attacked.image), suspect, force=True)


def _repeat(command: Sequence[str], name: str, megapixels: float, runs: int) -> Timing:
    done = [meter(command) for _ in range(runs)]
    failed = next((one for one in done if one.exit_code != 0), None)
    if failed is not None:
        said = failed.stderr.strip().splitlines() or ["nothing"]
        error = f"exit code {failed.exit_code}: {said[-1]}"
        return Timing(name, megapixels, runs, None, None, None, error)
    peaks = [one.peak_bytes for one in done if one.peak_bytes is not None]
    inside = [seconds for one in done if (seconds := _inside(one.stdout)) is not None]
    return Timing(
        name,
        megapixels,
        runs,
        median(one.seconds for one in done),
        median(inside) if inside else None,
        max(peaks) / 1e6 if peaks else None,
    )


def _inside(stdout: str) -> float | None:
    """`seconds` of a report, where stdout is one."""
    try:
        report = json.loads(stdout)
    except ValueError:
        return None
    seconds = report.get("seconds") if isinstance(report, dict) else None
    return float(seconds) if isinstance(seconds, (int, float)) else None


def _row(timing: Timing) -> tuple[str, ...]:
    timed = timing.megapixels <= 1.0
    seconds = GOAL_SECONDS.get(timing.command) if timed and timing.suspect == "" else None
    memory = None
    if timing.megapixels:
        memory = GOAL_LARGE_MB if timing.megapixels >= _LARGE else GOAL_MB
    return (
        f"imuge {timing.name}",
        f"{timing.megapixels:g}" if timing.megapixels else EMPTY,
        number(timing.seconds, 2),
        *_verdict(seconds, timing.seconds),
        number(timing.inside, 2),
        number(timing.further, 2),
        number(timing.together, 2),
        *_verdict(GOAL_FURTHER.get(timing.command) if timing.together is not None else None, timing.together),
        number(timing.peak_mb, 0),
        *_verdict(memory, timing.peak_mb),
    )


def _verdict(goal: float | None, ours: float | None) -> tuple[str, str]:
    if goal is None:
        return EMPTY, EMPTY
    if ours is None:
        return f"<= {goal:g}", NOT_MEASURED
    return f"<= {goal:g}", REACHED if ours <= goal else f"**{MISSED}**"


def _conditions(machine: Machine) -> str:
    return (
        f"imuge {__version__}, {machine.cores} cores ({machine.processor}), {machine.system}, Python "
        f"{machine.python}, torch {machine.torch}. Fresh processes; medians; each further picture: of {_BATCH} in one "
        f"call, one at a time, and with --jobs {machine.cores}."
    )
