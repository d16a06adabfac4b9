"""What single measurements are kept as. dB values are None where there is nothing to measure."""

from __future__ import annotations

from dataclasses import dataclass

from imuge_cli.benchmark.machine import Machine
from imuge_cli.benchmark.suites import Settings

FAILURE_DB = 15.0
"""A recovery below this shows nothing of the original."""
OFFSET_TOLERANCE, SCALE_TOLERANCE = 2.0, 0.005
"""A suspect further off, in pixels of the original's working size or by such a share of its scale, is not where it was
taken to be."""


@dataclass(frozen=True)
class EmbeddingRow:
    """One immunized picture against its original. seconds: of `immunize`."""

    size: str
    picture: str
    height: int
    width: int
    psnr: float
    ssim: float
    seconds: float


@dataclass(frozen=True)
class CaseRow:
    """One tampered and attacked picture, in the suspect's frame, against the pristine original.

    share: what was asked for; tampered_share: of the suspect's pixels, after any crop. donor: "immunized",
    "plain" or "" for tampers without one. outcome: "recovered", "refused" (RecoveryError) or "not-found";
    the last two leave the recipient the suspect itself, and are measured so. found: synchronised at all.
    offset_exact: and at the right offset. identified: with the right image id. local_psnr: inside the truly
    tampered pixels, against the pristine original; published_local_psnr: against the immunized picture, inf where every
    one is as it was published (then `exact`). suspect_local_psnr: local_psnr before recovery.
    oracle_local_psnr: recovered with the true mask. inpainted_local_psnr: filled in by Telea's method under the true
    mask, without anything immunized. information: bits that what is left of the immunization can carry at most, and
    avif_local_psnr: the original as AVIF in that many. canvas_psnr: where the crop took pixels away. tile_precision,
    tile_recall: of 16 x 16 tiles that hold a changed pixel, and bound_local_psnr: against the immunized picture, what a
    codec would make of the lost tiles with all that the intact ones carry (inf: every bit); None where the exact layer
    did not answer, and avif_local_psnr where it did. seconds: of the blind `recover`. offset_error: of the crop's first
    pixel, in the original's pixels, the larger of both axes; scale_error: share; None where no place was found.
    working_pixel: side of a pixel of the working size, in the original's pixels. original_size_local_psnr: local_psnr
    of what is given back in the original's frame and size, where the suspect has another scale.
    """

    size: str
    picture: str
    tamper: str
    share: float
    attack: str
    donor: str
    tampered_share: float
    outcome: str
    verdict: str
    layer: str
    found: bool
    offset_exact: bool
    identified: bool
    found_scale: float | None
    z_score: float | None
    precision: float
    recall: float
    f1: float
    iou: float
    suspect_local_psnr: float | None
    local_psnr: float | None
    published_local_psnr: float | None
    exact: bool
    oracle_local_psnr: float | None
    inpainted_local_psnr: float | None
    information: float | None
    avif_local_psnr: float | None
    psnr: float
    canvas_psnr: float | None
    seconds: float
    tile_precision: float | None = None
    tile_recall: float | None = None
    bound_local_psnr: float | None = None
    offset_error: float | None = None
    scale_error: float | None = None
    working_pixel: float = 1.0
    original_size_local_psnr: float | None = None

    @property
    def judged_local_psnr(self) -> float | None:
        """What goals are held against: at the original's size, whatever the suspect's."""
        at_suspect = self.original_size_local_psnr is None
        return self.local_psnr if at_suspect else self.original_size_local_psnr

    @property
    def placed(self) -> bool:
        """Whether the place was found, were it too little to read anything there."""
        if self.offset_error is None or self.scale_error is None:
            return False
        return self.offset_error <= OFFSET_TOLERANCE * self.working_pixel and self.scale_error <= SCALE_TOLERANCE

    @property
    def failed(self) -> bool:
        """L-PSNR below FAILURE_DB, no synchronisation, or recovery refused."""
        too_poor = self.local_psnr is not None and self.local_psnr < FAILURE_DB
        return too_poor or not self.found or self.outcome != "recovered"


@dataclass(frozen=True)
class UntamperedRow:
    """An immunized picture that was attacked but not tampered with. flagged_share: of its pixels."""

    size: str
    picture: str
    attack: str
    verdict: str
    flagged_share: float
    seconds: float


@dataclass(frozen=True)
class ForeignRow:
    """A picture that this key has not immunized. kind: "never immunized" or "another secret". placed: whether a place
    of it in an immunized picture was told, be it that nothing could be read there."""

    size: str
    picture: str
    kind: str
    attack: str
    verdict: str
    placed: bool


@dataclass(frozen=True)
class EngineFacts:
    """What did the work."""

    model: str
    strength: str
    key_kind: str
    weights_sha256: str | None
    device: str


@dataclass(frozen=True)
class Beside:
    """What another run measured. name: its model, or more where two have the same. pictures: their names.

    psnr: of immunized pictures, by size, dB. figures: L-PSNR (dB) and F1 by size, attack and tampered share.
    """

    name: str
    pictures: tuple[str, ...]
    psnr: dict[str, float]
    figures: dict[tuple[str, str, float], tuple[float | None, float | None]]


@dataclass(frozen=True)
class Results:
    """Everything measured. complete: False where the run was interrupted, or is not over yet.

    jobs: pictures measured side by side, whose times are longer than alone. beside: other runs to compare with.
    """

    version: str
    settings: Settings
    pictures: tuple[str, ...]
    machine: Machine
    engine: EngineFacts | None
    seconds: float
    complete: bool
    embedding: tuple[EmbeddingRow, ...]
    cases: tuple[CaseRow, ...]
    untampered: tuple[UntamperedRow, ...]
    foreign: tuple[ForeignRow, ...]
    jobs: int = 1
    beside: tuple[Beside, ...] = ()
