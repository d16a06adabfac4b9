"""All cases of a suite, one after the other, with what is done so far kept safe on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from imuge_cli import __version__
from imuge_cli.attacks.tampers import NEEDS_DONOR
from imuge_cli.benchmark.cases import Measured, foreign, measure, tamper, untampered
from imuge_cli.benchmark.engine import Engine
from imuge_cli.benchmark.gallery import Gallery, Subject, find_pictures, through_file
from imuge_cli.benchmark.machine import this_machine
from imuge_cli.benchmark.readme import names_in, update_markdown
from imuge_cli.benchmark.rows import CaseRow, EmbeddingRow, EngineFacts, ForeignRow, Results, UntamperedRow
from imuge_cli.benchmark.sheet import Strip, legend, strip, write_sheet
from imuge_cli.benchmark.store import MARKDOWN, require_free, write_results
from imuge_cli.benchmark.suites import Settings, settle
from imuge_cli.benchmark.tables import conditions, make_tables
from imuge_cli.errors import UsageError
from imuge_cli.image.atomic import write_bytes
from imuge_cli.image.picture import Picture

Progress = Callable[[str], None]
_SAVE_EVERY = 60.0
"""Seconds between two savings of what is done."""


def run_bench(
    *,
    data: Path | None,
    out: Path,
    make_engine: Callable[[], Engine],
    sizes: tuple[str, ...] | None = None,
    pictures: int | None = None,
    attacks: tuple[str, ...] | None = None,
    tampers: tuple[str, ...] | None = None,
    shares: tuple[float, ...] | None = None,
    suite: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    make_stranger: Callable[[], Engine] | None = None,
    sheet: int = 0,
    update_readme: Path | None = None,
    force: bool = False,
) -> str:
    """Measure, write results.json, results.csv and tables.md into `out`, and return the tables as Markdown.

    data: folder of pictures. make_stranger: an engine with another secret, to see whether its pictures are
    taken for ours; None leaves that out. sheet: so many pictures go onto a contact sheet for each size.
    update_readme: a Markdown file whose marked sections get their tables. Interrupted or broken, it writes
    what is done and passes the exception on. Raises UsageError, InputError, OutputError before any work.
    """
    settings = settle(
        suite=suite,
        sizes=sizes,
        attacks=attacks,
        tampers=tampers,
        shares=shares,
        pictures=pictures,
        seed=seed,
    )
    paths = _pictures(data, settings)
    require_free(out, force=force)
    if update_readme is not None:
        names_in(update_readme)
    bench = _Bench(settings, paths, out, sheet, progress or (lambda text: None))
    engine, stranger = make_engine(), make_stranger() if make_stranger else None
    try:
        bench.run(engine, stranger)
    except BaseException:  # an interrupt above all: hours of work are not thrown away
        bench.save()
        raise
    text = bench.save()
    if update_readme is not None:
        _update(update_readme, bench.results())
    return text


def _pictures(data: Path | None, settings: Settings) -> list[Path]:
    if data is None:
        raise UsageError("--data is missing; name a folder of pictures, such as Kodak's")
    paths = find_pictures(data)
    if len(paths) < 2 and set(settings.tampers) & set(NEEDS_DONOR):
        raise UsageError(f"{data}: holds one picture, but splice and paste need another one to take from")
    return paths


def _update(path: Path, results: Results) -> None:
    tables = {table.name: table.body() for table in make_tables(results)}
    update_markdown(path, {"conditions": conditions(results), **tables})


@dataclass
class _Collected:
    """Rows so far."""

    embedding: list[EmbeddingRow] = field(default_factory=list)
    cases: list[CaseRow] = field(default_factory=list)
    untampered: list[UntamperedRow] = field(default_factory=list)
    foreign: list[ForeignRow] = field(default_factory=list)
    strips: dict[str, list[Strip]] = field(default_factory=dict)


class _Bench:
    """One run."""

    def __init__(self, settings: Settings, paths: list[Path], out: Path, sheet: int, progress: Progress) -> None:
        self._settings, self._paths, self._out = settings, paths, out
        self._chosen = paths[: settings.pictures]
        self._sheet, self._progress = sheet, progress
        self._rows = _Collected()
        self._facts: EngineFacts | None = None
        self._complete = False
        self._started = self._saved = time.monotonic()

    def run(self, engine: Engine, stranger: Engine | None) -> None:
        """Every picture at every size."""
        total, done = len(self._settings.sizes) * len(self._chosen), 0
        for size in self._settings.sizes:
            gallery = Gallery(engine, self._paths, size)
            for index in range(len(self._chosen)):
                self._picture(engine, stranger, gallery, index)
                done += 1
                self._tell(size, index, done, total)
        self._complete = True

    def results(self) -> Results:
        """What is done so far."""
        rows = self._rows
        return Results(
            version=__version__,
            settings=self._settings,
            pictures=tuple(path.name for path in self._chosen),
            machine=this_machine(),
            engine=self._facts,
            seconds=time.monotonic() - self._started,
            complete=self._complete,
            embedding=tuple(rows.embedding),
            cases=tuple(rows.cases),
            untampered=tuple(rows.untampered),
            foreign=tuple(rows.foreign),
        )

    def save(self) -> str:
        """Write what is done so far; returns the Markdown page."""
        text = write_results(self.results(), self._out)
        for size, strips in self._rows.strips.items():
            name = f"sheet-{size}.png"
            write_sheet(strips, self._out / name)
            text += f"\n## Contact sheet, {size}\n\n{legend(strips, name)}"
        if self._rows.strips:
            write_bytes(self._out / MARKDOWN, text.encode("utf-8"), force=True)
        self._saved = time.monotonic()
        return text

    def _picture(self, engine: Engine, stranger: Engine | None, gallery: Gallery, index: int) -> None:
        rows, seed = self._rows, self._settings.seed
        subject = gallery.subject(index)
        self._facts = subject.facts
        rows.embedding.append(subject.embedding)
        rows.foreign.append(foreign(engine, subject, subject.original, "never immunized"))
        if stranger is not None:
            theirs = stranger.immunize(Picture(pixels=subject.original), image_id=subject.image_id)
            rows.foreign.append(foreign(engine, subject, through_file(theirs.picture), "another secret"))
        for attack in self._settings.attacks:
            rows.untampered.append(untampered(engine, subject, attack, seed))
        for number, kind in enumerate(self._settings.tampers):
            for place, share in enumerate(self._settings.shares):
                # every second donor is immunized too, over pictures, tampers and shares alike
                own = (index + number + place) % 2 == 0
                donor = gallery.donor(index, immunized=own) if kind in NEEDS_DONOR else None
                tampered = tamper(subject, kind, share, donor, seed)
                for attack in self._settings.attacks:
                    canvas = self._settings.canvas and "crop" in attack
                    done = measure(engine, subject, tampered, attack, seed, canvas=canvas)
                    rows.cases.append(done.row)
                    self._show(subject, done, index)
                if time.monotonic() - self._saved > _SAVE_EVERY:
                    self.save()

    def _show(self, subject: Subject, done: Measured, index: int) -> None:
        """Another tamper and another attack for every picture on the sheet."""
        settings = self._settings
        wanted = (
            settings.tampers[index % len(settings.tampers)],
            settings.attacks[index % len(settings.attacks)],
            settings.shares[0],
        )
        if index < self._sheet and (done.row.tamper, done.row.attack, done.row.share) == wanted:
            self._rows.strips.setdefault(subject.embedding.size, []).append(strip(subject, done))

    def _tell(self, size: str, index: int, done: int, total: int) -> None:
        spent = time.monotonic() - self._started
        left = spent / done * (total - done)
        self._progress(
            f"{size}, {self._chosen[index].name}: {done} of {total} done, {len(self._rows.cases)} cases, "
            f"{spent / 60:.1f} min, about {left / 60:.1f} min left"
        )
