"""Reports in words: figures with their units, and what a verdict means."""

from __future__ import annotations

from imuge_cli.reporting.schema import (
    Box,
    ImmunizationReport,
    RegionReport,
    Report,
    SynchronisationReport,
    TilesReport,
    VerificationReport,
)

ASSUMED = "taken for immunized: this model leaves nothing that could be found"
"""What has to be said of the verdicts of models without a lattice."""


def verdict_of(report: Report) -> str:
    """One word for what the file came to: a verdict, `immunized` or `error`."""
    if report.error:
        return "error"
    return report.verification.verdict if report.verification else "immunized"


def conclusion(report: Report) -> str:
    """What came out, in one or two sentences for people who do not know the program."""
    if report.error:
        return report.error.message
    if report.immunization:
        done = report.immunization
        layer = "with" if done.exact else "without"
        return f"Immunized at strength {done.strength}, {layer} exact layer: {fidelity(done)} against the input."
    return " ".join(_found(report) + _restored(report))


def _found(report: Report) -> list[str]:
    found = report.verification
    if found is None:
        return []
    if found.verdict == "exact":
        return ["Bit for bit what was immunized."]
    if found.verdict == "intact":
        intact = "The content is what was immunized; the file was post-processed, but not tampered with."
        return [intact, *(f"{line}." for line in tone_text(found))]
    if found.verdict == "tampered":
        inside = inside_regions(found)
        regions = f" in {regions_text(len(inside))}" if inside else ""
        told = [f"{percent(found.tampered_share - found.foreign_share)} of the pixels count as tampered{regions}."]
        besides = [f"{line}." for line in (*around_text(found), *tone_text(found))]
        return (told if not found.foreign_share or inside else []) + besides
    why = not_found_text(found)
    if found.synchronisation is None:
        return [f"No immunization was found: {why}."]
    return [f"{why[0].upper()}{why[1:]}."]


def not_found_text(found: VerificationReport) -> str:
    """Why the verdict is `not-found`, without a capital and a full stop."""
    if found.synchronisation is None:
        return "never immunized, another key, or damaged beyond reading"
    if found.contradicted:
        return (
            "immunized with this key, but what was sent is not what it shows: probably changed, though not known where"
        )
    return "immunized with this key, but too little of that is left to tell what was changed"


def inside_regions(found: VerificationReport) -> list[RegionReport]:
    """The regions that do not lie around the original."""
    return [region for region in found.regions if not region.foreign]


def regions_text(number: int) -> str:
    """So many regions."""
    return f"{number} {'region' if number == 1 else 'regions'}"


def around_text(found: VerificationReport) -> list[str]:
    """What lies around the original, and where that is: one line, or none where nothing does."""
    if not found.foreign_share:
        return []
    told = f"{percent(found.foreign_share)} of the pixels lie around the original"
    if found.picture is not None:
        told += f", which is in {box_text(found.picture)}"
    return [told if inside_regions(found) else f"{told}; nothing in it was changed"]


def tone_text(found: VerificationReport) -> list[str]:
    """How colours and levels were changed as a whole: a line each, or none where they were not."""
    if found.tone is None:
        return []
    contrast, brightness, channels = found.tone.contrast, found.tone.brightness, found.tone.channels
    if channels is not None:
        told = [f"red multiplied by {channels.red:.2f}, green by {channels.green:.2f}, blue by {channels.blue:.2f}"]
    else:
        told = [f"multiplied by {contrast:.2f}"] if f"{contrast:.2f}" != "1.00" else []
    if brightness is not None and round(brightness) != 0:
        told.append(f"{abs(brightness):.0f} of 255 {'added' if brightness > 0 else 'taken away'}")
    lines = ["Its colours were taken away (black and white, or one tone for all)"] if found.tone.colourless else []
    return [*lines, f"Its levels were changed as a whole ({', '.join(told)})"] if told else lines


def box_text(box: Box) -> str:
    """Rows and columns, the last ones included."""
    return f"rows {box.top}-{box.bottom - 1}, columns {box.left}-{box.right - 1}"


def _restored(report: Report) -> list[str]:
    done = report.recovery
    if done is None:
        return []
    if not done.changed:
        return ["Nothing to restore: the picture was written as it is."]
    told = [f"{percent(done.restored_share)} of the pixels were restored."] if done.restored_share else []
    if done.proven_share:
        told.append(f"{percent(done.proven_share)} of the pixels came back bit for bit, proven by seals.")
    return told or ["The original frame was given back."]


def fidelity(done: ImmunizationReport) -> str:
    """PSNR and SSIM in one line."""
    return f"PSNR {decibel(done.psnr)}, SSIM {figure(done.ssim)}"


def place_text(place: SynchronisationReport) -> str:
    """Where a suspect lies in the original, in one line."""
    size = f"{place.original.width} x {place.original.height}"
    size += "" if place.header_read else ", assumed: its header is unreadable"
    told = (
        f"row {place.offset_rows}, column {place.offset_cols} of the original ({size}), "
        f"scale {place.scale:.4f}, {orientation_text(place)}"
    )
    return told if place.z_score is None else f"{told}, z {place.z_score:.1f}"


def orientation_text(place: SynchronisationReport) -> str:
    """How a suspect was turned and mirrored."""
    if place.turned_degrees == 0:
        return place.orientation
    side = "left" if place.turned_degrees > 0 else "right"
    return f"turned by {abs(place.turned_degrees):.2f} degrees to the {side}"


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
