"""What the HTML page shows of one file: its section, and its cell in the contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from imuge_cli.reporting.figures import MARKED, pictures, region_id
from imuge_cli.reporting.markup import badge, facts, image, name, text
from imuge_cli.reporting.schema import RegionReport, Report
from imuge_cli.reporting.thumbnails import Thumbnail
from imuge_cli.reporting.wording import (
    ASSUMED,
    around_text,
    conclusion,
    decibel,
    fidelity,
    figure,
    percent,
    place_text,
    reference_text,
    tiles_text,
    tone_text,
    verdict_of,
)

_SCROLLED = 12  # regions; a longer table scrolls in a box of its own
_OUTPUTS = {
    "picture": "Picture written",
    "mask": "Mask written",
    "heatmap": "Heat-map written",
    "replaced": "Replaced pixels written",
}


def section(number: int, report: Report, thumbnails: Sequence[Thumbnail]) -> str:
    """Everything about one file. number: its place on the page, from 1."""
    warnings = "".join(f'<p class="warning">{text(warning)}</p>\n' for warning in report.warnings)
    return (
        f'<section class="file" id="file-{number}" aria-labelledby="name-{number}">\n'
        f'<div class="title"><h2 id="name-{number}">{name(report.file)}</h2>{badge(verdict_of(report))}</div>\n'
        f'<p class="conclusion">{text(conclusion(report))}</p>\n{warnings}'
        f"{pictures(number, report, thumbnails)}"
        f'<div class="tables">\n{facts("Findings", _findings(report))}{_regions(number, report)}'
        f"{facts('Against the reference', _reference(report))}{facts('Files', _files(report))}"
        f"{facts('Origin', _origin(report))}</div>\n</section>\n"
    )


def cell(number: int, report: Report, small: Thumbnail | None) -> str:
    """One file in the contact sheet. small: None where there is no picture to show."""
    shown = f'<span class="tile">{image(small, "") if small else ""}</span>'
    short = name(PurePath(report.file).name or report.file)
    link = f'<a href="#file-{number}" title="{text(report.file)}">{shown}{short}</a>'
    return f"<li>{link}{badge(verdict_of(report))}</li>\n"


def _regions(number: int, report: Report) -> str:
    """The regions as a table, each leading to its box."""
    found = report.verification
    if found is None or not found.regions:
        return ""
    rows = "".join(_region_row(number, which, region) for which, region in enumerate(found.regions, 1))
    caption = f"Regions: {len(found.regions)}"
    caption += f", the {MARKED} largest marked" if len(found.regions) > MARKED else ""
    head = "".join(f'<th scope="col">{label}</th>' for label in ("No.", "Rows", "Columns", "Pixels", "Confidence"))
    table = (
        f'<table class="regions"><caption>{caption}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{rows}</tbody></table>"
    )
    if len(found.regions) <= _SCROLLED:
        return f"{table}\n"
    return f'<div class="scrolled" role="region" aria-label="Regions" tabindex="0">{table}</div>\n'


def _region_row(number: int, which: int, region: RegionReport) -> str:
    box, identity = region.box, region_id(number, which)
    link = f'<a href="#{identity}" aria-label="Region {which}">{which}</a>' if which <= MARKED else str(which)
    pixels = f"{region.pixels}{', around the original' if region.foreign else ''}"
    cells = (f"{box.top} to {box.bottom - 1}", f"{box.left} to {box.right - 1}", pixels)
    values = "".join(f"<td>{value}</td>" for value in (*cells, figure(region.confidence)))
    return f'<tr data-region="{identity}"><th scope="row">{link}</th>{values}</tr>\n'


def _findings(report: Report) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if report.error:
        rows.append(("Error", text(report.error.type)))
    if report.size:
        whose = "Size, recovered" if report.recovery else "Size"
        rows.append((whose, f"{report.size.width} x {report.size.height} pixels"))
    if report.immunization:
        done = report.immunization
        rows.append(("Against the input", text(fidelity(done))))
        rows.append(("Strength", text(f"{done.strength}, {'with' if done.exact else 'without'} exact layer")))
        rows.append(("Picture's number", str(done.image_id)))
    rows += _verification_rows(report)
    if report.recovery:
        rows.append(("Restored", f"{percent(report.recovery.restored_share)} of the pixels"))
        if report.recovery.proven_share:
            rows.append(("Restored, proven", f"{percent(report.recovery.proven_share)} of the pixels, bit for bit"))
    return rows


def _verification_rows(report: Report) -> list[tuple[str, str]]:
    found = report.verification
    if found is None:
        return []
    rows = [
        ("Layer that answered", text(found.layer if found.layer != "networks" else f"{found.layer} ({ASSUMED})")),
        ("Tampered", f"{percent(found.tampered_share)} of the pixels"),
        ("Confidence", figure(found.confidence)),
    ]
    rows += [("Around the original", text(line)) for line in around_text(found)]
    rows += [("Levels", text(line)) for line in tone_text(found)]
    if found.image_id is not None:
        rows.append(("Picture's number", str(found.image_id)))
    if found.synchronisation is not None:
        rows.append(("Synchronisation", text(place_text(found.synchronisation))))
    if found.tiles is not None:
        rows.append(("Tiles of 16 x 16 pixels", text(tiles_text(found.tiles))))
    return rows


def _reference(report: Report) -> list[tuple[str, str]]:
    against = report.reference
    if against is None:
        return []
    rows = [("Reference", name(against.file)), ("Compared", "recovered picture" if report.recovery else "suspect")]
    if against.note or against.identical:
        return [*rows, ("Figures", text(reference_text(report)))]
    inside = ("PSNR inside the mask", decibel(against.local_psnr))
    return [*rows, ("PSNR", decibel(against.psnr)), ("SSIM", figure(against.ssim)), inside]


def _files(report: Report) -> list[tuple[str, str]]:
    """The input and what was written, each with its fingerprint."""
    written = report.output_sha256 or {}
    rows = [("Input", _file(report.file, report.input_sha256))]
    for kind, path in (report.outputs or {}).items():
        rows.append((_OUTPUTS.get(kind, kind), _file(path, written.get(kind))))
    return rows


def _file(path: str, sha256: str | None) -> str:
    return name(path) + (f'<br><span class="hash">SHA-256 <code>{text(sha256)}</code></span>' if sha256 else "")


def _origin(report: Report) -> list[tuple[str, str]]:
    rows = []
    if report.key:
        rows.append(("Key", f"<strong>{text(report.key.kind)}</strong>: {text(report.key.meaning)}"))
    if report.model:
        rows.append(("Model", text(report.model.name)))
        if report.model.weights_sha256:
            rows.append(
                ("Weights", f'<span class="hash">SHA-256 <code>{text(report.model.weights_sha256)}</code></span>')
            )
    if report.device:
        rows.append(("Device", text(f"{report.device.used} ({report.device.why})")))
    if report.seconds is not None:
        rows.append(("Time", f"{report.seconds:.2f} s"))
    if report.finished:
        shown = report.finished.replace("T", " ").replace("Z", " UTC")
        rows.append(("Finished", f'<time datetime="{text(report.finished)}">{text(shown)}</time>'))
    rows.append(("Program", text(f"imuge {report.version}, {report.command}")))
    return rows
