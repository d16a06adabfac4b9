from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from running import run

from imuge_cli.cli.batch import worst
from imuge_cli.image.picture import Picture
from imuge_cli.image.read import read_mask, read_picture
from imuge_cli.image.write import write_picture

Maker = Callable[..., Path]
BOX = (slice(20, 30), slice(10, 34))


def fault(name: str) -> Path:
    """A picture over which the fake engine stumbles."""
    write_picture(Picture(pixels=np.full((32, 32, 3), 13, np.uint8)), Path(name))
    return Path(name)


def test_exit_codes(engines: list[FakeEngine], suspect: Maker, picture: Maker) -> None:
    intact, tampered, foreign = suspect("i.png"), suspect("t.png", BOX), picture("n.png")
    assert run("verify", intact).code == 0
    assert run("verify", tampered).code == 1
    assert run("verify", foreign).code == 3
    assert run("verify", "missing.png").code == 2
    assert run("verify", fault("f.png")).code == 2


def test_a_batch_returns_the_worst(engines: list[FakeEngine], suspect: Maker, picture: Maker) -> None:
    intact, tampered, foreign = suspect("i.png"), suspect("t.png", BOX), picture("n.png")
    assert run("verify", intact, foreign).code == 3
    assert run("verify", intact, foreign, tampered).code == 1
    assert run("verify", intact, foreign, tampered, "missing.png").code == 2


def test_the_order_of_severity() -> None:
    assert worst([]) == 0
    assert worst([0, 3]) == 3 and worst([3, 1]) == 1 and worst([1, 2, 3]) == 2


def test_exit_zero_covers_verdicts_but_not_errors(engines: list[FakeEngine], suspect: Maker, picture: Maker) -> None:
    assert run("verify", suspect("t.png", BOX), picture("n.png"), "--exit-zero").code == 0
    assert run("verify", "missing.png", "--exit-zero").code == 2


def test_text_names_verdict_share_and_regions(engines: list[FakeEngine], suspect: Maker) -> None:
    ran = run("verify", suspect("t.png", BOX))
    assert "t.png: tampered, 10.0 % of the pixels in 1 region" in ran.out
    assert "rows 20-29, columns 10-33: 240 pixels" in ran.out
    assert "published" in ran.err and "running on cpu" in ran.err


def test_json_holds_the_whole_report(engines: list[FakeEngine], suspect: Maker) -> None:
    (report,) = run("verify", suspect("t.png", BOX), "--json").objects
    assert report["exit_code"] == 1
    assert report["verification"]["verdict"] == "tampered"
    assert report["verification"]["regions"][0]["box"] == {"top": 20, "left": 10, "bottom": 30, "right": 34}
    assert report["key"]["kind"] == "published"


def test_masks_and_heatmaps_go_beside_the_suspect_or_into_the_folder(engines: list[FakeEngine], suspect: Maker) -> None:
    path = suspect("sub/t.png", BOX)
    assert run("verify", path, "--mask-out", "--heatmap-out").code == 1
    mask = read_mask(Path("sub/t.mask.png"))
    assert mask.sum() == 240 and mask[BOX].all()
    assert read_picture(Path("sub/t.heatmap.png")).pixels.shape == (40, 60, 3)
    assert run("verify", path, "--mask-out", "-o", "out").code == 1
    assert Path("out/t.mask.png").exists()


def test_an_existing_mask_is_not_overwritten(engines: list[FakeEngine], suspect: Maker) -> None:
    Path("t.mask.png").write_bytes(b"precious")
    path = suspect("t.png", BOX)
    assert run("verify", path, "--mask-out").code == 2
    assert engines == []
    assert Path("t.mask.png").read_bytes() == b"precious"
    assert run("verify", path, "--mask-out", "--force").code == 1


def test_skip_existing_writes_what_is_missing_and_leaves_what_is_there(
    engines: list[FakeEngine], suspect: Maker
) -> None:
    path = suspect("t.png", BOX)
    Path("t.mask.png").write_bytes(b"precious")
    assert run("verify", path, "--mask-out", "--heatmap-out", "--skip-existing").code == 1
    assert Path("t.mask.png").read_bytes() == b"precious" and Path("t.heatmap.png").exists()
    ran = run("verify", path, "--mask-out", "--heatmap-out", "--skip-existing")
    assert ran.code == 0 and "skipped" in ran.err and ran.out == ""


def test_a_faulty_file_is_one_line_without_a_traceback(engines: list[FakeEngine], suspect: Maker) -> None:
    ran = run("verify", fault("f.png"), suspect("i.png"), "--quiet")
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "imuge: error: f.png: unexpected ZeroDivisionError: a fault of the program (IMUGE_DEBUG=1 shows where)"
    ]
    assert "i.png: intact" in ran.out


@pytest.mark.parametrize(("extra", "env"), [(("--verbose",), None), ((), {"IMUGE_DEBUG": "1"})])
def test_a_traceback_can_be_asked_for(
    engines: list[FakeEngine], extra: tuple[str, ...], env: dict[str, str] | None
) -> None:
    ran = run("verify", fault("f.png"), *extra, env=env)
    assert ran.code == 2 and "Traceback" in ran.err


def test_reference_adds_figures(engines: list[FakeEngine], suspect: Maker) -> None:
    original = suspect("o.png")
    ran = run("verify", suspect("t.png", BOX), "--reference", original, "--json")
    reference = ran.objects[0]["reference"]
    assert reference["file"] == "o.png"
    assert reference["psnr"] == pytest.approx(reference["local_psnr"] + 10, abs=1e-6)
    assert 0 < reference["ssim"] < 1
    text = run("verify", "t.png", "--reference", original).out
    assert "against o.png: PSNR" in text


def test_reference_belongs_to_a_single_suspect(engines: list[FakeEngine], suspect: Maker) -> None:
    ran = run("verify", suspect("a.png"), suspect("b.png"), "--reference", "a.png")
    assert ran.code == 2 and "--reference" in ran.err and engines == []


def test_report_is_one_page_with_every_file(engines: list[FakeEngine], suspect: Maker) -> None:
    ran = run("verify", suspect("t.png", BOX), "missing.png", "--report", "page.html")
    assert ran.code == 2
    page = Path("page.html").read_text()
    assert "t.png" in page and "missing.png" in page and page.count("<figure>") == 3 and page.count("<img ") == 4
    assert run("verify", "t.png", "--report", "page.html").code == 2
    assert run("verify", "t.png", "--report", "t.png", "--force").code == 2
    assert read_picture(Path("t.png")).height == 40


def test_stdin(engines: list[FakeEngine], suspect: Maker) -> None:
    content = suspect("t.png", BOX).read_bytes()
    ran = run("verify", "-", stdin=content)
    assert ran.code == 1 and ran.out.startswith("-: tampered")
    assert run("verify", "-", "--mask-out", stdin=content).code == 2
    assert run("verify", "-", "--mask-out", "-o", "out", stdin=content).code == 1
    assert Path("out/stdin.mask.png").exists()


def test_searching_a_folder_leaves_masks_out(engines: list[FakeEngine], suspect: Maker) -> None:
    suspect("in/t.png", BOX)
    assert run("verify", "in", "--mask-out").code == 1
    ran = run("verify", "in", "--json")
    assert [report["file"] for report in ran.objects] == ["in/t.png"]


def test_names_with_line_breaks_stay_on_one_line(engines: list[FakeEngine]) -> None:
    ran = run("verify", "a\nb.png", "--quiet")
    assert ran.code == 2 and len(ran.err.splitlines()) == 1
