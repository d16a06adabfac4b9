"""The pictures of one file on the HTML page: figures, comparisons under a slider, and boxes around regions."""

from __future__ import annotations

from collections.abc import Sequence

from imuge_cli.reporting.markup import image, text
from imuge_cli.reporting.schema import RegionReport, Report
from imuge_cli.reporting.thumbnails import IMMUNIZED, LONGEST, ORIGINAL, RECOVERED, SUSPECT, Thumbnail

MARKED = 100  # regions, the largest; more boxes would hide the picture
_NARROW = 220  # pixels
_PAIRS = ((SUSPECT, RECOVERED), (ORIGINAL, IMMUNIZED))


def region_id(number: int, which: int) -> str:
    """The address of a region's box on the page; number: the file's, which: the region's, both from 1."""
    return f"region-{number}-{which}"


def pictures(number: int, report: Report, thumbnails: Sequence[Thumbnail]) -> str:
    """Comparisons first, then the other figures; nothing where there are no pictures."""
    by_caption = {thumbnail.caption: thumbnail for thumbnail in thumbnails}
    partner: dict[str, str] = {}
    for before, after in _PAIRS:
        both = by_caption.get(before), by_caption.get(after)
        if both[0] and both[1] and (both[0].height, both[0].width) == (both[1].height, both[1].width):
            partner[before] = after
    compared = {*partner, *partner.values()}
    pairs = [_comparison(number, report, by_caption[before], by_caption[after]) for before, after in partner.items()]
    others = [_figure(number, report, thumbnail) for thumbnail in thumbnails if thumbnail.caption not in compared]
    more = f'<div class="more">\n{"".join(others)}</div>\n' if others else ""
    return f'<div class="pictures">\n{"".join(pairs)}{more}</div>\n' if thumbnails else ""


def _figure(number: int, report: Report, thumbnail: Thumbnail) -> str:
    boxes = _boxes(number, report, thumbnail)
    return (
        f"<figure>{_frame(report, thumbnail, boxes)}"
        f"<figcaption>{text(thumbnail.caption)}{_toggle(boxes)}</figcaption></figure>\n"
    )


def _comparison(number: int, report: Report, before: Thumbnail, after: Thumbnail) -> str:
    """Two pictures side by side; the page's script lays one over the other and shows the slider."""
    boxes = _boxes(number, report, before)
    both = f"{before.caption} against {after.caption}"
    # On a narrow picture the captions would cover each other; a long one is shown smaller.
    shown = before.width * min(1.0, LONGEST / max(before.height, before.width, 1))
    kind = "compare" if shown >= _NARROW else "compare narrow"
    return (
        f'<figure class="{kind}"><div class="panes">\n'
        f'<div class="pane before">{_frame(report, before, boxes)}<span class="label">{text(before.caption)}</span>'
        f'</div>\n<div class="pane after">{_frame(report, after, "")}<span class="label">{text(after.caption)}</span>'
        f'</div>\n<input type="range" min="0" max="100" value="50" step="any" autocomplete="off" hidden '
        f'aria-label="{text(both)}: how much of the {text(before.caption)} is shown">\n</div>'
        f"<figcaption>{text(both)}{_toggle(boxes)}</figcaption></figure>\n"
    )


def _frame(report: Report, thumbnail: Thumbnail, boxes: str) -> str:
    return f'<div class="frame">{image(thumbnail, f"{report.file}: {thumbnail.caption}")}{boxes}</div>'


def _toggle(boxes: str) -> str:
    if not boxes:
        return ""
    return ' <label class="toggle"><input type="checkbox" checked autocomplete="off"> mark regions</label>'


def _boxes(number: int, report: Report, thumbnail: Thumbnail) -> str:
    """The regions' boxes to lie over the suspect, in its own pixels."""
    regions = marked(report)
    if thumbnail.caption != SUSPECT or not regions or not thumbnail.width:
        return ""
    height, width = thumbnail.height, thumbnail.width
    size = max(height, width) // 30
    drawn = "".join(_box(region_id(number, which), which, region, size) for which, region in enumerate(regions, 1))
    return (
        f'<svg class="boxes" viewBox="0 0 {width} {height}" preserveAspectRatio="none" font-size="{size}" '
        f'aria-hidden="true">\n{drawn}</svg>'
    )


def _box(identity: str, which: int, region: RegionReport, size: int) -> str:
    box = region.box
    place = f'x="{box.left}" y="{box.top}" width="{box.right - box.left}" height="{box.bottom - box.top}"'
    line = (
        box.top - size // 4 if box.top > size else box.bottom + size
    )  # above the box, or below where it is at the top
    return (
        f'<g id="{identity}"><rect class="halo" {place}/><rect class="box" {place}/>'
        f'<text x="{box.left}" y="{line}">{which}</text></g>\n'
    )


def marked(report: Report) -> tuple[RegionReport, ...]:
    """The regions that get a box."""
    return report.verification.regions[:MARKED] if report.verification else ()
