"""Names: which files the arguments mean, what the outputs are called, and whether any of them collide."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imuge_cli.errors import OutputError, UsageError

STREAM = Path("-")  # standard input or output
INPUT_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".avif") + (".heic", ".heif")
)
SUFFIX_OF_FORMAT = {"bmp": ".bmp", "png": ".png", "tiff": ".tiff", "webp": ".webp", "jpeg": ".jpg"}


@dataclass(frozen=True)
class Source:
    """One input. path: the file (or `-`). folder: where it stands below the folder that was searched, so
    that an output tree can follow the input tree; None for a file named directly or by a pattern."""

    path: Path
    folder: Path | None = None


@dataclass(frozen=True)
class Output:
    """Where one result of one source goes; `path` is `-` for standard output."""

    source: Path
    path: Path


def expand_inputs(
    inputs: Iterable[str | os.PathLike[str]], *, recursive: bool = False, skip: Sequence[str] = ()
) -> list[Source]:
    """Files, folders and globs -> sources, sorted by path, each file once.

    Folders give the pictures in them (by suffix), with `recursive` those of their subfolders as well;
    hidden files are left out, and so are files found there whose stem ends in one of `skip` (".mask").
    What does not exist, or is a folder without pictures, stays in the list: reading it gives the error
    that belongs to this one input, and the others go on.
    """
    found: dict[str, Source] = {}
    for item in inputs:
        for source in _expand(Path(item), recursive, tuple(skip)):
            key = "-" if source.path == STREAM else os.path.realpath(source.path)
            found.setdefault(key, source)
    return sorted(found.values(), key=lambda source: source.path)


def output_name(source: Path, kind: str, suffix: str) -> str:
    """`photo.jpg`, "immunized", ".bmp" -> `photo.immunized.bmp`. A stem with a kind already
    (`photo.immunized.bmp`) gets another one appended (`photo.immunized.recovered.bmp`)."""
    stem = "stdin" if source == STREAM else source.stem
    return f"{stem}.{kind}{suffix}"


def plan_outputs(
    sources: Sequence[Source],
    kind: str,
    suffix: str,
    output: Path | None = None,
    *,
    batch: bool | None = None,
) -> list[Output]:
    """One output per source, in the same order.

    kind: "immunized", "mask", "recovered", ... suffix: ".bmp", ... output: None writes beside each input
    (`-` to `-`); `-` is standard output; a folder (one that exists, or any
    name in a batch) receives `<stem>.<kind><suffix>` in the tree of the inputs; anything else is the file
    itself. batch: default is more than one source, or one that was found by searching a folder.
    Raises UsageError where several results would go to one place that holds one.
    """
    if batch is None:
        batch = len(sources) > 1 or any(source.folder is not None for source in sources)
    if output == STREAM and len(sources) > 1:
        raise UsageError("standard output takes one result; name a folder with -o for several")
    if output is not None and batch and output != STREAM and os.path.exists(output) and not os.path.isdir(output):
        raise UsageError(f"{output}: is a file, but there are several results; name a folder with -o")
    return [Output(source.path, _place(source, kind, suffix, output, batch)) for source in sources]


def check_outputs(
    outputs: Iterable[Output],
    *,
    inputs: Iterable[Path] = (),
    force: bool = False,
    skip_existing: bool = False,
) -> None:
    """Find every collision before any work starts. Raises OutputError naming both files.

    Outputs must differ from each other and from all `inputs` (the sources are added by themselves), even
    with `force`; and must not exist, unless `force` or `skip_existing` says what to do about it.
    """
    planned = [output for output in outputs if output.path != STREAM]
    sources = {_identity(path): path for path in (*inputs, *(output.source for output in planned))}
    taken: dict[str, Output] = {}
    for output in planned:
        identity = _identity(output.path)
        if identity in sources and os.path.exists(output.path):
            raise OutputError(
                f"{output.path}: the result for {output.source} would replace the input "
                f"{sources[identity]}; choose another name with -o"
            )
        if identity in taken:
            raise OutputError(
                f"{output.path}: the results for {taken[identity].source} and {output.source} would both be "
                "written here; rename one of them, or run them separately with different -o"
            )
        taken[identity] = output
        if os.path.isfile(output.path) and not force and not skip_existing:
            raise OutputError(
                f"{output.path}: the result for {output.source} exists already; "
                "use --force to replace it or --skip-existing to leave it"
            )


def _expand(item: Path, recursive: bool, skip: tuple[str, ...]) -> list[Source]:
    if item == STREAM or os.path.isfile(item):
        return [Source(item)]
    if os.path.isdir(item):
        return _search(item, recursive, skip) or [Source(item)]
    if glob.has_magic(str(item)) and not os.path.exists(item):
        matches = [Path(match) for match in glob.glob(str(item), recursive=True)]
        # A pattern names files; the folders it happens to match count only where -r asks for them.
        expanded = [
            source
            for match in matches
            if os.path.isfile(match) or recursive
            for source in _expand(match, recursive, skip)
        ]
        return expanded or [Source(item)]
    return [Source(item)]


def _search(folder: Path, recursive: bool, skip: tuple[str, ...]) -> list[Source]:
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            wanted = path.suffix.lower() in INPUT_SUFFIXES and not name.startswith(".")
            if wanted and not path.stem.endswith(skip or ("\0",)):
                found.append(Source(path, path.parent.relative_to(folder)))
    return found


def _place(source: Source, kind: str, suffix: str, output: Path | None, batch: bool) -> Path:
    if output == STREAM or (output is None and source.path == STREAM):
        return STREAM
    name = output_name(source.path, kind, suffix)
    if output is None:
        return source.path.with_name(name)
    return output / (source.folder or "") / name if batch or os.path.isdir(output) else output


def _identity(path: Path) -> str:
    """The same for two names of one file: links resolved, and case folded where the system does so."""
    return os.path.normcase(os.path.realpath(path))
