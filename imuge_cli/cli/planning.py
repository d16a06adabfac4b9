"""What will be read and written, settled and checked for collisions before any work starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imuge_cli.cli.batch import Outcome
from imuge_cli.cli.console import Console
from imuge_cli.cli.pictures import STDIO
from imuge_cli.errors import UsageError

if TYPE_CHECKING:
    from imuge_cli.image.paths import Source

DEFAULT_FORMAT = "bmp"
# What imuge itself writes beside pictures, and what a search of folders therefore leaves out.
_BY_PRODUCTS = (".mask", ".heatmap", ".replaced", ".truth")
_LEFT_OUT = {
    "immunized": (*_BY_PRODUCTS, ".immunized", ".recovered"),
    "recovered": (*_BY_PRODUCTS, ".recovered"),
    None: _BY_PRODUCTS,
}


@dataclass(frozen=True)
class Wanted:
    """The outputs of a command for each input. kind: of the picture ("immunized", ...), None: no picture."""

    kind: str | None
    format: str | None = None
    mask: bool = False
    heatmap: bool = False
    replaced: bool = False


@dataclass(frozen=True)
class Request:
    """What is said about files. extra_inputs: a reference or mask, which must not be overwritten."""

    inputs: Sequence[str]
    output: Path | None = None
    recursive: bool = False
    force: bool = False
    skip_existing: bool = False
    report: Path | None = None
    json: bool = False
    extra_inputs: tuple[Path | None, ...] = ()


@dataclass(frozen=True)
class Plan:
    """One input and its outputs. `-` is stdin or stdout; None: this one is not written."""

    source: Path
    picture: Path | None = None
    mask: Path | None = None
    heatmap: Path | None = None
    replaced: Path | None = None
    format: str = DEFAULT_FORMAT

    @property
    def name(self) -> str:
        """How the input is spoken of."""
        return str(self.source)

    def outputs(self) -> dict[str, str]:
        """What is written, by kind, for reports."""
        named = {"picture": self.picture, "mask": self.mask, "heatmap": self.heatmap, "replaced": self.replaced}
        return {kind: str(path) for kind, path in named.items() if path is not None}


def plan(request: Request, wanted: Wanted, console: Console) -> list[Plan]:
    """One plan per input, in a fixed order; inputs whose outputs all exist are left out with --skip-existing.

    Raises UsageError for contradictions and OutputError for collisions, both before anything is read.
    """
    from imuge_cli.image.paths import expand_inputs

    skip = _LEFT_OUT[wanted.kind]
    sources = expand_inputs(request.inputs, recursive=request.recursive, skip=skip)
    # A folder that is still here holds no pictures: reading it gives its error, and it has no outputs.
    readable = [source for source in sources if not os.path.isdir(source.path)]
    batch = len(sources) > 1 or any(os.path.isdir(item) for item in request.inputs)
    format = _format(request, wanted, batch)
    outputs = _outputs(readable, request, wanted, batch, format)
    _check(request, outputs)
    plans = []
    for source in sources:
        chosen = outputs.get(source.path, {})
        kept = {kind: path for kind, path in chosen.items() if not (request.skip_existing and os.path.isfile(path))}
        if chosen and not kept:
            console.note(f"{source.path}: skipped, its outputs exist")
        else:
            plans.append(Plan(source.path, **kept, format=format))
    return plans


def from_stdin(plans: Sequence[Plan]) -> bool:
    """Whether a picture comes from there, which only this process can read."""
    return any(plan.source == STDIO for plan in plans)


def single_only(plans: Sequence[Plan], option: str, value: Path | None) -> None:
    """Raises UsageError where an option that belongs to one picture meets several."""
    if value is not None and len(plans) > 1:
        raise UsageError(f"{option}: belongs to a single picture, but there are {len(plans)}; run them one by one")


def _format(request: Request, wanted: Wanted, batch: bool) -> str:
    """The picture's format: the one asked for, else the one the output file's name asks for, else BMP."""
    output = request.output
    if wanted.kind is None or output is None or output == STDIO or batch or os.path.isdir(output):
        return wanted.format or DEFAULT_FORMAT
    from imuge_cli.image.write import SUFFIXES, format_of

    if wanted.format is not None and output.suffix.lower() not in SUFFIXES:
        return wanted.format
    by_name = format_of(output)
    if wanted.format is not None and wanted.format != by_name:
        raise UsageError(f"{output}: its name says {by_name}, --format says {wanted.format}; make them agree")
    return by_name


def _outputs(
    sources: Sequence[Source], request: Request, wanted: Wanted, batch: bool, format: str
) -> dict[Path, dict[str, Path]]:
    """Source -> kind of output -> path."""
    from imuge_cli.image.paths import SUFFIX_OF_FORMAT, plan_outputs

    planned: dict[Path, dict[str, Path]] = {source.path: {} for source in sources}
    if wanted.kind is not None:
        suffix = SUFFIX_OF_FORMAT[format]
        for placed in plan_outputs(sources, wanted.kind, suffix, request.output, batch=batch):
            planned[placed.source]["picture"] = placed.path
    folder = _by_product_folder(request.output, wanted, batch)
    for kind, asked in (("mask", wanted.mask), ("heatmap", wanted.heatmap), ("replaced", wanted.replaced)):
        if not asked:
            continue
        if folder is None and any(source.path == STDIO for source in sources):
            raise UsageError(f"--{kind}-out: a picture from stdin has no folder of its own; name one with -o")
        for placed in plan_outputs(sources, kind, ".png", folder, batch=True):
            planned[placed.source][kind] = placed.path
    return planned


def _by_product_folder(output: Path | None, wanted: Wanted, batch: bool) -> Path | None:
    """Where masks and heat-maps go: the output folder, the output file's, or None: beside the input."""
    if output is None or output == STDIO:
        return None
    is_file = wanted.kind is not None and not batch and not os.path.isdir(output)
    return output.parent if is_file else output


def _check(request: Request, outputs: dict[Path, dict[str, Path]]) -> None:
    from imuge_cli.image.paths import Output, check_outputs

    planned = [Output(source, path) for source, kinds in outputs.items() for path in kinds.values()]
    if request.json and any(placed.path == STDIO for placed in planned):
        raise UsageError("--json: stdout cannot hold both a picture and the JSON; name an output file with -o")
    inputs = [*outputs, *(path for path in request.extra_inputs if path is not None)]
    inputs = [path for path in inputs if path != STDIO]
    check_outputs(planned, inputs=inputs, force=request.force, skip_existing=request.skip_existing)
    if request.report is not None:
        report = Output(Path("--report"), request.report)
        check_outputs([report], inputs=[*inputs, *(o.path for o in planned)], force=request.force)


@contextmanager
def page_for(path: Path | None, *, title: str, force: bool) -> Iterator[Callable[[Outcome], None] | None]:
    """What takes the outcomes for the HTML page, which is written at the end; None where none was asked for.

    Raises OutputError, at once where the page cannot be written.
    """
    if path is None:
        yield None
        return
    from imuge_cli.reporting.html import PageWriter

    with PageWriter(sys.stdout.buffer if path == STDIO else path, title=title, force=force) as writer:
        yield lambda outcome: writer.add(outcome.report, outcome.thumbnails)
