"""From the library's results to reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli import __version__
from imuge_cli.reporting.reference import ReferenceFigures
from imuge_cli.reporting.schema import (
    Box,
    ChannelsReport,
    DeviceReport,
    ErrorReport,
    ImmunizationReport,
    KeyReport,
    ModelReport,
    RecoveryReport,
    ReferenceReport,
    RegionReport,
    Report,
    Size,
    SynchronisationReport,
    TilesReport,
    ToneReport,
    VerificationReport,
)

if TYPE_CHECKING:
    from imuge_cli.api import ImmunizeResult, RecoverResult, VerifyResult

KEY_MEANINGS = {
    "secret": "made with a key file: only its holders can immunize, verify or forge such a picture",
    "published": (
        "made with the key published with the program: everybody can verify such a picture, "
        "but everybody can forge one too, so the verdict shows careless edits and damage, "
        "not the work of somebody who knows imuge"
    ),
}


def immunize_report(
    result: ImmunizeResult,
    *,
    file: str,
    requested_device: str = "auto",
    outputs: Mapping[str, str] | None = None,
    warnings: tuple[str, ...] = (),
    input_sha256: str | None = None,
    output_sha256: Mapping[str, str] | None = None,
) -> Report:
    """What was made from one picture, and how faithful it stayed."""
    height, width = result.working_size
    return Report(
        command="immunize",
        version=__version__,
        file=file,
        exit_code=0,
        size=_size(result.picture),
        immunization=ImmunizationReport(
            image_id=result.image_id,
            strength=result.strength,
            psnr=_finite(result.psnr),
            ssim=_finite(result.ssim),
            working_size=Size(int(height), int(width)),
            exact=bool(result.exact),
        ),
        outputs=outputs,
        warnings=warnings,
        input_sha256=input_sha256,
        output_sha256=output_sha256,
        finished=_now(),
        **_origin(result, requested_device),
    )


def verify_report(
    result: VerifyResult,
    *,
    file: str,
    requested_device: str = "auto",
    reference: ReferenceFigures | None = None,
    outputs: Mapping[str, str] | None = None,
    warnings: tuple[str, ...] = (),
    input_sha256: str | None = None,
    output_sha256: Mapping[str, str] | None = None,
) -> Report:
    """What was done to one suspect."""
    height, width = result.mask.shape
    return Report(
        command="verify",
        version=__version__,
        file=file,
        exit_code=result.exit_code,
        size=Size(int(height), int(width)),
        verification=_verification(result),
        reference=_reference(reference),
        outputs=outputs,
        warnings=warnings,
        input_sha256=input_sha256,
        output_sha256=output_sha256,
        finished=_now(),
        **_origin(result, requested_device),
    )


def recover_report(
    result: RecoverResult,
    *,
    file: str,
    requested_device: str = "auto",
    reference: ReferenceFigures | None = None,
    outputs: Mapping[str, str] | None = None,
    warnings: tuple[str, ...] = (),
    input_sha256: str | None = None,
    output_sha256: Mapping[str, str] | None = None,
) -> Report:
    """What was done to one suspect, and what could be given back. `size` is the recovered picture's."""
    verification = result.verification
    size = _size(result.picture)
    # A frame that was given back is a change as well, though no pixel of the suspect was touched.
    changed = result.restored_share > 0 or result.reframed
    return Report(
        command="recover",
        version=__version__,
        file=file,
        exit_code=0,
        size=size,
        verification=_verification(verification),
        recovery=RecoveryReport(
            float(result.restored_share),
            changed=bool(changed),
            proven_share=0.0 if result.proven is None else float(result.proven.mean()),
        ),
        reference=_reference(reference),
        outputs=outputs,
        warnings=warnings,
        input_sha256=input_sha256,
        output_sha256=output_sha256,
        finished=_now(),
        **{**_origin(verification, requested_device), "seconds": _finite(result.seconds)},
    )


def error_report(
    command: str, *, file: str, exit_code: int, error: BaseException, input_sha256: str | None = None
) -> Report:
    """A file that could not be dealt with, so that a batch's report leaves no file out."""
    return Report(
        command=command,
        version=__version__,
        file=file,
        exit_code=exit_code,
        error=ErrorReport(type(error).__name__, str(error)),
        input_sha256=input_sha256,
        finished=_now(),
    )


def confidence_of(result: VerifyResult) -> float | None:
    """How sure the verdict is, 0..1; None where nothing was found.

    tampered: the regions' confidence, weighted by area. exact: 1. intact: one minus the mean probability of tampering.
    """
    if result.verdict == "not-found":
        return None
    if result.verdict != "tampered":
        return _finite(1.0 - float(result.probability.mean()))
    area = sum(region.pixels for region in result.regions)
    if not area:
        return None
    mean = sum(region.confidence * region.pixels for region in result.regions) / area
    return _finite(min(mean, 1.0))  # rounding may carry a mean of ones beyond one


def device_report(used: str, requested: str, *, needed: bool = True) -> DeviceReport:
    """Says how the device came to be chosen. needed: whether any network ran."""
    if not needed:
        return DeviceReport(used, requested, "no network was needed")
    if requested != "auto":
        return DeviceReport(used, requested, "asked for by name")
    found = "no usable CUDA device was found" if used == "cpu" else "a usable CUDA device was found"
    return DeviceReport(used, requested, f"chosen automatically: {found}")


def key_report(kind: str) -> KeyReport:
    """Key kind with its meaning."""
    return KeyReport(kind, KEY_MEANINGS[kind])


def _verification(result: VerifyResult) -> VerificationReport:
    return VerificationReport(
        verdict=result.verdict,
        layer=result.layer,
        image_id=result.image_id,
        tampered_share=float(result.tampered_share),
        confidence=confidence_of(result),
        regions=tuple(
            RegionReport(
                Box(int(region.top), int(region.left), int(region.bottom), int(region.right)),
                int(region.pixels),
                float(region.confidence),
                foreign=bool(region.foreign),
            )
            for region in result.regions
        ),
        synchronisation=_synchronisation(result),
        tiles=None if result.tiles is None else TilesReport(**asdict(result.tiles)),
        foreign_share=0.0 if result.foreign is None else float((result.mask & result.foreign).mean()),
        picture=None if result.foreign is None else _bounds(~result.foreign),
        tone=_tone(result),
        contradicted=bool(result.contradicted),
    )


def _tone(result: VerifyResult) -> ToneReport | None:
    tone = result.tone
    if tone is None:
        return None
    channels = None if tone.channels is None else ChannelsReport(*tone.channels)
    return ToneReport(float(tone.contrast), _finite(tone.brightness), channels, bool(tone.colourless))


def _bounds(inside: NDArray[np.bool_]) -> Box | None:
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return None
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def _synchronisation(result: VerifyResult) -> SynchronisationReport | None:
    found = result.synchronisation
    if found is None:
        return None
    return SynchronisationReport(
        offset_rows=int(found.offset_rows),
        offset_cols=int(found.offset_cols),
        scale=float(found.scale),
        z_score=_finite(found.z_score),
        original=Size(int(found.original_height), int(found.original_width)),
        header_read=bool(found.header_read),
        orientation=found.orientation,
        turned_degrees=float(found.turned_degrees),
    )


def _reference(figures: ReferenceFigures | None) -> ReferenceReport | None:
    if figures is None:
        return None
    return ReferenceReport(
        file=figures.file,
        psnr=_finite(figures.psnr),
        ssim=_finite(figures.ssim),
        local_psnr=_finite(figures.local_psnr),
        identical=figures.identical,
        note=figures.note,
    )


def _origin(result: ImmunizeResult | VerifyResult, requested_device: str) -> dict[str, Any]:
    return {
        "key": key_report(result.key_kind),
        "model": ModelReport(result.model, result.weights_sha256),
        "device": device_report(result.device, requested_device, needed=result.weights_sha256 is not None),
        "seconds": _finite(result.seconds),
    }


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _size(picture: Any) -> Size:
    return Size(int(picture.height), int(picture.width))


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
