"""What immunize, verify and recover answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from imuge_cli.exact.answer import Answer, Tiles
from imuge_cli.image.picture import Picture
from imuge_cli.mask.regions import Region
from imuge_cli.models.protocol import Mask, Probability, Tone, Verified

Window: TypeAlias = tuple[slice, slice]
_EXIT_CODES = {"exact": 0, "intact": 0, "tampered": 1, "not-found": 3}


@dataclass(frozen=True)
class ImmunizeResult:
    """picture: what to publish. psnr (dB), ssim: against the input, 8-bit scale. working_size: (height, width). exact:
    whether it has an exact layer, which any lossy step destroys."""

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
class Synchronisation:
    """Where the suspect lies in the original: offsets and original size in the original's pixels.

    scale: suspect pixels per original pixel. z_score: standard deviations by which the pilots (or, where the header
    could not be read, the synchronization template) exceed chance; None where the exact layer answered, which needs
    none. header_read: False where the header was unreadable; then the suspect's own size stands for the original's, or
    what of the working picture it reaches. orientation: "upright", or how the picture was turned and mirrored.
    turned_degrees: by how much it was turned to the left besides; the offset then is that of the least upright
    rectangle around what the suspect shows.
    """

    offset_rows: int
    offset_cols: int
    scale: float
    z_score: float | None
    original_height: int
    original_width: int
    header_read: bool
    orientation: str = "upright"
    turned_degrees: float = 0.0


@dataclass(frozen=True)
class VerifyResult:
    """mask, probability: the suspect's height x width. tampered_share: of its pixels. regions: largest first, those
    around the original last. foreign: h x w, the pixels that lie around the original (a frame, a screenshot's rest),
    which count as tampered as well; None where there are none. tone: how levels were changed as a whole, which is no
    tampering; None where they were not, or the exact layer answered.

    verdict: `exact` (bit for bit what was published), `intact` (content untouched), `tampered`, `not-found`. layer:
    which answered, `exact`, `lattice`, or `networks` where a model without one takes it for granted that a picture
    was immunized. tiles: the exact layer's, None where it did not answer. contradicted: what was sent is not what the
    suspect shows, although it cannot be told where (`not-found`). found: what the model keeps for `Imuge.recover`;
    None in results that were not made by `Imuge.verify`.
    """

    verdict: str
    mask: Mask
    probability: Probability
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
    tiles: Tiles | None = None
    foreign: Mask | None = None
    tone: Tone | None = None
    contradicted: bool = False
    found: Verified | Answer | Framed | None = field(default=None, repr=False, compare=False)

    @property
    def exit_code(self) -> int:
        """0 exact or intact, 1 tampered, 3 no immunization found."""
        return _EXIT_CODES[self.verdict]


@dataclass(frozen=True)
class Framed:
    """inside: what the exact layer says of the rows and columns of a window, around which all is foreign."""

    inside: VerifyResult
    window: Window


@dataclass(frozen=True)
class RecoverResult:
    """picture: the suspect with the tampered pixels replaced. mask: what was replaced, which goes a few pixels beyond
    what verification found, and to what it suspects beside that if recovery finds it confirmed. restored_share: of
    the suspect's pixels. information: bits that what is left of the immunization can carry at most: the lattice over
    the noise it arrived with, the exact layer in its untouched tiles; None where nothing had to be recovered. proven:
    h x w, pixels that came back bit for bit, with a seal to prove it (transparency and, of tiles that are not opaque,
    the seals' digits are the suspect's); None without exact layer. reframed: whether the suspect was given the
    original's frame back.
    """

    picture: Picture
    mask: Mask
    verification: VerifyResult
    restored_share: float
    seconds: float
    information: float | None = None
    proven: Mask | None = None
    reframed: bool = False
