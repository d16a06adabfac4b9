from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from reporting_results import part, picture, verify_result

import imuge_cli.reporting
from imuge_cli.models.protocol import Tone
from imuge_cli.reporting import ReferenceFigures, Report, error_report, immunize_report, recover_report, verify_report
from imuge_cli.reporting.html import Thumbnail, page, percent
from imuge_cli.reporting.schema import Box

VOID = {"meta", "link", "img", "input", "br", "wbr", "rect"}


class Structure(HTMLParser):
    """What a page is made of; complains about tags that are not closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text.replace("<wbr>", ""))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def shown(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def thumbnail(caption: str, height: int = 40, width: int = 60) -> Thumbnail:
    return Thumbnail.of(caption, np.full((height, width, 3), 90, np.uint8))


def recovered(**changes: object) -> Report:
    fields = {"verification": verify_result(), "restored_share": 0.083, "proven": None, "seconds": 2.5}
    figures = ReferenceFigures("o.png", psnr=31.5, ssim=0.9, local_psnr=26.25)
    result = part(picture=picture(), **{**fields, **changes})
    return recover_report(
        result,
        file="in/s.jpg",
        reference=figures,
        outputs={"picture": "out/s.recovered.bmp", "mask": "-"},
        input_sha256="1" * 64,
        output_sha256={"picture": "2" * 64},
    )


def test_the_page_is_self_contained_and_escapes_names() -> None:
    report = verify_report(verify_result(), file="<script>alert(1)</script>.jpg")
    text = page([(report, [thumbnail("suspect & more")])], title="<title> & more")
    seen = Structure(text)
    assert len(seen.all("script")) == 1 and "<script>alert(1)</script>.jpg" in seen.shown
    assert "&lt;script&gt;" in text and "suspect &amp; more" in text and "&lt;title&gt; &amp; more" in text
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    assert "http:" not in text and "https:" not in text and "url(" not in text and "style=" not in text
    for words in ("tampered", "row 3, column 4", "published", "lattice", "8.3 %"):
        assert words in seen.shown


def test_a_policy_allows_this_pages_style_and_script_and_nothing_else() -> None:
    text = page([(recovered(), [])], title="t")
    (policy,) = [meta["content"] for meta in Structure(text).all("meta") if "http-equiv" in meta]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for kind in ("style", "script"):
        (content,) = re.findall(f"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert rules == {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}


def test_the_page_is_well_formed_and_says_what_its_parts_are() -> None:
    pictures = [thumbnail(caption) for caption in ("suspect", "mask", "recovered")]
    failed = error_report("verify", file="x.png", exit_code=2, error=ValueError("bad"))
    seen = Structure(page([(recovered(), pictures), (failed, []), (recovered(), pictures)], title="t"))
    tags = Counter(tag for tag, _ in seen.elements)
    assert tags["main"] == tags["h1"] == tags["header"] == tags["nav"] == 1 and tags["section"] == tags["h2"] == 3
    assert tags["caption"] == tags["table"] == 2 * 5 + 3
    names = [attributes["id"] for _, attributes in seen.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert {link["href"].removeprefix("#") for link in seen.all("a")} <= set(names)
    assert {part["aria-labelledby"] for part in seen.all("section")} <= set(names)
    assert all("scope" in header for header in seen.all("th"))
    figures = [image["alt"] for image in seen.all("img") if image["alt"]]
    assert figures == 2 * ["in/s.jpg: suspect", "in/s.jpg: recovered", "in/s.jpg: mask"]
    assert len(seen.all("img")) == 8  # those in the contact sheet stand beside the name they would repeat


def test_everything_about_a_recovered_file_is_told() -> None:
    seen = Structure(page([(recovered(), [])], title="t")).shown
    for words in (
        "1 file: 1 tampered", "8.3 % of the pixels count as tampered in 2 regions. 8.3 % of the pixels were restored.",
        "lattice", "0.667", "scale 0.7000, upright, z 21.5", "5 to 14 10 to 29 200 0.750", "30 to 30 0 to 99 100 0.500",
        "o.png", "31.50 dB", "0.900", "26.25 dB", "published : made with the key published", "ab" * 32, "cpu (chosen",
        "2.50 s", "UTC", f"in/s.jpg SHA-256 {'1' * 64}", f"out/s.recovered.bmp SHA-256 {'2' * 64}", "Mask written -",
    ):  # fmt: skip
        assert words in seen, words


@pytest.mark.parametrize(
    ("tone", "words"),
    [
        (Tone(0.9, 0.2), "Its levels were changed as a whole (multiplied by 0.90)."),
        (Tone(1.0, -20.4), "Its levels were changed as a whole (20 of 255 taken away)."),
        (Tone(1.15, 8.0), "Its levels were changed as a whole (multiplied by 1.15, 8 of 255 added)."),
        (Tone(1.1, None), "Its levels were changed as a whole (multiplied by 1.10)."),
        (
            Tone(1.04, -12.2, (1.2, 1.0, 0.8)),
            "Its levels were changed as a whole (red multiplied by 1.20, green by 1.00, blue by 0.80, "
            "12 of 255 taken away).",
        ),
        (Tone(1.0, 0.0, colourless=True), "Its colours were taken away (black and white, or one tone for all)."),
        (
            Tone(1.1, 0.0, colourless=True),
            "Its colours were taken away (black and white, or one tone for all). "
            "Its levels were changed as a whole (multiplied by 1.10).",
        ),
    ],
)
def test_levels_that_were_changed_as_a_whole_are_told(tone: Tone, words: str) -> None:
    blank = np.zeros((40, 60), bool)
    for result in (
        verify_result(tone=tone),
        verify_result(verdict="intact", mask=blank, regions=(), tampered_share=0.0, tone=tone),
    ):
        report = verify_report(result, file="s.jpg")
        assert report.verification is not None and report.verification.tone is not None
        told = report.verification.tone
        assert (told.contrast, told.brightness) == (tone.contrast, tone.brightness)
        channels = None if told.channels is None else (told.channels.red, told.channels.green, told.channels.blue)
        assert (channels, told.colourless) == (tone.channels, tone.colourless)
        assert words in Structure(page([(report, [])], title="t")).shown
    assert "Its levels" not in Structure(page([(verify_report(verify_result(), file="s.jpg"), [])], title="t")).shown


def framed(inside: bool) -> Report:
    """A suspect with a frame of 5 pixels around the original, in which something was changed, or nothing was."""
    foreign = np.ones((40, 60), bool)
    foreign[5:35, 5:55] = False
    mask = foreign.copy()
    mask[10:20, 10:34] = inside
    changed = (part(top=10, left=10, bottom=20, right=34, pixels=240, confidence=0.9, foreign=False),)
    around = (part(top=0, left=0, bottom=40, right=60, pixels=900, confidence=1.0, foreign=True),)
    share, regions = float(mask.mean()), (changed if inside else ()) + around
    return verify_report(verify_result(mask=mask, foreign=foreign, regions=regions, tampered_share=share), file="s.jpg")


def test_what_lies_around_the_original_is_told_apart() -> None:
    found = framed(True).verification
    assert found is not None and found.foreign_share == pytest.approx(900 / 2400) and found.tampered_share == 0.475
    assert found.picture == Box(5, 5, 35, 55)
    around = "37.5 % of the pixels lie around the original, which is in rows 5-34, columns 5-54"
    shown = Structure(page([(framed(True), [])], title="t")).shown
    assert f"10.0 % of the pixels count as tampered in 1 region. {around}." in shown
    assert "0 to 39 0 to 59 900, around the original 1.000" in shown
    shown = Structure(page([(framed(False), [])], title="t")).shown
    assert f"{around}; nothing in it was changed." in shown and "count as tampered" not in shown


@pytest.mark.parametrize(
    ("verdict", "changes", "words"),
    [
        ("exact", {}, "Bit for bit what was immunized."),
        ("intact", {}, "not tampered with"),
        ("not-found", {"synchronisation": None}, "never immunized, another key, or damaged"),
        ("not-found", {}, "too little of that is left"),
        ("not-found", {"contradicted": True}, "probably changed"),
    ],
)
def test_verdicts_are_put_in_words(verdict: str, changes: dict[str, object], words: str) -> None:
    report = verify_report(verify_result(verdict, **changes), file="s.jpg")
    seen = Structure(page([(report, [])], title="t"))
    assert words in seen.shown and f"verdict {verdict}" in [span.get("class") for span in seen.all("span")]


def test_an_immunized_file() -> None:
    size = (32, 48)
    fields = {"image_id": 5, "psnr": 41.2, "ssim": 0.99, "working_size": size, "strength": "balanced", "exact": True}
    origin = {"model": "lattice", "key_kind": "secret", "weights_sha256": None, "device": "cpu", "seconds": 1.0}
    made = immunize_report(part(picture=picture(), **fields, **origin), file="a.png", warnings=("alpha is lost",))
    seen = Structure(page([(made, [thumbnail("original"), thumbnail("immunized")])], title="t"))
    assert "strength balanced, with exact layer: PSNR 41.20 dB, SSIM 0.990 against the input" in seen.shown
    assert "alpha is lost" in seen.shown and "only its holders" in seen.shown
    assert len(seen.all("input")) == 1


def test_failed_files_are_on_the_page_too() -> None:
    text = page([(error_report("verify", file="x.png", exit_code=2, error=ValueError("bad file")), [])], title="t")
    assert "bad file" in text and 'class="verdict error"' in text and "ValueError" in text


def test_pairs_of_one_size_can_be_compared_and_others_stand_apart() -> None:
    same = [thumbnail("suspect"), thumbnail("mask"), thumbnail("recovered")]
    seen = Structure(page([(recovered(), same)], title="t"))
    (slider,) = [one for one in seen.all("input") if one["type"] == "range"]
    assert "hidden" in slider and "suspect against recovered" in slider["aria-label"]
    assert len(seen.all("figure")) == 2
    other = [thumbnail("suspect"), thumbnail("recovered", 80, 120)]  # its frame was given back
    seen = Structure(page([(recovered(), other)], title="t"))
    assert [one["type"] for one in seen.all("input")] == ["checkbox"] and len(seen.all("figure")) == 2


def test_boxes_lie_over_the_suspect_in_its_own_pixels() -> None:
    suspect = Thumbnail.of("suspect", np.zeros((1000, 2000, 3), np.uint8))  # made smaller, the boxes are not
    seen = Structure(page([(verify_report(verify_result(), file="s.jpg"), [suspect])], title="t"))
    (drawing,) = seen.all("svg")
    assert drawing["viewbox"] == "0 0 2000 1000"
    boxes = [rect for rect in seen.all("rect") if rect["class"] == "box"]
    assert boxes[0] | {"x": "10", "y": "5", "width": "20", "height": "10"} == boxes[0]
    rows = [row["data-region"] for row in seen.all("tr") if "data-region" in row]
    assert rows == [group["id"] for group in seen.all("g")] == ["region-1-1", "region-1-2"]
    without = Structure(page([(verify_report(verify_result(), file="s.jpg"), [thumbnail("mask")])], title="t"))
    assert without.all("svg") == []


def test_many_regions_are_all_listed_and_the_largest_marked() -> None:
    regions = tuple(
        part(top=n, left=0, bottom=n + 1, right=1, pixels=1, confidence=0.5, foreign=False) for n in range(150)
    )
    report = verify_report(verify_result(regions=regions), file="s.jpg")
    seen = Structure(page([(report, [thumbnail("suspect")])], title="t"))
    assert len([row for row in seen.all("tr") if "data-region" in row]) == 150
    assert len(seen.all("g")) == len(seen.all("a")) == 100
    assert "tabindex" in next(part for part in seen.all("div") if part.get("role") == "region")


def test_several_files_get_a_contact_sheet_and_a_summary() -> None:
    verdicts = ["intact", "tampered", "intact", "exact"]
    entries = [(verify_report(verify_result(one), file=f"{one}.png"), [thumbnail("suspect")]) for one in verdicts]
    seen = Structure(page(entries, title="t"))
    assert "4 files: 1 tampered, 2 intact, 1 exact" in seen.shown
    assert [link["href"] for link in seen.all("a") if "file" in link["href"]] == [f"#file-{n}" for n in range(1, 5)]
    assert Structure(page(entries[:1], title="t")).all("nav") == []
    failed = [error_report("verify", file=name, exit_code=2, error=ValueError("bad")) for name in ("in/a&b.png", ".")]
    cells = page([(report, []) for report in failed], title="t").split("</nav>")[0]
    assert 'title="in/a&amp;b.png"' in cells and ">a&amp;b.png</bdi>" in cells and ">.</bdi>" in cells
    assert "0 files" in Structure(page([], title="t")).shown


@pytest.mark.parametrize("name", ["a\nb\x00c\x85.png", "a\udcff\ud800.png", "gnp.\u202etext", '"><img src=x>', "ä€𝄞"])
def test_names_of_any_kind(name: str) -> None:
    failed = error_report("verify", file=name, exit_code=2, error=ValueError(f"{name}: bad"))
    text = page([(failed, [])] * 2, title=name)
    assert text.encode("utf-8").decode() == text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    seen = Structure(text)
    assert seen.all("img") == [] and len(seen.all("bdi")) == 6


def test_small_shares_are_not_rounded_to_nothing() -> None:
    assert percent(0.00004) == "0.004 %"
    assert percent(0) == "0.0 %"
    assert percent(0.25) == "25.0 %"


PAIRS = [("text", "page"), ("text", "panel"), ("soft", "page"), ("soft", "panel"), ("link", "page"), ("link", "panel")]
PAIRS += [("warn", "page")] + [("badge", verdict) for verdict in ("good", "bad", "unknown", "broken", "made")]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), PAIRS)
def test_colours_can_be_read(scheme: int, front: str, back: str) -> None:
    """WCAG 2 AA: a contrast of at least 4.5 for text."""
    css = Path(imuge_cli.reporting.__file__).with_name("page.css").read_text()
    colours = dict(re.findall(r"--(\w+): #(\w{6});", css.split(":root {")[1 + scheme].split("}")[0]))
    bright, dark = sorted((_luminance(colours[front]), _luminance(colours[back])), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    levels = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
