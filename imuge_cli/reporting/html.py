"""One self-contained HTML page: no script, no style sheet, no picture from anywhere else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from numpy.typing import NDArray

from imuge_cli.reporting.schema import Report, TilesReport

_LONGEST = 480  # pixels of a thumbnail's longer side
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222;
  max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top; }
th { font-weight: 600; } figure { display: inline-block; margin: .5rem 1rem .5rem 0; }
figure img { max-width: 100%; border: 1px solid #ccc; } figcaption { font-size: .85rem; }
.verdict { display: inline-block; padding: .1rem .6rem; border-radius: .3rem; color: #fff; background: #666; }
.intact, .exact { background: #1a7f37; } .tampered, .error { background: #b3261e; }
"""


@dataclass(frozen=True)
class Thumbnail:
    """A small picture for the page. png: the encoded file."""

    caption: str
    png: bytes

    @classmethod
    def of(cls, caption: str, pixels: NDArray[Any]) -> Thumbnail:
        """pixels: H x W x 3 RGB uint8, or H x W (bool or uint8); made smaller where it is large."""
        import numpy as np

        from imuge_cli.image.picture import Picture
        from imuge_cli.image.write import encode_picture

        image = pixels.astype(np.uint8) * 255 if pixels.dtype == np.bool_ else pixels
        image = _smaller(image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2))
        return cls(caption, encode_picture(Picture(pixels=image), "png").data)


def _smaller(image: NDArray[Any]) -> NDArray[Any]:
    """H x W x 3 uint8, whole blocks of pixels averaged so that the longer side fits; the rest is cut off."""
    import numpy as np

    height, width = image.shape[:2]
    block = min(-(-max(height, width) // _LONGEST), height, width)
    if block <= 1:
        return image
    rows, cols = height // block, width // block
    sums = np.zeros((rows, cols, 3), np.uint32)
    for row in range(block):  # strided views: no copy of the large picture
        for col in range(block):
            sums += image[row : rows * block : block, col : cols * block : block]
    mean: NDArray[Any] = ((sums + block * block // 2) // (block * block)).astype(np.uint8)
    return mean


def page(entries: Sequence[tuple[Report, Sequence[Thumbnail]]], *, title: str) -> str:
    """The page for some files, in their order."""
    parts = [_section(report, thumbnails) for report, thumbnails in entries]
    version = escape(entries[0][0].version) if entries else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + f"\n<p><small>imuge {version}</small></p></body></html>\n"
    )


def _section(report: Report, thumbnails: Sequence[Thumbnail]) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in _rows(report))
    figures = "".join(_figure(thumbnail) for thumbnail in thumbnails)
    verdict = "error" if report.error else report.verification.verdict if report.verification else "immunized"
    return (
        f'<section><h2>{escape(report.file)} <span class="verdict {verdict}">{verdict}</span></h2>'
        f"<table>{rows}</table><div>{figures}</div></section>"
    )


def _figure(thumbnail: Thumbnail) -> str:
    content = base64.b64encode(thumbnail.png).decode("ascii")
    caption = escape(thumbnail.caption)
    image = f'<img alt="{caption}" src="data:image/png;base64,{content}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _rows(report: Report) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if report.error:
        rows.append((report.error.type, report.error.message))
    if report.immunization:
        done = report.immunization
        layer = "with" if done.exact else "without"
        told = f"PSNR {decibel(done.psnr)}, SSIM {figure(done.ssim)}, strength {done.strength}, {layer} exact layer"
        rows.append(("Immunized", told))
    if report.verification:
        rows += _verification_rows(report)
    if report.recovery:
        rows.append(("Restored", percent(report.recovery.restored_share) + " of the pixels"))
    if report.reference:
        rows.append(("Against the original", reference_text(report)))
    if report.key:
        rows.append(("Key", f"{report.key.kind}: {report.key.meaning}"))
    if report.model:
        rows.append(("Model", f"{report.model.name}, weights {report.model.weights_sha256 or 'none'}"))
    if report.device:
        rows.append(("Device", f"{report.device.used} ({report.device.why})"))
    if report.seconds is not None:
        rows.append(("Time", f"{report.seconds:.2f} s"))
    return rows + [("Warning", warning) for warning in report.warnings]


ASSUMED = "taken for immunized: this model leaves nothing that could be found"
"""What has to be said of the verdicts of models without a lattice."""


def tiles_text(tiles: TilesReport) -> str:
    """What became of the exact layer's tiles, in one line."""
    told = [f"{tiles.intact} of {tiles.total} bit for bit as published"]
    if tiles.proven:
        told.append(f"{tiles.proven} restored bit for bit, proven by their seals")
    if tiles.fine:
        told.append(f"{tiles.fine} restorable to about {tiles.quality_fine:g} dB")
    if tiles.coarse:
        told.append(f"{tiles.coarse} restorable to about {tiles.quality_coarse:g} dB")
    if tiles.lost:
        told.append(f"{tiles.lost} only from the lattice")
    return ", ".join(told)


def _verification_rows(report: Report) -> list[tuple[str, str]]:
    found = report.verification
    assert found is not None
    rows = [
        ("Layer that answered", found.layer if found.layer != "networks" else f"{found.layer} ({ASSUMED})"),
        ("Tampered", f"{percent(found.tampered_share)} of the pixels"),
        ("Confidence", figure(found.confidence)),
    ]
    if found.synchronisation is not None:
        place = found.synchronisation
        size = f"{place.original.width} x {place.original.height}"
        size += "" if place.header_read else ", assumed: its header is unreadable"
        rows.append(
            (
                "Synchronisation",
                f"row {place.offset_rows}, column {place.offset_cols} of the original ({size}), "
                f"scale {place.scale:.4f}, {place.orientation}"
                + ("" if place.z_score is None else f", z {place.z_score:.1f}"),
            )
        )
    if found.tiles is not None:
        rows.append(("Tiles of 16 x 16 pixels", tiles_text(found.tiles)))
    for number, region in enumerate(found.regions, 1):
        box = region.box
        rows.append(
            (
                f"Region {number}",
                f"rows {box.top} to {box.bottom - 1}, columns {box.left} to {box.right - 1}: "
                f"{region.pixels} pixels, confidence {figure(region.confidence)}",
            )
        )
    return rows


def reference_text(report: Report) -> str:
    """The comparison with the original in one line."""
    against = report.reference
    assert against is not None
    if against.note:
        return against.note
    if against.identical:
        return "identical"
    return f"PSNR {decibel(against.psnr)}, SSIM {figure(against.ssim)}, L-PSNR {decibel(against.local_psnr)}"


def decibel(value: float | None) -> str:
    """Two decimals and the unit; a dash where there is no figure."""
    return "-" if value is None else f"{value:.2f} dB"


def figure(value: float | None) -> str:
    """Three decimals; a dash where there is no figure."""
    return "-" if value is None else f"{value:.3f}"


def percent(share: float) -> str:
    """A share of 0..1 in percent, with enough digits to tell little from nothing."""
    return f"{100 * share:.1f} %" if share == 0 or share >= 0.001 else f"{100 * share:.3f} %"
