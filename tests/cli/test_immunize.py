from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fake_engine import MARK, FakeEngine
from running import run

from imuge_cli.image.picture import Picture
from imuge_cli.image.read import read_picture
from imuge_cli.image.write import encode_picture

Maker = Callable[..., Path]


def test_writes_a_bmp_beside_the_input_and_says_so(engines: list[FakeEngine], picture: Maker) -> None:
    ran = run("immunize", picture())
    assert ran.code == 0
    assert "photo.png -> photo.immunized.bmp" in ran.out and "PSNR 41.50 dB" in ran.out
    written = read_picture(Path("photo.immunized.bmp"))
    assert written.source_format == "bmp"
    assert written.pixels[0, 0].tolist() == list(MARK)
    assert np.array_equal(written.pixels[1:], read_picture(Path("photo.png")).pixels[1:])


def test_settings_reach_the_engine_from_options_and_environment(engines: list[FakeEngine], picture: Maker) -> None:
    run(
        "immunize",
        picture(),
        "--strength",
        "strong",
        "--key-file",
        "k.key",
        "--weights",
        "w",
        env={"IMUGE_DEVICE": "cpu"},
    )
    settings = engines[0].settings
    assert (settings.strength, settings.device, settings.model) == ("strong", "cpu", "lattice")
    assert (settings.key_file, settings.weights) == (Path("k.key"), Path("w"))


def test_an_option_beats_the_environment(engines: list[FakeEngine], picture: Maker) -> None:
    run("immunize", picture(), "--strength", "subtle", env={"IMUGE_STRENGTH": "strong"})
    assert engines[0].settings.strength == "subtle"


def test_json_is_one_object_per_file_and_nothing_else_on_stdout(engines: list[FakeEngine], picture: Maker) -> None:
    ran = run("immunize", picture("a.png"), picture("b.png"), "--json")
    first, second = ran.objects
    assert first["schema"] == "imuge.report/1"
    assert [first["file"], second["file"]] == ["a.png", "b.png"]
    assert first["immunization"]["psnr"] == 41.5
    assert first["outputs"] == {"picture": "a.immunized.bmp"}
    assert "chosen automatically" in first["device"]["why"]


def test_nothing_is_overwritten_without_force_and_no_work_is_done(engines: list[FakeEngine], picture: Maker) -> None:
    Path("b.immunized.bmp").write_bytes(b"precious")
    ran = run("immunize", picture("a.png"), picture("b.png"))
    assert ran.code == 2
    assert "b.immunized.bmp" in ran.err and "--force" in ran.err
    assert Path("b.immunized.bmp").read_bytes() == b"precious"
    assert not Path("a.immunized.bmp").exists()
    assert engines == []
    assert run("immunize", "a.png", "b.png", "--force").code == 0
    assert Path("b.immunized.bmp").read_bytes() != b"precious"


def test_skip_existing_does_the_others_only(engines: list[FakeEngine], picture: Maker) -> None:
    Path("b.immunized.bmp").write_bytes(b"precious")
    ran = run("immunize", picture("a.png"), picture("b.png"), "--skip-existing")
    assert ran.code == 0
    assert "b.png: skipped" in ran.err
    assert Path("b.immunized.bmp").read_bytes() == b"precious"
    assert Path("a.immunized.bmp").exists()


def test_colliding_outputs_are_found_before_any_work(engines: list[FakeEngine], picture: Maker) -> None:
    ran = run("immunize", picture("a.png"), picture("a.bmp"))
    assert ran.code == 2
    assert "a.png" in ran.err and "a.bmp" in ran.err
    assert engines == []
    assert not Path("a.immunized.bmp").exists()


def test_one_bad_file_neither_stops_nor_hides(engines: list[FakeEngine], picture: Maker) -> None:
    Path("bad.png").write_bytes(b"this is no picture")
    ran = run("immunize", picture("a.png"), "bad.png", "missing.png", picture("z.png"), "--json")
    assert ran.code == 2
    assert Path("a.immunized.bmp").exists() and Path("z.immunized.bmp").exists()
    assert [entry["file"] for entry in ran.objects] == ["a.png", "bad.png", "missing.png", "z.png"]
    assert [entry["error"] and entry["error"]["type"] for entry in ran.objects] == [
        None,
        "InputError",
        "InputError",
        None,
    ]
    errors = [line for line in ran.err.splitlines() if "error" in line]
    assert len(errors) == 2 and "bad.png" in errors[0] and "missing.png" in errors[1]


def test_a_folders_tree_is_kept_below_the_output_folder(engines: list[FakeEngine], picture: Maker) -> None:
    picture("in/a.png")
    picture("in/deep/a.png")
    picture("in/deep/a.immunized.bmp")
    assert run("immunize", "in", "-r", "-o", "out", "--format", "png").code == 0
    written = sorted(str(path) for path in Path("out").rglob("*.*"))
    assert written == ["out/a.immunized.png", "out/deep/a.immunized.png"]


def test_without_r_subfolders_are_left_alone(engines: list[FakeEngine], picture: Maker) -> None:
    picture("in/a.png")
    picture("in/deep/b.png")
    assert run("immunize", "in").code == 0
    assert Path("in/a.immunized.bmp").exists() and not Path("in/deep/b.immunized.bmp").exists()


def test_an_empty_folder_is_an_error(engines: list[FakeEngine]) -> None:
    ran = run("immunize", ".")
    assert ran.code == 2
    assert "folder" in ran.err


def test_the_output_files_name_decides_the_format(engines: list[FakeEngine], picture: Maker) -> None:
    assert run("immunize", picture(), "-o", "sub/out.png").code == 0
    assert read_picture(Path("sub/out.png")).source_format == "png"
    ran = run("immunize", "photo.png", "-o", "out.png", "--format", "bmp")
    assert ran.code == 2 and "agree" in ran.err
    assert run("immunize", "photo.png", "-o", "plain", "--format", "png").code == 0
    assert read_picture(Path("plain")).source_format == "png"
    ran = run("immunize", "photo.png", "-o", "out.xyz")
    assert ran.code == 2 and "out.xyz" in ran.err


def test_stdin_to_stdout_carries_the_picture_alone(engines: list[FakeEngine], picture: Maker) -> None:
    ran = run("immunize", "-", "--format", "png", stdin=picture().read_bytes())
    assert ran.code == 0
    assert read_picture(BytesIO(ran.raw)).pixels[0, 0].tolist() == list(MARK)
    assert "PSNR" in ran.err


def test_empty_stdin_and_json_with_a_picture_on_stdout_are_errors(engines: list[FakeEngine], picture: Maker) -> None:
    assert run("immunize", "-", stdin=b"").code == 2
    ran = run("immunize", picture(), "-o", "-", "--json")
    assert ran.code == 2 and "--json" in ran.err and ran.out == ""


def test_what_bmp_cannot_hold_is_said_once_for_a_batch(engines: list[FakeEngine]) -> None:
    for name in ("a.png", "b.png"):
        grey = np.full((32, 32, 3), 90, np.uint8)
        content = encode_picture(Picture(pixels=grey, alpha=np.full((32, 32), 5, np.uint8)), "png").data
        Path(name).write_bytes(content)
    ran = run("immunize", "a.png", "b.png", "--json")
    assert ran.code == 0
    assert ran.err.count("transparency") == 1 and "--format png" in ran.err
    assert all("transparency" in entry["warnings"][0] for entry in ran.objects)


def test_quiet_leaves_stderr_empty(engines: list[FakeEngine], picture: Maker) -> None:
    ran = run("immunize", picture(), "--quiet")
    assert ran.err == "" and "photo.immunized.bmp" in ran.out


def test_jpeg_is_verified_after_writing(engines: list[FakeEngine], suspect: Maker) -> None:
    ran = run("immunize", suspect(), "--format", "jpeg")
    assert ran.code == 0
    assert "verified" in ran.err and "--format png" in ran.err
    assert [call for call, _ in engines[0].calls] == ["immunize", "verify"]


def test_jpeg_that_does_not_verify_is_an_error(
    engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch, picture: Maker
) -> None:
    found = FakeEngine.verify
    monkeypatch.setattr(FakeEngine, "verify", lambda self, p: found(self, p.with_pixels(p.pixels * 0 + 200)))
    ran = run("immunize", picture(), "--format", "jpeg")
    assert ran.code == 2 and "not-found" in ran.err


def test_jobs_keep_the_order(engines: list[FakeEngine], picture: Maker) -> None:
    names = [picture(f"{number}.png", number) for number in range(6)]
    ran = run("immunize", *names, "--jobs", "3", "--json")
    assert [entry["file"] for entry in ran.objects] == [str(name) for name in names]
