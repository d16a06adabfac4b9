"""Tar shards of drawn pictures."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from photographs import drawn
from PIL import Image


def write_shard(path: Path, sizes: list[tuple[int, int]], *, first: int = 0) -> Path:
    """A tar of drawn pictures of the given heights and widths, with a text file among them."""
    with tarfile.open(path, "w") as archive:
        for number, (height, width) in enumerate(sizes, start=first):
            stream = io.BytesIO()
            Image.fromarray(drawn(height, width, number)).save(stream, "png")
            add(archive, f"{number:03}.png", stream.getvalue())
        add(archive, "license.txt", b"none")
    return path


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
