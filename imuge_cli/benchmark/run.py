"""All cases of a suite, with what is done so far kept safe on the disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from imuge_cli import __version__
from imuge_cli.attacks.tampers import NEEDS_DONOR
from imuge_cli.benchmark.engine import Engine
from imuge_cli.benchmark.gallery import find_pictures
from imuge_cli.benchmark.journal import Done, Journal
from imuge_cli.benchmark.machine import this_machine
from imuge_cli.benchmark.parallel import crew
from imuge_cli.benchmark.plots import links, write_plots
from imuge_cli.benchmark.read_beside import read_beside, require_same_pictures
from imuge_cli.benchmark.readme import names_in, update_markdown
from imuge_cli.benchmark.rows import Beside, CaseRow, EmbeddingRow, EngineFacts, ForeignRow, Results, UntamperedRow
from imuge_cli.benchmark.sheet import Strip, legend, write_sheet
from imuge_cli.benchmark.store import MARKDOWN, require_free, write_results
from imuge_cli.benchmark.suites import FOREIGN, Settings, settle
from imuge_cli.benchmark.tables import conditions, make_tables
from imuge_cli.benchmark.worker import Block, Place, Row, Step, Work, Worker, blocks
from imuge_cli.errors import UsageError
from imuge_cli.image.atomic import write_bytes

Kind = TypeVar("Kind", bound=Row)
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
    jobs: int = 1,
    update_readme: Path | None = None,
    force: bool = False,
    resume: bool = False,
    beside: Sequence[Path] = (),
) -> str:
    """Measure, write results.json, results.csv and tables.md into `out`, and return the tables as Markdown.

    data: folder of pictures. make_stranger: an engine with another secret, to see whether its pictures are
    taken for ours; None leaves that out. beside: `out` of other runs on the same pictures, to compare with.
    sheet: so many pictures go onto a contact sheet for each size.
    jobs: pictures measured side by side, each in a process of its own, for which make_engine and
    make_stranger must be picklable. The rows are the same, but for the times, and for rounding where torch had
    another number of threads: the workers share the cores. update_readme: a Markdown file whose marked
    sections get their tables. Interrupted or broken, it writes what is done and passes the exception on; killed at any
    moment, the pictures that were finished are in a journal in `out`. resume: go on from there, with the same work and
    as many jobs as one likes. Raises UsageError, InputError, OutputError before any work.
    """
    if jobs < 1:
        raise UsageError(f"--jobs {jobs}: at least one picture is measured at a time")
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
    if resume and force:
        raise UsageError("--resume and --force: either go on with the run that is there, or replace it")
    require_free(out, force=force or resume)
    if update_readme is not None:
        names_in(update_readme)
    work = Work(make_engine, make_stranger, tuple(paths), settings, sheet)
    others = read_beside(beside)
    require_same_pictures(others, [path.name for path in work.chosen])
    before = Journal.resume(out, work) if resume else None
    pieces = blocks(work, jobs, {done.place for done in before.done} if before else ())
    jobs = max(1, min(jobs, len(pieces)))
    with _measuring(work, jobs, pieces) as steps:
        bench = _Bench(work, jobs, out, progress or (lambda text: None), before or Journal.begin(out, work), others)
        try:
            bench.run(steps)
        except BaseException:  # an interrupt above all: hours of work are not thrown away
            bench.save()
            raise
    text = bench.save()
    bench.journal.remove()
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
    # A suite of other pictures has sections of its own, or it would overwrite what the pictures' suites wrote.
    suffix = "-foreign" if results.settings.suite == FOREIGN else ""
    tables["conditions"] = conditions(results)
    update_markdown(path, {name + suffix: body for name, body in tables.items()})


@contextmanager
def _measuring(work: Work, jobs: int, pieces: list[Block]) -> Iterator[Iterator[Step]]:
    """Engines are made on the way in, the steps when they are asked for."""
    if jobs == 1:
        worker = Worker(work)
        yield (step for block in pieces for step in worker.steps(block))
    else:
        with crew(work, jobs) as workers:
            yield workers.steps(pieces)


class _Bench:
    """One run: rows by place, for side by side they come in any order."""

    def __init__(
        self, work: Work, jobs: int, out: Path, progress: Progress, journal: Journal, others: tuple[Beside, ...]
    ) -> None:
        """journal: what is in it counts as done. others: runs to compare with."""
        self._others = others
        self._work, self._jobs, self._out, self._progress = work, jobs, out, progress
        self.journal = journal
        self._rows = {
            Place(size, index): list[Row]() for size in work.settings.sizes for index in range(len(work.chosen))
        }
        for done in journal.done:
            self._rows[done.place] += done.rows
        self._before = max((done.seconds for done in journal.done), default=0.0)
        self._complete = False
        self._started = self._saved = time.monotonic()

    def run(self, steps: Iterable[Step]) -> None:
        """Every picture at every size."""
        done = 0
        for place, row in steps:
            if row is not None:
                if isinstance(row, EngineFacts):
                    self._check(row)
                self._rows[place].append(row)
            else:
                done += 1
                self.journal.add(Done(place, tuple(self._rows[place]), self._seconds))
                self._tell(place, done)
            if time.monotonic() - self._saved > _SAVE_EVERY:
                self.save()
        self._complete = True

    @property
    def _seconds(self) -> float:
        """Those before an interruption included."""
        return self._before + time.monotonic() - self._started

    def _check(self, engine: EngineFacts) -> None:
        """Figures of two engines are not put into one table."""
        before = next(iter(self._all(EngineFacts)), engine)
        if engine != before:
            raise UsageError(
                f"--resume: the interrupted run in {self._out} is of another engine ({before}, not {engine}); use its "
                "model, strength, key and weights, or start anew with --force"
            )

    def results(self) -> Results:
        """What is done so far."""
        return Results(
            version=__version__,
            settings=self._work.settings,
            pictures=tuple(path.name for path in self._work.chosen),
            machine=this_machine(),
            engine=next(iter(self._all(EngineFacts)), None),
            seconds=self._seconds,
            complete=self._complete,
            embedding=self._all(EmbeddingRow),
            cases=self._all(CaseRow),
            untampered=self._all(UntamperedRow),
            foreign=self._all(ForeignRow),
            jobs=self._jobs,
            beside=self._others,
        )

    def save(self) -> str:
        """Write what is done so far; returns the Markdown page."""
        results = self.results()
        text = write_results(results, self._out)
        sheets = {size: self._all(Strip, size) for size in self._work.settings.sizes}
        for size, strips in sheets.items():
            if strips:
                name = f"sheet-{size}.png"
                write_sheet(strips, self._out / name)
                text += f"\n## Contact sheet, {size}\n\n{legend(strips, name)}"
        plots = write_plots(results, self._out) if results.complete else ()
        text += links(plots)
        if plots or any(sheets.values()):
            write_bytes(self._out / MARKDOWN, text.encode("utf-8"), force=True)
        self._saved = time.monotonic()
        return text

    def _all(self, kind: type[Kind], size: str | None = None) -> tuple[Kind, ...]:
        """Rows of one kind in the order of the places, of every size or one."""
        return tuple(
            row
            for place, rows in self._rows.items()
            if size in (None, place.size)
            for row in rows
            if isinstance(row, kind)
        )

    def _tell(self, place: Place, done: int) -> None:
        total = len(self._rows)
        ready = len(self.journal.done) + done
        left = (time.monotonic() - self._started) / done * (total - ready)
        self._progress(
            f"{place.size}, {self._work.chosen[place.index].name}: {ready} of {total} done, "
            f"{len(self._all(CaseRow))} cases, {self._seconds / 60:.1f} min, about {left / 60:.1f} min left"
        )
