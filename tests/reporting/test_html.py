from __future__ import annotations

import re

import numpy as np
from reporting_results import verify_result

from imuge_cli.reporting import error_report, verify_report
from imuge_cli.reporting.html import Thumbnail, page, percent


def test_the_page_is_self_contained_and_escapes_names() -> None:
    report = verify_report(verify_result(), file="<script>alert(1)</script>.jpg")
    thumbnail = Thumbnail.of("suspect & more", np.zeros((50, 60, 3), np.uint8))
    text = page([(report, [thumbnail])], title="title")
    assert "<script" not in text
    assert "&lt;script&gt;" in text and "suspect &amp; more" in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "http" not in text
    for words in ("tampered", "Region 2", "row 3, column 4", "published", "lattice", "8.3 %"):
        assert words in text


def test_failed_files_are_on_the_page_too() -> None:
    text = page([(error_report("verify", file="x.png", exit_code=2, error=ValueError("bad file")), [])], title="t")
    assert "bad file" in text and 'class="verdict error"' in text


def test_thumbnails_are_small_and_keep_colours() -> None:
    import cv2

    pixels = np.zeros((1000, 2000, 3), np.uint8)
    pixels[..., 0] = 200
    decoded = cv2.imdecode(np.frombuffer(Thumbnail.of("x", pixels).png, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (200, 400, 3)
    assert decoded[0, 0].tolist() == [0, 0, 200]
    mask = cv2.imdecode(np.frombuffer(Thumbnail.of("m", np.ones((4, 4), bool)).png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert mask is not None and (mask == 255).all()


def test_small_shares_are_not_rounded_to_nothing() -> None:
    assert percent(0.00004) == "0.004 %"
    assert percent(0) == "0.0 %"
    assert percent(0.25) == "25.0 %"
