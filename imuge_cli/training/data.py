"""Shards of photographs as one uint8 tensor."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imuge_cli.errors import InputError, UsageError
from imuge_cli.image.read import read_picture

SIDE = 320
VALIDATION = 16
_SUFFIXES = (".webp", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def load_pictures(shards: Sequence[Path], *, limit: int | None = None) -> Tensor:
    """Every photograph of tar shards (or folders of shards), central 320 x 320 square: N x 3 x 320 x 320 uint8.

    Smaller pictures are left out. Sorted by shard and name, so that the order never depends on the machine.
    Raises UsageError where no usable picture is found, InputError where a shard cannot be read.
    """
    files = [f for shard in shards for f in (sorted(shard.glob("*.tar")) if shard.is_dir() else [shard])]
    blobs: list[tuple[str, bytes]] = []
    for file in files:
        try:
            with tarfile.open(file) as archive:
                members = [m for m in archive if m.isfile() and m.name.lower().endswith(_SUFFIXES)]
                for member in sorted(members, key=lambda m: m.name):
                    stream = archive.extractfile(member)
                    if stream is not None:
                        blobs.append((f"{file}: {member.name}", stream.read()))
        except (OSError, tarfile.TarError) as error:
            raise InputError(
                f"{file}: cannot be read as a tar shard ({error}); name a .tar file or a folder"
            ) from error
    with ThreadPoolExecutor() as pool:
        squares = [s for s in pool.map(_square, blobs[:limit]) if s is not None]
    if len(squares) <= VALIDATION:
        raise UsageError(
            f"only {len(squares)} pictures of at least {SIDE} px in {len(files)} shards; "
            f"training needs more than {VALIDATION}: name more with --data, or raise --limit"
        )
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous()


def _square(named: tuple[str, bytes]) -> NDArray[np.uint8] | None:
    name, blob = named
    try:
        pixels = read_picture(io.BytesIO(blob)).as_uint8()
    except InputError as error:
        raise InputError(f"{name}: is damaged ({error}); leave it out of the shard") from error
    height, width = pixels.shape[:2]
    if min(height, width) < SIDE:
        return None
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    return pixels[top : top + SIDE, left : left + SIDE]
