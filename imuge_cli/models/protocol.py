"""What every family of models can do; `api` knows families through this alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imuge_cli.errors import InputError
from imuge_cli.lattice.header import Header
from imuge_cli.lattice.placement import Placement

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
Mask = NDArray[np.bool_]
Probability = NDArray[np.float32]
MINIMUM_SIDE = 128


def require_size(height: int, width: int) -> None:
    """Raises InputError for a picture that is too small to immunize."""
    if min(height, width) < MINIMUM_SIDE:
        raise InputError(
            f"{width} x {height} pixels are too few to immunize; each side must be at least {MINIMUM_SIDE} pixels"
        )


@dataclass(frozen=True)
class Frame:
    """Where a suspect lies in the picture that was immunized, in that picture's working pixels.

    top, left, height, width: the suspect's box. canvas: (height, width) of the whole working picture.
    scale: suspect pixels per working pixel. z_score: of pilots or template. placement: where the suspect was scaled by
    an unknown factor, turned or mirrored; the box is then what it shows in whole. None: the box is the suspect.
    """

    top: int
    left: int
    height: int
    width: int
    canvas: tuple[int, int]
    scale: float
    z_score: float
    placement: Placement | None = None


@dataclass(frozen=True)
class Immunized:
    """Full-size immunized pixels (dtype of the input) and the working size (height, width)."""

    pixels: Pixels
    working_size: tuple[int, int]


@dataclass(frozen=True)
class Tone:
    """How levels were changed as a whole: the original's times `contrast`, plus `brightness`, in grey levels, or None
    where that is not known. A gamma is told as the line that comes nearest. channels: by what red, green and blue were
    multiplied, where that was not all the same; `contrast` and `brightness` then are luma's. colourless:
    whether colours were taken away, so that brightness tells them: black and white, sepia."""

    contrast: float
    brightness: float | None
    channels: tuple[float, float, float] | None = None
    colourless: bool = False


@dataclass(frozen=True)
class Verified:
    """What was found in a suspect: `frame` None means that no immunization was found.

    probability: suspect's height x width, float32 in [0, 1]. header: None where it could not be read; what is not
    suspicious then is not known to be untouched. evidence: the family's own intermediate results, handed back to
    `recover`. legible: False where the place is known and nothing else could be read there, so that neither tampering
    nor its absence can be told. forewarned: what was sent and what the suspect shows differ by more than noise mostly
    makes them. unexplained: by so much that something was changed, even if the probability does not say where. assumed:
    the family cannot tell whether a picture was immunized, and takes it for that. foreign: height x width, the
    suspect's pixels that lie around the original and show nothing of it; None where there are none. tone: how levels
    were changed as a whole, None where they were not; what was cut off at white or black looks a little tampered with.
    """

    frame: Frame | None
    header: Header | None
    probability: Probability
    evidence: object = None
    legible: bool = True
    forewarned: bool = False
    unexplained: bool = False
    assumed: bool = False
    foreign: Mask | None = None
    tone: Tone | None = None


@dataclass(frozen=True)
class Recovered:
    """Recovered pixels: dtype and size of the suspect, or the original's size if the canvas was restored.

    information: bits that what is left of the immunization can carry over the noise it arrived with; None where the
    family does not know. mask: the pixels that were replaced, where those are not all that were asked for.
    """

    pixels: Pixels
    information: float | None = None
    mask: Mask | None = None


class Model(Protocol):
    """A family of models, ready to use. Safe to call from several threads."""

    name: str
    weights_sha256: str | None

    def immunize(self, pixels: Pixels, header: Header) -> Immunized:
        """Immunize H x W x 3 RGB pixels. Raises InputError where the picture cannot be immunized."""
        ...

    def verify(self, pixels: Pixels) -> Verified:
        """Look for immunization and tampering in H x W x 3 RGB pixels."""
        ...

    def confirmed(self, verified: Verified, suspected: Mask) -> Mask:
        """The pixels of `suspected` (H x W) that recovery should replace: by all that is known without them they were
        probably changed, and visibly. Raises RecoveryError."""
        ...

    def recover(
        self, pixels: Pixels, verified: Verified, mask: Mask, *, doubted: Mask | None, restore_canvas: bool
    ) -> Recovered:
        """Replace the pixels of `mask` (H x W). doubted: the pixels that nothing is believed of, where the mask is V's
        with a margin; None where a person drew it, who left nothing out. Raises RecoveryError."""
        ...
