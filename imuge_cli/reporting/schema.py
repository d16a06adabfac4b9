"""The report's shape, version 1. Under one version fields may be added, but none changes its meaning."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from os import PathLike
from typing import Annotated, Any, TypeAlias

from imuge_cli.reporting.limits import AtLeast, Like, OneOf

SCHEMA = "imuge.report/1"

Command: TypeAlias = Annotated[str, OneOf(("immunize", "verify", "recover"))]
Verdict: TypeAlias = Annotated[str, OneOf(("exact", "intact", "tampered", "not-found"))]
Layer: TypeAlias = Annotated[str, OneOf(("exact", "lattice", "networks"))]
KeyKind: TypeAlias = Annotated[str, OneOf(("secret", "published"))]
ExitCode: TypeAlias = Annotated[int, OneOf((0, 1, 2, 3))]
Count: TypeAlias = Annotated[int, AtLeast(0)]
Share: TypeAlias = Annotated[float, AtLeast(0, 1)]
Sha256: TypeAlias = Annotated[str, Like("^[0-9a-f]{64}$")]
Moment: TypeAlias = Annotated[str, Like(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]

Plain: TypeAlias = "None | bool | int | float | str | list[Plain] | dict[str, Plain]"


@dataclass(frozen=True)
class Size:
    """Pixels."""

    height: Count
    width: Count


@dataclass(frozen=True)
class Box:
    """Pixel bounds in the suspect; `bottom` and `right` are the first row and column outside."""

    top: Count
    left: Count
    bottom: Count
    right: Count


@dataclass(frozen=True)
class RegionReport:
    """One connected tampered area. pixels: its area. confidence: 0..1. foreign: it lies around the original, and is no
    part of it.
    """

    box: Box
    pixels: Count
    confidence: Share
    foreign: bool = False


@dataclass(frozen=True)
class SynchronisationReport:
    """Where the suspect lies in the original's frame, and how far above chance that was found (z-score).

    z_score: None where the exact layer told the place. header_read: False where the header was unreadable; `original`
    is then the suspect's own size, for want of better. orientation: "upright", or how it was turned and mirrored.
    turned_degrees: by how much it was turned to the left besides.
    """

    offset_rows: int
    offset_cols: int
    scale: float
    z_score: float | None
    original: Size
    header_read: bool
    orientation: str = "upright"
    turned_degrees: float = 0.0


@dataclass(frozen=True)
class KeyReport:
    """kind: "secret" or "published". meaning: what that is worth, in one sentence."""

    kind: KeyKind
    meaning: str


@dataclass(frozen=True)
class ModelReport:
    """Family, and the sha256 of its weights (None where it needs none)."""

    name: str
    weights_sha256: Sha256 | None


@dataclass(frozen=True)
class DeviceReport:
    """used: where the networks ran. requested: what was asked for. why: how one led to the other."""

    used: str
    requested: str
    why: str


@dataclass(frozen=True)
class ReferenceReport:
    """Fidelity to a given original. psnr, local_psnr in dB, None where infinite or not measurable.

    identical: every pixel equal. note: why figures are missing, or None.
    """

    file: str
    psnr: float | None
    ssim: float | None
    local_psnr: float | None
    identical: bool
    note: str | None


@dataclass(frozen=True)
class TilesReport:
    """The exact layer's tiles (16 x 16 pixels) by what became of them; total: all of the original's. intact: bit for
    bit as published. proven: restored bit for bit, with a seal that proves it. fine, coarse: restored to about
    `quality_fine` and `quality_coarse` (PSNR in dB against the published picture). lost: only the lattice tells of
    them.
    """

    total: Count
    intact: Count
    proven: Count
    fine: Count
    coarse: Count
    lost: Count
    quality_fine: float
    quality_coarse: float


@dataclass(frozen=True)
class ChannelsReport:
    """One value for each colour channel."""

    red: float
    green: float
    blue: float


@dataclass(frozen=True)
class ToneReport:
    """How a suspect's levels were changed as a whole, which is no tampering: the original's times `contrast`, plus
    `brightness` (grey levels of 0..255), None where that is not known. channels: by what red, green and blue were
    multiplied, None where that is the same for all; the others then are luma's. colourless: colours were taken
    away, and brightness tells those that are there (black and white, sepia).
    """

    contrast: float
    brightness: float | None
    channels: ChannelsReport | None = None
    colourless: bool = False


@dataclass(frozen=True)
class VerificationReport:
    """What verify found; inside a recover report it describes the suspect. tiles: None where the lattice answered.

    foreign_share: what of tampered_share lies around the original (a frame, say) and is no part of it. picture: the
    bounds of what is the original's, None where nothing lies around it. tone: None where levels are the original's.
    contradicted: the verdict is `not-found`, since what was sent is not what the suspect shows, but it cannot be told
    where they differ: something was changed in all likelihood.
    """

    verdict: Verdict
    layer: Layer
    image_id: Count | None
    tampered_share: Share
    confidence: Share | None
    regions: tuple[RegionReport, ...]
    synchronisation: SynchronisationReport | None
    tiles: TilesReport | None = None
    foreign_share: Share = 0.0
    picture: Box | None = None
    tone: ToneReport | None = None
    contradicted: bool = False


@dataclass(frozen=True)
class ImmunizationReport:
    """What immunize did. psnr (dB) and ssim against the input picture. exact: whether it has an exact layer."""

    image_id: Count
    strength: str
    psnr: float | None
    ssim: float | None
    working_size: Size
    exact: bool = False


@dataclass(frozen=True)
class RecoveryReport:
    """What recover did. restored_share: rebuilt part of the pixels. proven_share: part of the pixels that came back bit
    for bit, with a seal that proves it. changed: False where the picture was written as it is (an intact file whose
    frame was not restored either).
    """

    restored_share: Share
    changed: bool
    proven_share: Share = 0.0


@dataclass(frozen=True)
class ErrorReport:
    """Why there is nothing else. type: the error's class name, e.g. "InputError"."""

    type: str
    message: str


@dataclass(frozen=True)
class Report:
    """Everything about one file. Parts that do not apply to the command are None.

    seconds: what the work took. outputs: kind ("picture", "mask", "heatmap", "replaced") -> path of what was written;
    "-" is standard output. input_sha256: of the file as it was read. output_sha256: kind -> of the file as it was
    written; standard output has none. finished: when the report was made, UTC (ISO 8601).
    """

    command: Command
    version: str
    file: str
    exit_code: ExitCode
    size: Size | None = None
    immunization: ImmunizationReport | None = None
    verification: VerificationReport | None = None
    recovery: RecoveryReport | None = None
    reference: ReferenceReport | None = None
    key: KeyReport | None = None
    model: ModelReport | None = None
    device: DeviceReport | None = None
    seconds: float | None = None
    outputs: Mapping[str, str] | None = None
    warnings: tuple[str, ...] = ()
    error: ErrorReport | None = None
    input_sha256: Sha256 | None = None
    output_sha256: Mapping[str, Sha256] | None = None
    finished: Moment | None = None


def to_json(report: Report) -> dict[str, Plain]:
    """The report as plain JSON values, `schema` first; not-a-number and infinity become None."""
    body = plain(report)
    assert isinstance(body, dict)
    return {"schema": SCHEMA, **body}


def to_line(report: Report) -> str:
    """The report as one line of strict JSON in ASCII, without the line end."""
    return json.dumps(to_json(report), allow_nan=False)


def plain(value: Any) -> Plain:
    """Dataclasses, mappings, sequences, paths and numbers (numpy's too) as values `json` can write.

    Raises TypeError for anything else, arrays included: pictures have no place in a report.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, PathLike):
        return str(value)
    return _number(value)


def _number(value: Any) -> Plain:
    if getattr(value, "ndim", 0) == 0 and hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    raise TypeError(f"{type(value).__name__} has no place in a report")
