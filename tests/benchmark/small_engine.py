"""A small engine with the library's interface, for tests of the benchmark alone.

It remembers what it immunized, finds a suspect in its memory by trying every offset, calls pixels tampered
that differ, and puts back the pixels of the original, `error` grey levels off.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imuge_cli.errors import NotImmunizedError, RecoveryError
from imuge_cli.image.picture import Picture

EMBEDDED = 3
"""Grey levels that immunization moves every sample by."""

NEAR = 12


@dataclass(frozen=True)
class Place:
    offset_rows: int
    offset_cols: int
    scale: float = 1.0
    z_score: float = 50.0
    header_read: bool = True


@dataclass(frozen=True)
class Immunized:
    picture: Picture
    strength: str = "balanced"
    model: str = "small"
    key_kind: str = "secret"
    weights_sha256: str | None = "0123456789abcdef" * 4
    device: str = "cpu"


@dataclass(frozen=True)
class Tiles:
    total: int
    intact: int


@dataclass(frozen=True)
class Verified:
    verdict: str
    mask: NDArray[np.bool_]
    synchronisation: Place | None
    image_id: int | None
    layer: str = "lattice"
    tiles: Tiles | None = None


@dataclass(frozen=True)
class Recovered:
    picture: Picture
    verification: Verified
    information: float | None = None


@dataclass
class SmallEngine:
    """refuse: recovery always fails. shift: how far reported offsets lie off. embedded: another secret's
    engine has another. calls: names of what was called, in order. information: what recovery says of it. layer, tiles:
    what verification says."""

    error: int = 8
    information: float | None = None
    refuse: bool = False
    shift: int = 0
    embedded: int = EMBEDDED
    layer: str = "lattice"
    tiles: Tiles | None = None
    calls: list[str] = field(default_factory=list)
    memory: dict[int, NDArray[np.uint8]] = field(default_factory=dict)

    def immunize(self, picture: Picture, *, image_id: int | None = None) -> Immunized:
        self.calls.append("immunize")
        assert image_id is not None
        pixels = np.clip(picture.as_uint8(), 0, 255 - self.embedded) + np.uint8(self.embedded)
        self.memory[image_id] = pixels
        return Immunized(picture.with_pixels(pixels))

    def verify(self, picture: Picture) -> Verified:
        self.calls.append("verify")
        return self._verify(picture.as_uint8())

    def recover(
        self,
        picture: Picture,
        *,
        mask: NDArray[np.bool_] | None = None,
        restore_canvas: bool = False,
        verification: Verified | None = None,
    ) -> Recovered:
        self.calls.append("canvas" if restore_canvas else "recover" if mask is None else "oracle")
        found = verification or self._verify(picture.as_uint8())
        if found.synchronisation is None or found.image_id is None:
            raise NotImmunizedError("no immunization was found")
        if self.refuse:
            raise RecoveryError("too much is lost")
        original = self.memory[found.image_id] - np.uint8(EMBEDDED)
        repaired = (original.astype(int) + self.error).clip(0, 255).astype(np.uint8)
        if restore_canvas:
            return Recovered(Picture(pixels=repaired), found, self.information)
        height, width = found.mask.shape
        top, left = found.synchronisation.offset_rows - self.shift, found.synchronisation.offset_cols
        used = found.mask if mask is None else mask
        pixels = picture.as_uint8().copy()
        pixels[used] = repaired[top : top + height, left : left + width][used]
        return Recovered(picture.with_pixels(pixels), found, self.information)

    def verify_place(self, suspect: NDArray[np.uint8]) -> tuple[int, int]:
        found = self._verify(suspect).synchronisation
        assert found is not None
        return found.offset_rows, found.offset_cols

    def _verify(self, suspect: NDArray[np.uint8]) -> Verified:
        height, width = suspect.shape[:2]
        for identity, known in self.memory.items():
            for top in range(known.shape[0] - height + 1):
                for left in range(known.shape[1] - width + 1):
                    window = known[top : top + height, left : left + width]
                    differs = np.asarray((np.abs(window.astype(int) - suspect) > NEAR).any(axis=2))
                    # the embedding is told from the plain picture by its mean, as a real lattice would be
                    moved = np.median(window.astype(int) - suspect)
                    if differs.mean() < 0.5 and abs(moved) < EMBEDDED:
                        verdict = "tampered" if differs.any() else "intact"
                        return Verified(
                            verdict, differs, Place(top + self.shift, left), identity, self.layer, self.tiles
                        )
        return Verified("not-found", np.zeros((height, width), bool), None, None)
