from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from fake_engine import GREY, FakeEngine
from numpy.typing import NDArray
from running import run

from imuge_cli.image.read import read_mask, read_picture
from imuge_cli.image.write import write_mask

Maker = Callable[..., Path]
BOX = (slice(20, 30), slice(10, 34))


def test_writes_the_recovered_picture_and_says_what_was_restored(engines: list[FakeEngine], suspect: Maker) -> None:
    ran = run("recover", suspect("t.png", BOX), "--mask-out")
    assert ran.code == 0
    assert "restored 10.0 % of the pixels -> t.recovered.bmp" in ran.out
    recovered = read_picture(Path("t.recovered.bmp")).pixels
    assert (recovered[BOX] == GREY).all()
    assert read_mask(Path("t.mask.png")).sum() == 240


def test_an_intact_picture_is_written_unchanged(engines: list[FakeEngine], suspect: Maker) -> None:
    path = suspect("i.png")
    ran = run("recover", path)
    assert ran.code == 0 and "unchanged" in ran.out
    assert np.array_equal(read_picture(Path("i.recovered.bmp")).pixels, read_picture(path).pixels)


def test_not_immunized_is_two_and_nothing_is_written(engines: list[FakeEngine], picture: Maker) -> None:
    ran = run("recover", picture("n.png"))
    assert ran.code == 2
    assert "n.png: no immunization" in ran.err
    assert not Path("n.recovered.bmp").exists()


def test_too_much_lost_is_two_and_the_batch_goes_on(engines: list[FakeEngine], suspect: Maker) -> None:
    write_mask(np.ones((40, 60), bool), Path("all.png"))
    ran = run("recover", suspect("t.png", BOX), "--mask", "all.png")
    assert ran.code == 2 and "too much is lost" in ran.err
    assert not Path("t.recovered.bmp").exists()


def a_persons_mask(path: str) -> NDArray[np.bool_]:
    mask = np.zeros((40, 60), bool)
    mask[35:38, 50:55] = True
    write_mask(mask, Path(path))
    return mask


def test_a_persons_mask_is_used_instead(engines: list[FakeEngine], suspect: Maker) -> None:
    mask = a_persons_mask("mine.png")
    ran = run("recover", suspect("t.png", BOX), "--mask", "mine.png", "--restore-canvas", "--json")
    assert ran.code == 0
    recovered = read_picture(Path("t.recovered.bmp")).pixels
    assert (recovered[mask] == GREY).all() and (recovered[BOX] == 255).all()
    given, restore_canvas = next(call for name, call in engines[0].calls if name == "recover")
    assert np.array_equal(given, mask) and restore_canvas is True
    assert ran.objects[0]["recovery"]["restored_share"] == 15 / 2400


def test_what_was_replaced_is_written_and_no_suspect_itself(engines: list[FakeEngine], suspect: Maker) -> None:
    mask = a_persons_mask("mine.png")
    ran = run("recover", suspect("t.png", BOX), "--mask", "mine.png", "--replaced-out", "--json")
    assert ran.code == 0
    np.testing.assert_array_equal(read_mask(Path("t.replaced.png")), mask)
    assert ran.objects[0]["outputs"]["replaced"] == "t.replaced.png"
    Path("mine.png").unlink()
    again = run("recover", ".", "--replaced-out", "--force", "--json")
    assert [report["file"] for report in again.objects] == ["t.png"]


def test_a_mask_of_another_size_or_for_several_files_is_refused(engines: list[FakeEngine], suspect: Maker) -> None:
    write_mask(np.ones((10, 10), bool), Path("small.png"))
    ran = run("recover", suspect("t.png", BOX), "--mask", "small.png")
    assert ran.code == 2 and "10 x 10" in ran.err
    ran = run("recover", "t.png", suspect("u.png", BOX), "--mask", "small.png")
    assert ran.code == 2 and "--mask" in ran.err


def test_the_mask_goes_to_the_output_files_folder(engines: list[FakeEngine], suspect: Maker) -> None:
    assert run("recover", suspect("t.png", BOX), "-o", "out/fixed.png", "--mask-out", "--replaced-out").code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["fixed.png", "t.mask.png", "t.replaced.png"]


def test_the_input_is_never_replaced(engines: list[FakeEngine], suspect: Maker) -> None:
    path = suspect("t.png", BOX)
    before = path.read_bytes()
    assert run("recover", path, "-o", "t.png", "--force").code == 2
    assert path.read_bytes() == before


def test_reference_measures_the_recovered_picture(engines: list[FakeEngine], suspect: Maker) -> None:
    original = suspect("o.png")
    (report,) = run("recover", suspect("t.png", BOX), "--reference", original, "--json").objects
    rows = read_picture(original).pixels[BOX].astype(float) - GREY
    expected = 10 * np.log10(255**2 / np.mean(rows**2))
    assert abs(report["reference"]["local_psnr"] - expected) < 1e-6


def test_stdin_to_stdout(engines: list[FakeEngine], suspect: Maker) -> None:
    ran = run("recover", "-", stdin=suspect("t.png", BOX).read_bytes())
    assert ran.code == 0
    assert (read_picture(BytesIO(ran.raw)).pixels[BOX] == GREY).all()
    assert "restored" in ran.err
