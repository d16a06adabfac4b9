"""What one process does: it measures pictures one after the other, and gives every row as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from imuge_cli.attacks.tampers import NEEDS_DONOR
from imuge_cli.benchmark.cases import Measured, foreign, measure, tamper, untampered
from imuge_cli.benchmark.engine import Engine
from imuge_cli.benchmark.gallery import Gallery, Subject, through_file
from imuge_cli.benchmark.rows import CaseRow, EmbeddingRow, EngineFacts, ForeignRow, UntamperedRow
from imuge_cli.benchmark.sheet import Strip, strip
from imuge_cli.benchmark.suites import FOREIGN, Settings
from imuge_cli.image.picture import Picture

Row = EngineFacts | EmbeddingRow | CaseRow | UntamperedRow | ForeignRow | Strip
_BLOCK = 4
"""Pictures handed out at a time: short enough that no worker is left waiting long for another one's last block."""


@dataclass(frozen=True)
class Work:
    """What all workers need to know. paths: the whole folder, of which settings.pictures are measured.

    make_engine, make_stranger: can be pickled where there are several processes. sheet: so many pictures of
    each size go onto the contact sheet.
    """

    make_engine: Callable[[], Engine]
    make_stranger: Callable[[], Engine] | None
    paths: tuple[Path, ...]
    settings: Settings
    sheet: int

    @property
    def chosen(self) -> tuple[Path, ...]:
        """The pictures that are measured."""
        return self.paths[: self.settings.pictures]


@dataclass(frozen=True)
class Place:
    """A picture at a size; index: its number in the folder."""

    size: str
    index: int


@dataclass(frozen=True)
class Block:
    """Neighbouring pictures at one size: from `first` to the one before `end`.

    Each picture takes content from the next one, so that whoever has both immunizes each of them once.
    """

    size: str
    first: int
    end: int


Step = tuple[Place, Row | None]
"""A row of a picture; None: there will be no more of this picture."""


def blocks(work: Work, jobs: int, done: Collection[Place] = ()) -> list[Block]:
    """The whole work in order, but for what is done, in pieces for so many workers; a single one gets long ones."""
    count = len(work.chosen)
    length = count if jobs == 1 else max(1, min(_BLOCK, count // jobs))
    return [
        block
        for size in work.settings.sizes
        for first in range(0, count, length)
        for block in _gaps(Block(size, first, min(first + length, count)), done)
    ]


def _gaps(block: Block, done: Collection[Place]) -> Iterator[Block]:
    """The parts of a block that are not done."""
    first = block.first
    for index in range(block.first, block.end + 1):
        if index == block.end or Place(block.size, index) in done:
            if first < index:
                yield Block(block.size, first, index)
            first = index + 1


class Worker:
    """Engines, and the pictures of the size at hand. Makes the engines at once, with all that they raise."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._engine = work.make_engine()
        self._stranger = work.make_stranger() if work.make_stranger else None
        self._size, self._gallery = "", Gallery(self._engine, work.paths, "")

    def steps(self, block: Block) -> Iterator[Step]:
        """Every row of every picture of the block."""
        if block.size != self._size:
            self._size, self._gallery = block.size, Gallery(self._engine, self._work.paths, block.size)
        for index in range(block.first, block.end):
            place = Place(block.size, index)
            yield from ((place, row) for row in self._rows(index))
            yield place, None

    def _rows(self, index: int) -> Iterator[Row]:
        engine, settings, seed = self._engine, self._work.settings, self._work.settings.seed
        subject = self._gallery.subject(index)
        yield subject.facts
        yield subject.embedding
        if not settings.lean:
            yield from self._innocent(subject)
        for number, kind in enumerate(settings.tampers):
            for place, share in enumerate(settings.shares):
                # every second donor is immunized too, over pictures, tampers and shares alike
                own = (index + number + place) % 2 == 0
                donor = self._gallery.donor(index, immunized=own) if kind in NEEDS_DONOR else None
                tampered = tamper(subject, kind, share, donor, seed)
                for attack in settings.attacks:
                    canvas = settings.canvas and "crop" in attack
                    done = measure(engine, subject, tampered, attack, seed, canvas=canvas, lean=settings.lean)
                    yield done.row
                    if self._shown(done, index):
                        yield strip(subject, done)

    def _innocent(self, subject: Subject) -> Iterator[Row]:
        """Pictures of nobody, of somebody else, and untampered ones."""
        engine, settings = self._engine, self._work.settings
        alone = settings.suite == FOREIGN
        pictures = {"never immunized": subject.original}
        if self._stranger is not None:
            theirs = self._stranger.immunize(Picture(pixels=subject.original), image_id=subject.image_id)
            pictures["another secret"] = through_file(theirs.picture)
        for kind, pixels in pictures.items():
            for attack in settings.attacks if alone else ("none",):
                yield foreign(engine, subject, pixels, kind, attack, settings.seed)
        for attack in () if alone else settings.attacks:
            yield untampered(engine, subject, attack, settings.seed)

    def _shown(self, done: Measured, index: int) -> bool:
        """Another tamper and another attack for every picture on the sheet."""
        settings = self._work.settings
        wanted = (
            settings.tampers[index % len(settings.tampers)],
            settings.attacks[index % len(settings.attacks)],
            settings.shares[0],
        )
        return index < self._work.sheet and (done.row.tamper, done.row.attack, done.row.share) == wanted
