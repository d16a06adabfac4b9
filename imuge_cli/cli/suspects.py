"""What commands share: comparing with an original, writing masks, telling the verdict, what may be published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imuge_cli.cli import pictures
from imuge_cli.cli.console import Console
from imuge_cli.cli.planning import Plan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imuge_cli.image.picture import Picture
    from imuge_cli.reporting import ReferenceFigures, Report
    from imuge_cli.reporting.html import Thumbnail
    from imuge_cli.reporting.schema import VerificationReport

_REGIONS_TOLD = 5
# Working sizes are rounded: less of a difference in scale says nothing.
_OWN_SCALE = 2e-3


@dataclass(frozen=True)
class Telling:
    """How results are told. device: as requested. thumbnails: for the HTML page. strip: whether pictures written lose
    their metadata."""

    device: str
    reference: Path | None
    thumbnails: bool
    force: bool
    strip: bool = False

    def published(self, picture: Picture) -> Picture:
        """The picture with what may be written of it."""
        return picture.stripped() if self.strip else picture


def figures_against(reference: Path | None, picture: Picture, mask: NDArray[np.bool_]) -> ReferenceFigures | None:
    """Figures of a picture against the original file; None where none was named."""
    if reference is None:
        return None
    from imuge_cli.reporting import compare

    return compare(pictures.read(reference).as_uint8(), picture.as_uint8(), mask, file=str(reference))


def write_findings(
    task: Plan,
    suspect: Picture,
    probability: NDArray[np.float32],
    mask: NDArray[np.bool_],
    *,
    console: Console,
    force: bool,
) -> None:
    """Write the mask and the heat-map that the plan names."""
    if task.mask is not None:
        from imuge_cli.image.write import write_mask

        write_mask(mask, task.mask, force=force)
    if task.heatmap is not None:
        from imuge_cli.reporting.overlay import heatmap

        overlay = heatmap(suspect.as_uint8(), probability, mask)
        pictures.write_pixels(overlay, task.heatmap, console=console, force=force)


def thumbnails_of(suspect: Picture, probability: NDArray[np.float32], mask: NDArray[np.bool_]) -> tuple[Thumbnail, ...]:
    """Suspect, mask and heat-map for the HTML page."""
    from imuge_cli.reporting.html import suspect_thumbnails

    return suspect_thumbnails(suspect.as_uint8(), probability, mask)


def describe(report: Report, console: Console) -> str:
    """The verdict for people, in one line and some indented ones."""
    from imuge_cli.reporting.html import (
        ASSUMED,
        around_text,
        box_text,
        figure,
        inside_regions,
        not_found_text,
        orientation_text,
        percent,
        reference_text,
        tiles_text,
        tone_text,
    )

    found = report.verification
    assert found is not None and report.device is not None and report.key is not None
    console.once(f"running on {report.device.used} ({report.device.why})")
    if found.verdict == "not-found":
        return f"{report.file}: not-found: {not_found_text(found)}"
    if report.key.kind == "published":
        console.once(f"key: {report.key.meaning}")
    if found.verdict == "exact":
        lines = [f"{report.file}: exact, bit for bit what was immunized"]
    elif found.verdict != "tampered":
        lines = [f"{report.file}: {found.verdict} (confidence {figure(found.confidence)})"]
    else:
        lines = [f"{report.file}: tampered, {_changed(found)} (confidence {figure(found.confidence)})"]
    place = found.synchronisation
    if place is not None and (orientation_text(place) != "upright" or abs(place.scale - 1) > _OWN_SCALE):
        lines.append(
            f"  shows the original ({place.original.width} x {place.original.height}) from row {place.offset_rows}, "
            f"column {place.offset_cols} on at {percent(place.scale)} of its size, {orientation_text(place)}"
        )
    if found.layer == "networks":
        lines.append(f"  {ASSUMED}")
    if found.tiles is not None and found.verdict != "exact":
        lines.append(f"  tiles of 16 x 16 pixels: {tiles_text(found.tiles)}")
    lines += [f"  {line}" for line in [*around_text(found), *tone_text(found)]]
    inside = inside_regions(found)
    lines += [
        f"  {box_text(region.box)}: {region.pixels} pixels, confidence {figure(region.confidence)}"
        for region in inside[:_REGIONS_TOLD]
    ]
    if len(inside) > _REGIONS_TOLD:
        lines.append(f"  and {len(inside) - _REGIONS_TOLD} smaller regions (all with --json)")
    if report.reference is not None:
        lines.append(f"  against {report.reference.file}: {reference_text(report)}")
    return "\n".join(lines)


def _changed(found: VerificationReport) -> str:
    from imuge_cli.reporting.html import inside_regions, percent, regions_text

    inside = inside_regions(found)
    if found.foreign_share and not inside:
        return "but only around the original"
    return f"{percent(found.tampered_share - found.foreign_share)} of the pixels in {regions_text(len(inside))}"
