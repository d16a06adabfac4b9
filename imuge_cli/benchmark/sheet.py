"""A contact sheet: what the figures look like. One row per picture; columns as COLUMNS names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imuge_cli.benchmark.cases import Measured
from imuge_cli.benchmark.engine import Image8, Mask
from imuge_cli.benchmark.gallery import Subject
from imuge_cli.image.picture import Picture
from imuge_cli.image.working_size import to_working
from imuge_cli.image.write import write_picture

COLUMNS = ("original", "immunized", "suspect", "true mask", "mask found", "recovered")
TILE = 256
_GAP = 4
_PAPER = 236


@dataclass(frozen=True)
class Strip:
    """One row of the sheet. tiles: TILE x TILE x 3 uint8, as many as COLUMNS. caption: what was done."""

    caption: str
    tiles: tuple[Image8, ...]


def strip(subject: Subject, measured: Measured) -> Strip:
    """A case as a row."""
    row = measured.row
    gained = "nothing tampered left" if row.local_psnr is None else f"L-PSNR {row.local_psnr:.2f} dB"
    caption = f"{row.picture}, {row.tamper} {100 * row.share:g} %, {row.attack}: F1 {row.f1:.3f}, {gained}"
    shown = (
        subject.original,
        subject.immunized,
        measured.suspect,
        _grey(measured.truth),
        _grey(measured.mask),
        measured.recovered,
    )
    return Strip(caption, tuple(_tile(picture) for picture in shown))


def write_sheet(strips: Sequence[Strip], path: Path) -> None:
    """At least one strip -> one PNG, over an earlier one. Raises OutputError."""
    height = len(strips) * (TILE + _GAP) + _GAP
    width = len(COLUMNS) * (TILE + _GAP) + _GAP
    sheet = np.full((height, width, 3), _PAPER, np.uint8)
    for i, row in enumerate(strips):
        for j, tile in enumerate(row.tiles):
            top, left = _GAP + i * (TILE + _GAP), _GAP + j * (TILE + _GAP)
            sheet[top : top + TILE, left : left + TILE] = tile
    write_picture(Picture(pixels=sheet), path, format="png", force=True)


def legend(strips: Sequence[Strip], file: str) -> str:
    """Markdown: the sheet, and what its columns and rows are."""
    rows = [f"{number}. {row.caption}" for number, row in enumerate(strips, start=1)]
    return "\n".join([f"![contact sheet]({file})\n", f"Columns: {', '.join(COLUMNS)}. Rows:\n", *rows, ""])


def _grey(mask: Mask) -> Image8:
    return np.repeat((mask.astype(np.uint8) * 255)[..., None], 3, axis=2)


def _tile(pixels: Image8) -> Image8:
    """The picture inside a TILE x TILE square, aspect kept, never enlarged beyond it."""
    height, width = pixels.shape[:2]
    factor = TILE / max(height, width)
    size = max(1, round(height * factor)), max(1, round(width * factor))
    fitted = np.clip(np.rint(to_working(pixels, size)), 0, 255).astype(np.uint8)
    tile = np.full((TILE, TILE, 3), _PAPER, np.uint8)
    top, left = (TILE - size[0]) // 2, (TILE - size[1]) // 2
    tile[top : top + size[0], left : left + size[1]] = fitted
    return tile
