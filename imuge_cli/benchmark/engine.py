"""What the benchmark needs of the library: the public interface of `api.Imuge`, and nothing else."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imuge_cli.image.picture import Picture

Image8 = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Immunized(Protocol):
    """What `immunize` gives."""

    @property
    def picture(self) -> Picture: ...
    @property
    def strength(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def key_kind(self) -> str: ...
    @property
    def weights_sha256(self) -> str | None: ...
    @property
    def device(self) -> str: ...


class Synchronised(Protocol):
    """Where the suspect lies in the original's frame: its upper left corner, in the original's pixels, or in working
    pixels where the header that tells the original's size was not read."""

    @property
    def offset_rows(self) -> int: ...
    @property
    def offset_cols(self) -> int: ...
    @property
    def scale(self) -> float: ...
    @property
    def z_score(self) -> float | None: ...
    @property
    def header_read(self) -> bool: ...


class Tiles(Protocol):
    """The exact layer's tiles: all of the original's, and those that are bit for bit as published."""

    @property
    def total(self) -> int: ...
    @property
    def intact(self) -> int: ...


class Verified(Protocol):
    """What `verify` gives. mask: H x W bool of the suspect's size, True = tampered. tiles: None where the exact layer
    did not answer."""

    @property
    def verdict(self) -> str: ...
    @property
    def mask(self) -> Mask: ...
    @property
    def synchronisation(self) -> Synchronised | None: ...
    @property
    def image_id(self) -> int | None: ...
    @property
    def layer(self) -> str: ...
    @property
    def tiles(self) -> Tiles | None: ...


class Recovered(Protocol):
    """What `recover` gives: the picture, and the verification that it rests on. information: bits that what is left
    of the immunization can carry, None where unknown."""

    @property
    def picture(self) -> Picture: ...
    @property
    def verification(self) -> Verified: ...
    @property
    def information(self) -> float | None: ...


class Engine(Protocol):
    """The library. recover raises NotImmunizedError or RecoveryError."""

    def immunize(self, picture: Picture, *, image_id: int | None = None) -> Immunized: ...

    def verify(self, picture: Picture) -> Verified: ...

    def recover(
        self, picture: Picture, *, mask: Mask | None = None, restore_canvas: bool = False, verification: Any = None
    ) -> Recovered: ...  # verification: what this engine's own verify returned
