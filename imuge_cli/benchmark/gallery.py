"""The pictures: read, brought to a size, immunized once each, and passed through a file."""

from __future__ import annotations

import time
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np

from imuge_cli.api import IMAGE_IDS
from imuge_cli.attacks.resample import resize
from imuge_cli.benchmark.bound import Ladder, lossless_bits
from imuge_cli.benchmark.engine import Engine, Image8
from imuge_cli.benchmark.mosaic import mosaic
from imuge_cli.benchmark.rows import EmbeddingRow, EngineFacts
from imuge_cli.benchmark.suites import FULL_SIZE, MOSAIC
from imuge_cli.errors import InputError
from imuge_cli.image.paths import expand_inputs
from imuge_cli.image.picture import Picture
from imuge_cli.image.read import read_picture
from imuge_cli.image.write import encode_picture
from imuge_cli.metrics.fidelity import psnr, ssim

_KEPT = 3
"""Pictures held at a time: the one worked on, its donor, and one more."""


@dataclass(frozen=True)
class Subject:
    """One picture of the set. original, immunized: H x W x 3 uint8, as read from a file."""

    name: str
    original: Image8
    immunized: Image8
    image_id: int
    embedding: EmbeddingRow
    facts: EngineFacts

    @cached_property
    def original_by_bits(self) -> Ladder:
        """The original as a codec has it."""
        return Ladder(self.original)

    @cached_property
    def published_by_bits(self) -> Ladder:
        """The immunized picture as a codec has it."""
        return Ladder(self.immunized, full_chroma=True)

    @cached_property
    def lossless_bits(self) -> int:
        """What the immunized picture takes without loss, its least significant bits left out."""
        return lossless_bits(self.immunized)


@dataclass(frozen=True)
class Donor:
    """Where splice and paste take their content. kind: "immunized" (with the same key) or "plain"."""

    pixels: Image8
    kind: str


def find_pictures(data: Path) -> list[Path]:
    """The folder's pictures in order of their names. Raises InputError where there are none."""
    if not data.is_dir():
        raise InputError(f"{data}: no such folder; name a folder of pictures with --data")
    paths = [source.path for source in expand_inputs([data]) if source.path != data]
    if not paths:
        raise InputError(f"{data}: holds no pictures; name a folder of pictures with --data")
    return paths


def read_at(paths: Sequence[Path], index: int, size: str) -> Image8:
    """The picture with this number, H x W x 3 uint8: as it is for "full", a mosaic of it and the three after it (the
    first ones after the last) for "mosaic", else the whole picture as a square of that side.

    A square does not keep the aspect: so do the papers whose figures stand beside ours.
    """
    if size == MOSAIC:
        return mosaic([read_at(paths, (index + place) % len(paths), FULL_SIZE) for place in range(4)])
    pixels = read_picture(paths[index]).as_uint8()
    return pixels if size == FULL_SIZE else resize(pixels, int(size), int(size), "lanczos")


def through_file(picture: Picture) -> Image8:
    """What a recipient reads who got the picture as BMP: H x W x 3 uint8."""
    return read_picture(BytesIO(encode_picture(picture, "bmp").data)).as_uint8()


def image_id(name: str) -> int:
    """An image id from a picture's name."""
    return zlib.crc32(name.encode("utf-8")) % IMAGE_IDS


def random_for(seed: int, *parts: object) -> np.random.Generator:
    """A generator that depends on the seed and on what the case is called, not on which others are run."""
    return np.random.default_rng([seed, *(zlib.crc32(str(part).encode("utf-8")) for part in parts)])


class Gallery:
    """Pictures of one size, prepared when they are asked for."""

    def __init__(self, engine: Engine, paths: Sequence[Path], size: str) -> None:
        self._engine, self._paths, self._size = engine, tuple(paths), size
        self._prepared: OrderedDict[int, Subject] = OrderedDict()

    def subject(self, index: int) -> Subject:
        """The picture with this number."""
        if index not in self._prepared:
            self._prepared[index] = self._prepare(index)
            while len(self._prepared) > _KEPT:
                self._prepared.popitem(last=False)
        self._prepared.move_to_end(index)
        return self._prepared[index]

    def donor(self, index: int, *, immunized: bool) -> Donor:
        """The picture after this one (the first one after the last), immunized with the same key or plain."""
        following = (index + 1) % len(self._paths)
        if not immunized:
            return Donor(read_at(self._paths, following, self._size), "plain")
        donor = self.subject(following).immunized
        self.subject(index)  # stays the one used last
        return Donor(donor, "immunized")

    def _prepare(self, index: int) -> Subject:
        path, original = self._paths[index], read_at(self._paths, index, self._size)
        identity = image_id(path.name)
        started = time.perf_counter()
        result = self._engine.immunize(Picture(pixels=original), image_id=identity)
        seconds = time.perf_counter() - started
        immunized = through_file(result.picture)
        return Subject(
            name=path.name,
            original=original,
            immunized=immunized,
            image_id=identity,
            embedding=EmbeddingRow(
                self._size,
                path.name,
                int(original.shape[0]),
                int(original.shape[1]),
                psnr(original, immunized),
                ssim(original, immunized),
                seconds,
            ),
            facts=EngineFacts(result.model, result.strength, result.key_kind, result.weights_sha256, result.device),
        )
