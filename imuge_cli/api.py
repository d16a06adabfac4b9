"""The library: load once, then immunize, verify and recover pictures.

from imuge_cli import Imuge, read_picture
engine = Imuge()
sent = engine.immunize(read_picture("photo.png")).picture
"""

from __future__ import annotations

import math
import secrets
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np

from imuge_cli.errors import NotImmunizedError, UsageError
from imuge_cli.image.picture import Picture
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import FAMILIES, FORMAT_VERSION, STRENGTHS, Header
from imuge_cli.lattice.header import IMAGE_IDS as IMAGE_IDS
from imuge_cli.mask.cleanup import clean, enlarged
from imuge_cli.mask.regions import Region, regions
from imuge_cli.mask.threshold import DEFAULT_GUARD, binarize
from imuge_cli.metrics.fidelity import psnr, ssim
from imuge_cli.models.protocol import Frame, Mask, Model, Pixels, Probability, Verified
from imuge_cli.models.registry import open_model, pick_device

_EXIT_CODES = {"intact": 0, "tampered": 1, "not-found": 3}
_LARGEST_SIDE = 65535
# V draws edges to a pixel or two, and a rim of tampered pixels that is left shows more than a rim that is replaced for
# nothing: recovery goes so many pixels (of the working size) beyond V's own mask.
_RECOVERY_MARGIN = 3


@dataclass(frozen=True)
class ImmunizeResult:
    """picture: what to publish. psnr (dB), ssim: against the input, 8-bit scale. working_size: (height, width)."""

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


@dataclass(frozen=True)
class Synchronisation:
    """Where the suspect lies in the original: offsets and original size in the original's pixels.

    scale: suspect pixels per original pixel. z_score: standard deviations by which the pilots exceed chance.
    header_read: False where the header was unreadable; then the suspect's own size stands for the original's.
    """

    offset_rows: int
    offset_cols: int
    scale: float
    z_score: float
    original_height: int
    original_width: int
    header_read: bool


@dataclass(frozen=True)
class VerifyResult:
    """mask, probability: the suspect's height x width. tampered_share: of its pixels. regions: largest first.

    found: what the model keeps for `Imuge.recover`; None in results that were not made by `Imuge.verify`.
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
    found: Verified | None = field(default=None, repr=False, compare=False)

    @property
    def exit_code(self) -> int:
        """0 intact, 1 tampered, 3 no immunization found."""
        return _EXIT_CODES[self.verdict]


@dataclass(frozen=True)
class RecoverResult:
    """picture: the suspect with the tampered pixels replaced. mask: what was replaced, which goes a few pixels beyond
    what verification found. restored_share: of the suspect's pixels. information: bits that what is left of the
    immunization can carry at most over the noise it arrived with; None where nothing had to be recovered."""

    picture: Picture
    mask: Mask
    verification: VerifyResult
    restored_share: float
    seconds: float
    information: float | None = None


class Imuge:
    """A model with its weights and a secret. Safe to share between threads once made.

    key: None for the published default key. strength: subtle, balanced or strong. device: auto, cpu or cuda.
    weights: a weights file or folder instead of the bundled one. Raises UsageError, WeightsError, DeviceError.
    """

    def __init__(
        self,
        *,
        key: Secret | None = None,
        model: str = "lattice",
        strength: str = "balanced",
        device: str = "auto",
        weights: Path | None = None,
    ) -> None:
        if strength not in STRENGTHS:
            raise UsageError(f"strength '{strength}' is unknown; choose {', '.join(STRENGTHS)}")
        self._secret = key or Secret.default()
        self._strength = strength
        self._device = pick_device(device)
        self._model: Model = open_model(model, self._secret, self._device, weights)

    def immunize(self, picture: Picture, *, image_id: int | None = None) -> ImmunizeResult:
        """Add what verify and recover need. image_id: 0 .. 2^21 - 1, random if None.

        Raises InputError where the picture is too small or has no room, UsageError for an impossible image_id.
        """
        began = time.perf_counter()
        number = secrets.randbelow(IMAGE_IDS) if image_id is None else image_id
        if not 0 <= number < IMAGE_IDS:
            raise UsageError(f"image id {number} is not between 0 and {IMAGE_IDS - 1}")
        if max(picture.height, picture.width) > _LARGEST_SIDE:
            raise UsageError(f"{picture.width} x {picture.height}: no side may be longer than {_LARGEST_SIDE} pixels")
        header = Header(
            version=FORMAT_VERSION,
            family=FAMILIES.index(self._model.name),
            strength=STRENGTHS.index(self._strength),
            height=picture.height,
            width=picture.width,
            image_id=number,
        )
        sent = self._model.immunize(picture.pixels, header)
        result = picture.with_pixels(sent.pixels)
        before, after = picture.as_uint8(), result.as_uint8()
        return ImmunizeResult(
            picture=result,
            image_id=number,
            psnr=psnr(before, after),
            ssim=ssim(before, after),
            working_size=sent.working_size,
            strength=self._strength,
            model=self._model.name,
            key_kind=self._secret.kind,
            weights_sha256=self._model.weights_sha256,
            device=str(self._device),
            seconds=time.perf_counter() - began,
        )

    def verify(self, picture: Picture) -> VerifyResult:
        """What was done to a picture. Never raises for content: a picture without immunization is `not-found`."""
        began = time.perf_counter()
        verified = self._model.verify(picture.as_uint8())
        mask = np.zeros((picture.height, picture.width), bool)
        if verified.frame is not None:
            mask = clean(binarize(verified.probability, guard=DEFAULT_GUARD.at_scale(verified.frame.scale)))
        verdict = "not-found" if verified.frame is None else "tampered" if mask.any() else "intact"
        result = VerifyResult(
            verdict=verdict,
            mask=mask,
            probability=verified.probability,
            synchronisation=_synchronisation(verified, picture),
            image_id=None if verified.header is None else verified.header.image_id,
            tampered_share=float(mask.mean()),
            regions=tuple(regions(mask, verified.probability)),
            layer="lattice",
            model=self._model.name,
            key_kind=self._secret.kind,
            weights_sha256=self._model.weights_sha256,
            device=str(self._device),
            seconds=0.0,
            found=verified,
        )
        return replace(result, seconds=time.perf_counter() - began)

    def recover(
        self,
        picture: Picture,
        *,
        mask: Mask | None = None,
        restore_canvas: bool = False,
        verification: VerifyResult | None = None,
    ) -> RecoverResult:
        """Put back what the original showed where the mask (V's own and a narrow rim around it, if None) says tampered.

        mask: the picture's height x width, True = tampered. restore_canvas: give a cropped picture its original frame
        and size back. verification: what `verify` said of this very picture, to save doing it again. Raises
        NotImmunizedError, RecoveryError, UsageError for a mask or a verification of another size.
        """
        began = time.perf_counter()
        shape = (picture.height, picture.width)
        if mask is not None and mask.shape != shape:
            raise UsageError(
                f"the mask has {mask.shape[1]} x {mask.shape[0]} pixels, the picture {shape[1]} x {shape[0]}"
            )
        result = verification or self.verify(picture)
        verified = result.found
        if verified is None or result.mask.shape != shape:
            raise UsageError("the verification is not of this picture; pass what verify returned for it")
        if verified.frame is None:
            raise NotImmunizedError(
                "no immunization found (never immunized, another key, or damaged beyond recognition); "
                "nothing can be recovered"
            )
        margin = math.ceil(_RECOVERY_MARGIN * max(1.0, verified.frame.scale))
        used = enlarged(result.mask, margin) if mask is None else mask.astype(bool)
        pixels, information = picture.pixels, None
        if used.any() or (restore_canvas and not _is_whole(verified.frame, result.synchronisation, shape)):
            recovered = self._model.recover(
                picture.pixels, verified, used, own_mask=mask is None, restore_canvas=restore_canvas
            )
            pixels = _grey(recovered.pixels) if picture.grey else recovered.pixels
            information = recovered.information
        return RecoverResult(
            picture=picture.with_pixels(pixels),
            mask=used,
            verification=result,
            restored_share=float(used.mean()),
            seconds=time.perf_counter() - began,
            information=information,
        )


def _is_whole(frame: Frame, found: Synchronisation | None, shape: tuple[int, int]) -> bool:
    """Whether the suspect has the original's frame and size already."""
    original = None if found is None else (found.original_height, found.original_width)
    return frame.canvas == (frame.height, frame.width) and original in (None, shape)


def _grey(pixels: Pixels) -> Pixels:
    """One level for all channels: R works in colour, a grey picture has none."""
    level = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return cast("Pixels", np.repeat(np.rint(level)[..., None], 3, 2).astype(pixels.dtype))


def _synchronisation(verified: Verified, picture: Picture) -> Synchronisation | None:
    frame, header = verified.frame, verified.header
    if frame is None:
        return None
    size = (header.height, header.width) if header is not None else (picture.height, picture.width)
    rows, columns = size[0] / frame.canvas[0], size[1] / frame.canvas[1]
    return Synchronisation(
        offset_rows=round(frame.top * rows),
        offset_cols=round(frame.left * columns),
        scale=frame.scale / rows,
        z_score=frame.z_score,
        original_height=size[0],
        original_width=size[1],
        header_read=header is not None,
    )
