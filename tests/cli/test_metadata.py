"""Metadata through whole commands, and docs/metadata.md, whose table is what is measured here."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fake_engine import MARK, FakeEngine
from PIL import Image
from running import run

from imuge_cli.image.picture import Picture
from imuge_cli.image.read import read_picture
from imuge_cli.image.write import encode_picture

sys.path.insert(0, str(Path(__file__).parents[1] / "image"))

from image_samples import SRGB, XMP, exif_block, exif_values

DOCUMENT = Path(__file__).parents[2] / "docs" / "metadata.md"
READ = ("png", "tiff", "webp", "jpeg")
WRITTEN = ("png", "tiff", "webp", "jpeg", "bmp")
SUFFIX = {"png": ".png", "tiff": ".tiff", "webp": ".webp", "jpeg": ".jpg", "bmp": ".bmp"}
ON_ITS_SIDE = 6
"""The orientation of a picture whose first row is the right side of what is seen."""


def source(format: str) -> bytes:
    """A picture of 60 x 40 pixels that has to be turned, 40 x 60 then, with all that the format can hold."""
    depth = np.uint16 if format in ("png", "tiff") else np.uint8
    seen = np.full((60, 40, 3), 100 * 257 if depth == np.uint16 else 100, depth)
    seen[:8] = np.array(MARK, depth) * (257 if depth == np.uint16 else 1)  # for the fake engine to find
    lying = np.ascontiguousarray(np.rot90(seen))  # orientation 6 says: turn it clockwise
    alpha = None if format == "jpeg" else np.full(lying.shape[:2], 200 if depth == np.uint8 else 200 * 257, depth)
    picture = Picture(lying, alpha=alpha, icc=SRGB, exif=exif_block(ON_ITS_SIDE), xmp=XMP, dpi=(300.0, 300.0))
    data = encode_picture(picture, format).data
    if format == "tiff":  # whose writer knows upright pictures only
        tag, upright = struct.pack("<HHI", 274, 3, 1), struct.pack("<HH", 1, 0)
        assert data.count(tag + upright) == 1
        data = data.replace(tag + upright, tag + struct.pack("<HH", ON_ITS_SIDE, 0))
    return data


def measured(path: Path) -> tuple[str, ...]:
    """A row's cells from a file that was written."""
    back = read_picture(path)
    upright = (back.height, back.width) == (60, 40) and np.abs(back.as_uint8()[4, 20].astype(int) - MARK).max() < 12
    with Image.open(BytesIO(path.read_bytes())) as stored:
        says = stored.getexif().get(274)
    exif = back.exif is not None and exif_values(back.exif)[0::2] == ("Maker", "2024:05:06 07:08:09")
    kept = (
        back.icc == SRGB,
        exif,
        back.xmp == XMP,
        back.dpi is not None and abs(back.dpi[0] - 300) < 0.1,
        back.alpha is not None and bool((back.alpha == 200 * (257 if back.bit_depth == 16 else 1)).all()),
        back.bit_depth == 16,
    )
    told = {None: "nothing", 1: "upright"}.get(says, f"**{says}**")
    return ("yes" if upright else "**no**", told, *("kept" if one else "-" for one in kept))


def rows(command: str) -> Iterator[tuple[str, ...]]:
    for read in READ:
        Path(f"{read}{SUFFIX[read]}").write_bytes(source(read))
        for written in WRITTEN:
            target = Path(f"{command}-{read}{SUFFIX[written]}")
            ran = run(command, f"{read}{SUFFIX[read]}", "-o", target, "--json", "--force")
            assert ran.code == 0, ran.err
            cells = measured(target)
            (report,) = ran.objects
            lost = "".join(report["warnings"])
            # what the input had and the output has not is said
            had = {"ICC": 2, "EXIF": 3, "XMP": 4, "resolution": 5, "transparency": 6, "16 bit": 7}
            alone = {"transparency": read == "jpeg", "16 bit": read in ("webp", "jpeg"), "resolution": read == "webp"}
            for name, place in had.items():
                if cells[place] == "-" and not alone.get(name, False):
                    assert name in lost, (read, written, name, lost)
            yield (read.upper(), written.upper(), *cells)


@pytest.mark.parametrize("command", ["immunize", "recover"])
def test_the_document_says_what_is_kept(engines: list[FakeEngine], command: str) -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").split("<!-- metadata:begin -->")[1].split("<!-- metadata:end -->")[0]
    said = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines.strip().splitlines()[2:]]
    found = list(rows(command))
    assert said == found, "\n".join(f"| {' | '.join(row)} |" for row in found)


@pytest.mark.parametrize("command", ["immunize", "recover"])
@pytest.mark.parametrize("written", ["png", "jpeg"])
def test_strip_leaves_out_what_tells_of_people(engines: list[FakeEngine], command: str, written: str) -> None:
    Path("photo.jpg").write_bytes(source("jpeg"))
    target = Path(f"out{SUFFIX[written]}")
    assert run(command, "photo.jpg", "-o", target, "--strip").code == 0
    back = read_picture(target)
    assert (back.exif, back.xmp) == (None, None) and back.icc == SRGB and (back.height, back.width) == (60, 40)
    assert b"Maker" not in target.read_bytes() and b"2024:05:06" not in target.read_bytes()
    assert b"xmpmeta" not in target.read_bytes()


def test_what_a_format_cannot_hold_is_said_once(engines: list[FakeEngine]) -> None:
    for name in ("a", "b", "c"):
        Path(f"{name}.png").write_bytes(source("png"))
    ran = run("immunize", "a.png", "b.png", "c.png")
    assert ran.code == 0
    assert ran.err.count("BMP cannot hold 16 bit") == 1
    assert ran.err.count("BMP cannot hold transparency, the ICC profile, EXIF, XMP") == 1
