from __future__ import annotations

import json
import math
from datetime import datetime, timezone

import numpy as np
import pytest
from reporting_results import origin, part, picture, verify_result

from imuge_cli import __version__
from imuge_cli.exact.answer import Tiles
from imuge_cli.reporting import (
    ReferenceFigures,
    compare,
    confidence_of,
    error_report,
    immunize_report,
    recover_report,
    to_json,
    to_line,
    verify_report,
)
from imuge_cli.reporting.build import device_report
from imuge_cli.reporting.html import page, tiles_text
from imuge_cli.reporting.schema import plain


def test_verify_report_says_everything_the_contract_asks_for() -> None:
    body = json.loads(to_line(verify_report(verify_result(), file="s.jpg", outputs={"mask": "s.mask.png"})))
    assert body["schema"] == "imuge.report/1"
    assert (body["command"], body["version"], body["file"], body["exit_code"]) == (
        "verify",
        __version__,
        "s.jpg",
        1,
    )
    found = body["verification"]
    assert (found["verdict"], found["layer"], found["image_id"]) == ("tampered", "lattice", 77)
    assert found["tampered_share"] == pytest.approx(200 / 2400)
    assert found["regions"][0] == {
        "box": {"top": 5, "left": 10, "bottom": 15, "right": 30},
        "pixels": 200,
        "confidence": 0.75,
        "foreign": False,
    }
    assert found["foreign_share"] == 0 and found["picture"] is None and found["tone"] is None
    assert found["synchronisation"] == {
        "offset_rows": 3,
        "offset_cols": 4,
        "scale": 0.7,
        "z_score": 21.5,
        "original": {"height": 80, "width": 90},
        "header_read": True,
        "orientation": "upright",
        "turned_degrees": 0.0,
    }
    assert body["key"]["kind"] == "published" and "everybody" in body["key"]["meaning"]
    assert body["model"] == {"name": "lattice", "weights_sha256": "ab" * 32}
    assert body["device"]["used"] == "cpu" and "no usable CUDA" in body["device"]["why"]
    assert body["seconds"] == 1.25
    assert body["size"] == {"height": 40, "width": 60}
    assert body["outputs"] == {"mask": "s.mask.png"}
    assert body["error"] is None


def test_a_secret_key_is_explained_otherwise() -> None:
    report = verify_report(verify_result(key_kind="secret"), file="s.jpg")
    assert report.key is not None
    assert "holders" in report.key.meaning


def test_confidence_is_weighted_by_area_and_missing_without_a_verdict() -> None:
    assert confidence_of(verify_result()) == pytest.approx((200 * 0.75 + 100 * 0.5) / 300)
    quiet = np.full((40, 60), 0.25, np.float32)
    assert confidence_of(verify_result("intact", probability=quiet)) == pytest.approx(0.75)
    assert confidence_of(verify_result("not-found", synchronisation=None)) is None


def test_not_found_has_no_synchronisation_and_exit_code_three() -> None:
    result = verify_result("not-found", synchronisation=None, image_id=None)
    body = to_json(verify_report(result, file="s.jpg"))
    assert body["exit_code"] == 3
    verification = body["verification"]
    assert isinstance(verification, dict)
    assert verification["synchronisation"] is None and verification["image_id"] is None


def test_infinite_and_undefined_figures_become_null() -> None:
    result = part(
        exact=True,
        picture=picture(),
        image_id=5,
        psnr=math.inf,
        ssim=math.nan,
        working_size=(np.int32(32), 48),
        strength="balanced",
        **origin(),
    )
    body = json.loads(to_line(immunize_report(result, file="a.png")))
    assert body["immunization"] == {
        "image_id": 5,
        "strength": "balanced",
        "psnr": None,
        "ssim": None,
        "working_size": {"height": 32, "width": 48},
        "exact": True,
    }


def test_recover_report_holds_the_verification_and_its_own_time() -> None:
    result = part(
        picture=picture(80, 90),
        verification=verify_result(),
        restored_share=0.083,
        proven=None,
        seconds=2.5,
        reframed=False,
    )
    figures = ReferenceFigures("o.png", psnr=math.inf, ssim=1.0, local_psnr=None, identical=True)
    body = json.loads(to_line(recover_report(result, file="s.jpg", reference=figures)))
    assert body["exit_code"] == 0
    assert body["seconds"] == 2.5
    assert body["size"] == {"height": 80, "width": 90}
    assert body["recovery"] == {"restored_share": 0.083, "changed": True, "proven_share": 0.0}
    assert body["verification"]["verdict"] == "tampered"
    assert body["reference"]["psnr"] is None and body["reference"]["identical"] is True


@pytest.mark.parametrize(("size", "reframed"), [((40, 60), False), ((80, 90), True), ((40, 60), True)])
def test_an_intact_file_is_changed_only_where_its_frame_was_given_back(size: tuple[int, int], reframed: bool) -> None:
    """Also where that has the file's own size: it was mirrored, say."""
    result = part(
        picture=picture(*size),
        verification=verify_result("intact"),
        restored_share=0.0,
        proven=None,
        seconds=1.0,
        reframed=reframed,
    )
    report = recover_report(result, file="s.jpg")
    assert report.recovery is not None and report.recovery.changed is reframed


def test_error_report_names_the_class_and_the_message() -> None:
    body = to_json(error_report("verify", file="x", exit_code=2, error=ValueError("bad")))
    assert body["error"] == {"type": "ValueError", "message": "bad"}
    assert body["verification"] is None


def test_lines_are_single_and_ascii_whatever_a_file_is_called() -> None:
    line = to_line(error_report("verify", file="a\nb\udcff.png", exit_code=2, error=ValueError("ü")))
    assert line.isascii() and "\n" not in line
    assert json.loads(line)["file"] == "a\nb\udcff.png"


def test_files_are_named_by_their_fingerprints_and_the_moment_is_told() -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    written = {"mask": "2" * 64}
    body = to_json(verify_report(verify_result(), file="s.jpg", input_sha256="1" * 64, output_sha256=written))
    assert (body["input_sha256"], body["output_sha256"]) == ("1" * 64, written)
    told = datetime.strptime(str(body["finished"]), "%Y-%m-%dT%H:%M:%S%z")
    assert before <= told <= datetime.now(timezone.utc)
    failed = to_json(error_report("verify", file="x", exit_code=2, error=ValueError("bad"), input_sha256="3" * 64))
    assert failed["input_sha256"] == "3" * 64 and failed["finished"] is not None


def test_a_mean_confidence_never_exceeds_one() -> None:
    regions = tuple(part(pixels=pixels, confidence=1.0 + 1e-16 * pixels) for pixels in (3, 7, 11))
    assert confidence_of(verify_result(regions=regions)) == 1.0
    assert confidence_of(verify_result(regions=(part(pixels=3, confidence=math.nan, foreign=False),))) is None


def test_arrays_have_no_place_in_a_report() -> None:
    with pytest.raises(TypeError, match="no place"):
        plain({"mask": np.zeros((3, 3))})
    assert plain([np.float32(0.5), np.bool_(True), np.int64(3), float("-inf")]) == [0.5, True, 3, None]


@pytest.mark.parametrize(
    ("used", "requested", "words"),
    [("cpu", "auto", "no usable CUDA"), ("cuda:0", "auto", "a usable CUDA"), ("cpu", "cpu", "asked for")],
)
def test_device_report_gives_the_reason(used: str, requested: str, words: str) -> None:
    assert words in device_report(used, requested).why


def test_compare_measures_inside_the_mask_only() -> None:
    rng = np.random.default_rng(0)
    original = rng.integers(0, 200, (64, 64, 3), dtype=np.uint8)
    other = original.copy()
    mask = np.zeros((64, 64), bool)
    mask[:16, :16] = True
    other[mask] += 10
    figures = compare(original, other, mask, file="o.png")
    assert figures.local_psnr == pytest.approx(20 * math.log10(255 / 10))
    assert figures.psnr == pytest.approx(20 * math.log10(255 / 10) + 10 * math.log10(16))
    assert figures.ssim is not None and 0 < figures.ssim < 1
    assert not figures.identical


def test_compare_of_identical_pictures_and_of_different_sizes() -> None:
    original = np.full((32, 32, 3), 7, np.uint8)
    same = compare(original, original.copy(), np.zeros((32, 32), bool), file="o.png")
    assert same.identical and same.local_psnr is None
    other = compare(original, np.zeros((32, 48, 3), np.uint8), None, file="o.png")
    assert other.psnr is None
    assert other.note is not None and "32 x 32" in other.note and "48 x 32" in other.note


def test_what_became_of_the_exact_layers_tiles_is_told() -> None:
    tiles = Tiles(total=256, intact=240, proven=9, fine=0, coarse=4, lost=3, quality_fine=41.5, quality_coarse=36.25)
    proven = np.zeros((40, 60), bool)
    proven[:10] = True
    result = part(
        picture=picture(), verification=verify_result(tiles=tiles, layer="exact"), restored_share=0.3, proven=proven,
        seconds=1.0,
    )  # fmt: skip
    report = recover_report(result, file="a.png")
    body = to_json(report)
    assert body["recovery"]["proven_share"] == 0.25  # type: ignore[index,call-overload]
    assert body["verification"]["tiles"] == {  # type: ignore[index,call-overload]
        "total": 256, "intact": 240, "proven": 9, "fine": 0, "coarse": 4, "lost": 3,
        "quality_fine": 41.5, "quality_coarse": 36.25,
    }  # fmt: skip
    assert tiles_text(report.verification.tiles) == (  # type: ignore[union-attr,arg-type]
        "240 of 256 bit for bit as published, 9 restored bit for bit, proven by their seals, 4 restorable to about "
        "36.25 dB, 3 only from the lattice"
    )
    assert "9 restored bit for bit" in page([(report, ())], title="t")
