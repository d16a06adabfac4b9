"""A small engine with the library's interface and results, for tests of the command line alone.

It marks a picture by a value in its first pixel; white pixels of a marked picture count as tampered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.cli.options import EngineSettings
from imuge_cli.errors import NotImmunizedError, RecoveryError
from imuge_cli.image.picture import Picture
from imuge_cli.mask.regions import Region, regions

MARK = (11, 22, 33)
GREY = 90


@dataclass(frozen=True)
class Synchronisation:
    offset_rows: int
    offset_cols: int
    scale: float
    z_score: float
    original_height: int
    original_width: int
    header_read: bool
    orientation: str = "upright"
    turned_degrees: float = 0.0


@dataclass(frozen=True)
class ImmunizeResult:
    picture: Picture
    image_id: int
    psnr: float
    ssim: float
    working_size: tuple[int, int]
    strength: str
    model: str
    key_kind: str
    weights_sha256: str | None
    device: str
    seconds: float
    exact: bool = False


@dataclass(frozen=True)
class VerifyResult:
    verdict: str
    mask: NDArray[np.bool_]
    probability: NDArray[np.float32]
    synchronisation: Synchronisation | None
    image_id: int | None
    tampered_share: float
    regions: tuple[Region, ...]
    layer: str
    model: str
    key_kind: str
    weights_sha256: str | None
    device: str
    seconds: float
    tiles: None = None
    foreign: NDArray[np.bool_] | None = None
    tone: object = None
    contradicted: bool = False

    @property
    def exit_code(self) -> int:
        return {"intact": 0, "tampered": 1, "not-found": 3}[self.verdict]


@dataclass(frozen=True)
class RecoverResult:
    picture: Picture
    mask: NDArray[np.bool_]
    verification: VerifyResult
    restored_share: float
    seconds: float
    information: float | None = None
    proven: NDArray[np.bool_] | None = None
    reframed: bool = False


class FakeEngine:
    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.calls: list[tuple[str, Any]] = []

    def immunize(self, picture: Picture, *, image_id: int | None = None, exact: bool | None = None) -> ImmunizeResult:
        self.calls.append(("immunize", picture))
        pixels = picture.pixels.copy()
        pixels[0, 0] = MARK
        marked = picture.with_pixels(pixels)
        size = (picture.height, picture.width)
        told = ImmunizeResult(marked, 7, 41.5, 0.99, size, self.settings.strength, **self._origin())
        return replace(told, exact=bool(exact))

    def verify(self, picture: Picture) -> VerifyResult:
        self.calls.append(("verify", picture))
        pixels = picture.as_uint8()
        if (pixels[-1, -1] == 13).all():
            raise ZeroDivisionError("a fault\nof the program")
        if np.abs(pixels[0, 0].astype(int) - MARK).max() > 40:
            return self._result("not-found", np.zeros(pixels.shape[:2], bool))
        mask = (pixels == 255).all(axis=2)
        return self._result("tampered" if mask.any() else "intact", mask)

    def recover(
        self,
        picture: Picture,
        *,
        mask: NDArray[np.bool_] | None = None,
        restore_canvas: bool = False,
        verification: VerifyResult | None = None,
    ) -> RecoverResult:
        self.calls.append(("recover", (mask, restore_canvas)))
        found = verification or self.verify(picture)
        if found.verdict == "not-found":
            raise NotImmunizedError("no immunization was found with this key")
        used = found.mask if mask is None else mask
        if used.all():
            raise RecoveryError("too much is lost to recover the rest")
        pixels = picture.pixels.copy()
        pixels[used] = GREY
        return RecoverResult(picture.with_pixels(pixels), used, found, float(used.mean()), 0.5)

    def _result(self, verdict: str, mask: NDArray[np.bool_]) -> VerifyResult:
        found = _place(verdict, mask.shape)
        probability = mask.astype(np.float32) * np.float32(0.9)
        parts = tuple(regions(mask, probability))
        identity = 7 if found else None
        return VerifyResult(
            verdict,
            mask,
            probability,
            found,
            identity,
            float(mask.mean()),
            parts,
            "lattice",
            **self._origin(),
        )

    def _origin(self) -> dict[str, Any]:
        kind = "secret" if self.settings.key_file else "published"
        device = "cpu" if self.settings.device == "auto" else self.settings.device
        return {
            "model": self.settings.model,
            "key_kind": kind,
            "weights_sha256": "ab" * 32,
            "device": device,
            "seconds": 0.25,
        }


def _place(verdict: str, shape: tuple[int, ...]) -> Synchronisation | None:
    return None if verdict == "not-found" else Synchronisation(0, 0, 1.0, 30.0, shape[0], shape[1], True)
