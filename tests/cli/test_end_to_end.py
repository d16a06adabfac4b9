"""The command line over the real engine and the bundled weights: files in, files out.

The way a person goes runs once through the installed program; the rest runs inside this process.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photographs import photograph
from PIL import Image
from running import run

import imuge_cli
from imuge_cli.image.read import read_mask, read_picture
from imuge_cli.mask.cleanup import enlarged
from imuge_cli.metrics.fidelity import local_psnr, psnr
from imuge_cli.metrics.localization import iou

pytestmark = pytest.mark.slow
PROGRAM = Path(sys.executable).with_name("imuge.exe" if os.name == "nt" else "imuge")
# Name, photograph, width, height: odd sizes, upright and wide, every format people send.
INPUTS = (
    ("photo.png", "coffee", 131, 257),
    ("photo.jpg", "astronaut", 333, 201),
    ("photo.webp", "chelsea", 257, 131),
    ("photo.tiff", "coffee", 201, 333),
    ("photo.bmp", "astronaut", 299, 187),
)


@dataclass(frozen=True)
class Way:
    """What one picture became, in a folder of its own."""

    folder: Path
    source: Path
    immunized: Path
    suspect: Path
    truth: Path


def write_photograph(path: Path, name: str, width: int, height: int) -> Path:
    """A crop of a real photograph, compressed where the format compresses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lossy = {"quality": 92} if path.suffix in (".jpg", ".webp") else {}
    Image.fromarray(photograph(name, 20, 60, height, width)).save(path, **lossy)
    return path


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def program(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The installed program, from a shell's point of view: no checkout on its path, the working directory empty."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(PROGRAM), *(str(argument) for argument in arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert "Traceback" not in finished.stderr
    return finished


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Way]:
    """Every input immunized, spliced and compressed with JPEG 70, once for all tests, which only read them."""
    made = {}
    for name, photo, width, height in INPUTS:
        folder = tmp_path_factory.mktemp("way")
        source = write_photograph(folder / name, photo, width, height)
        assert run("immunize", source, "--quiet").code == 0
        way = Way(folder, source, folder / "photo.immunized.bmp", folder / "bad.jpg", folder / "bad.truth.png")
        attack = ("--tamper", "splice", "--share", 0.2, "--jpeg", 70, "--seed", 2)
        assert run("attack", way.immunized, way.suspect, *attack).code == 0
        made[name] = way
    return made


def copy_of(way: Way, path: Path) -> Path:
    """A file of a way in the test's own folder, where commands may write beside it."""
    return Path(shutil.copy(path, Path.cwd() / path.name))


def test_the_program_is_installed() -> None:
    assert PROGRAM.is_file(), f"{PROGRAM}: not there; install the checkout first: pip install -e ."
    assert program("--version").stdout == f"imuge {imuge_cli.__version__}\n"


def test_the_whole_way_from_a_shell() -> None:
    write_photograph(Path("photo.png"), "astronaut", 333, 257)
    assert program("keygen", "owner.key").returncode == 0
    key = ("--key-file", "owner.key")
    made = program("immunize", "photo.png", *key)
    assert made.returncode == 0, made.stderr
    attack = ("--tamper", "splice", "--share", "0.2", "--jpeg", "70", "--seed", "2")
    attacked = program("attack", "photo.immunized.bmp", "bad.jpg", *attack)
    assert attacked.returncode == 0, attacked.stderr
    before = hashes(Path())
    found = program("verify", "bad.jpg", *key)
    assert (found.returncode, found.stdout.startswith("bad.jpg: tampered")) == (1, True), found.stderr
    recovered = program("recover", "bad.jpg", "--mask-out", *key)
    assert recovered.returncode == 0, recovered.stderr
    after = hashes(Path())
    assert before.items() <= after.items()
    assert sorted(after.keys() - before.keys()) == ["bad.mask.png", "bad.recovered.bmp"]
    again = program("recover", "bad.jpg", "--mask-out", *key)
    assert again.returncode == 2 and "--force" in again.stderr
    assert hashes(Path()) == after


@pytest.mark.parametrize("name", [name for name, *_ in INPUTS])
def test_every_format_and_odd_size(ways: dict[str, Way], name: str) -> None:
    way = ways[name]
    original, immunized = read_picture(way.source), read_picture(way.immunized)
    assert immunized.pixels.shape == original.pixels.shape
    intact, suspect = copy_of(way, way.immunized), copy_of(way, way.suspect)
    before = hashes(Path())
    assert run("verify", intact).code == 0
    ran = run("recover", suspect, "--mask-out", "--replaced-out", "--reference", way.source, "--json")
    assert ran.code == 0, ran.err
    assert {path: digest for path, digest in hashes(Path()).items() if path in before} == before
    (report,) = ran.objects
    truth, mask = read_mask(way.truth), read_mask(Path("bad.mask.png"))
    recovered = read_picture(Path("bad.recovered.bmp"))
    assert report["verification"]["verdict"] == "tampered" and len(report["verification"]["regions"]) >= 1
    assert report["verification"]["tampered_share"] == pytest.approx(mask.mean())
    assert iou(mask, truth) > 0.5
    assert recovered.pixels.shape == original.pixels.shape
    replaced = read_mask(Path("bad.replaced.png"))
    assert not (enlarged(mask, 3) & ~replaced).any()
    assert report["recovery"]["restored_share"] == pytest.approx(replaced.mean())
    untouched = ~replaced
    assert np.array_equal(recovered.pixels[untouched], read_picture(suspect).pixels[untouched])
    lost = local_psnr(original.pixels, read_picture(suspect).pixels, truth & mask)
    assert local_psnr(original.pixels, recovered.pixels, truth & mask) > lost + 3
    assert report["reference"]["local_psnr"] == pytest.approx(local_psnr(original.pixels, recovered.pixels, mask))
    assert report["reference"]["psnr"] > 15 and 0 < report["reference"]["ssim"] < 1
    written = {"picture": ".recovered.bmp", "mask": ".mask.png", "replaced": ".replaced.png"}
    assert report["outputs"] == {kind: str(suspect.with_suffix(suffix)) for kind, suffix in written.items()}


def test_verify_tells_all_exit_codes_apart(ways: dict[str, Way]) -> None:
    way = ways["photo.png"]
    intact, tampered, foreign = way.immunized, way.suspect, way.source
    ran = run("verify", intact, foreign, tampered, "missing.png", "--json")
    assert ran.code == 2
    codes = {report["file"]: report["exit_code"] for report in ran.objects}
    assert codes == {str(intact): 0, str(tampered): 1, str(foreign): 3, "missing.png": 2}
    verdicts = [report["verification"]["verdict"] for report in ran.objects if report["verification"]]
    assert sorted(verdicts) == ["exact", "not-found", "tampered"]
    assert run("verify", tampered).code == 1 and run("verify", foreign).code == 3
    assert run("verify", intact, foreign, "--quiet").code == 3


def test_an_immunized_jpeg_of_high_quality_is_intact(ways: dict[str, Way]) -> None:
    way = ways["photo.jpg"]
    assert run("attack", way.immunized, "again.jpg", "--jpeg", 90).code == 0
    assert run("verify", "again.jpg").code == 0
    assert run("immunize", way.source, "--format", "jpeg", "-o", "sent.jpg").code == 0
    assert run("verify", "sent.jpg").code == 0


def test_recovering_an_intact_file_changes_nothing(ways: dict[str, Way]) -> None:
    intact = copy_of(ways["photo.tiff"], ways["photo.tiff"].immunized)
    ran = run("recover", intact, "-o", "same.png")
    assert ran.code == 0 and "unchanged" in ran.out
    assert np.array_equal(read_picture(Path("same.png")).pixels, read_picture(intact).pixels)


def test_recovering_what_was_never_immunized_writes_nothing(ways: dict[str, Way]) -> None:
    source = copy_of(ways["photo.webp"], ways["photo.webp"].source)
    ran = run("recover", source, "--mask-out")
    assert ran.code == 2 and f"{source}: no immunization" in ran.err and ran.out == ""
    assert list(hashes(Path())) == [source.name]


def test_too_much_lost_writes_nothing(ways: dict[str, Way]) -> None:
    suspect = copy_of(ways["photo.bmp"], ways["photo.bmp"].suspect)
    Image.new("L", (299, 187), 255).save("all.png")
    ran = run("recover", suspect, "--mask", "all.png")
    assert ran.code == 2 and suspect.name in ran.err and len(ran.err.splitlines()) == 1
    assert sorted(hashes(Path())) == ["all.png", suspect.name]


def test_a_cropped_suspect_gets_its_frame_back(ways: dict[str, Way]) -> None:
    way = ways["photo.jpg"]
    assert run("attack", way.immunized, "part.png", "--crop", 0.7, "--seed", 3).code == 0
    part = read_picture(Path("part.png"))
    ran = run("verify", "part.png", "--json")
    place = ran.objects[0]["verification"]["synchronisation"]
    assert ran.code == 0 and place["header_read"] is True
    assert place["original"] == {"height": 201, "width": 333}
    ran = run("recover", "part.png", "--restore-canvas")
    assert ran.code == 0 and "gave back the original frame of 333 x 201 pixels" in ran.out
    whole = read_picture(Path("part.recovered.bmp"))
    assert (whole.height, whole.width) == (201, 333)
    assert psnr(read_picture(way.source).pixels, whole.pixels) > 15
    top, left = place["offset_rows"], place["offset_cols"]
    inside = whole.pixels[top : top + part.height, left : left + part.width]
    assert np.array_equal(inside, part.pixels)


def test_a_key_file_opens_only_its_own_pictures(ways: dict[str, Way]) -> None:
    source = copy_of(ways["photo.webp"], ways["photo.webp"].source)
    for name in ("owner.key", "other.key"):
        assert run("keygen", name, "--quiet").code == 0
    assert run("immunize", source, "--key-file", "owner.key", "--format", "png").code == 0
    immunized = "photo.immunized.png"
    ran = run("verify", immunized, "--key-file", "owner.key", "--json")
    assert ran.code == 0 and ran.objects[0]["key"]["kind"] == "secret"
    assert run("verify", immunized, env={"IMUGE_KEY_FILE": "owner.key"}).code == 0
    assert run("verify", immunized, "--key-file", "other.key").code == 3
    assert run("verify", immunized).code == 3
    assert run("verify", immunized, "--key-file", "missing.key").code == 2
    assert run("recover", immunized, "--key-file", "other.key").code == 2


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bad_files() -> dict[str, bytes]:
    """What arrives in a bad hour: cut off, damaged, empty, boasting, and no picture at all."""
    Image.fromarray(photograph("coffee", 0, 0, 201, 233)).save("good.png")
    Image.open("good.png").save("good.jpg", quality=90)
    png, jpeg = Path("good.png").read_bytes(), Path("good.jpg").read_bytes()
    Path("good.png").unlink()
    Path("good.jpg").unlink()
    middle = len(png) // 2
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 90_000, 90_000, 8, 2, 0, 0, 0))
    return {
        "truncated.png": png[:middle],
        "cut-off.jpg": jpeg[: len(jpeg) // 2],
        "corrupt.png": png[:middle] + bytes(64) + png[middle + 64 :],
        "empty.png": b"",
        "boasting.png": b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IEND", b""),
        "letter.png": b"Dear Sir or Madam,\n" * 40,
    }


@pytest.fixture
def bad() -> dict[str, str]:
    """The bad files, written; name -> hash."""
    for name, content in bad_files().items():
        Path(name).write_bytes(content)
    return hashes(Path())


def test_a_bad_file_is_one_line_and_two(bad: dict[str, str]) -> None:
    for name in bad:
        ran = run("verify", name, "--mask-out")
        assert (ran.code, ran.out) == (2, ""), name
        (line,) = ran.err.splitlines()
        assert line.startswith("imuge: error: ") and name in line and "unexpected" not in line
    assert hashes(Path()) == bad


@pytest.mark.parametrize("command", [("immunize",), ("verify", "--mask-out"), ("recover", "--mask-out")])
def test_bad_files_are_named_one_by_one_and_nothing_is_written(command: tuple[str, ...], bad: dict[str, str]) -> None:
    ran = run(*command, ".", "--json")
    assert ran.code == 2
    assert [report["file"] for report in ran.objects] == sorted(bad)
    assert all((report["exit_code"], report["error"]["type"]) == (2, "InputError") for report in ran.objects)
    *lines, summary = ran.err.splitlines()
    assert f"0 done; {len(bad)} failed" in summary
    for name, line in zip(sorted(bad), lines, strict=True):
        assert line.startswith("imuge: error: ") and name in line and "unexpected" not in line
    assert hashes(Path()) == bad


def test_attack_and_masks_refuse_bad_files_too(ways: dict[str, Way]) -> None:
    Path("letter.png").write_bytes(b"Dear Sir or Madam,\n")
    suspect = copy_of(ways["photo.png"], ways["photo.png"].suspect)
    before = hashes(Path())
    for arguments in (
        ("attack", "letter.png", "out.png", "--tamper", "clone"),
        ("recover", suspect, "--mask", "letter.png"),
        ("verify", suspect, "--reference", "letter.png", "--mask-out"),
        ("recover", suspect, "--reference", "letter.png", "--mask-out"),
    ):
        ran = run(*arguments, *(("--quiet",) if arguments[0] != "attack" else ()))
        assert ran.code == 2 and ran.out == "" and "letter.png" in ran.err and len(ran.err.splitlines()) == 1
    assert hashes(Path()) == before


def test_one_corrupt_file_neither_stops_nor_hides_in_a_batch() -> None:
    write_photograph(Path("in/a.png"), "coffee", 161, 133)
    write_photograph(Path("in/deep/c.jpg"), "chelsea", 133, 161)
    Path("in/b.png").write_bytes(Path("in/a.png").read_bytes()[:900])
    before = hashes(Path("in"))
    ran = run("immunize", "in", "-r", "-o", "out", "--jobs", 2, "--json", "--quiet")
    assert ran.code == 2
    assert [(report["file"], report["exit_code"]) for report in ran.objects] == [
        ("in/a.png", 0), ("in/b.png", 2), ("in/deep/c.jpg", 0),
    ]  # fmt: skip
    (line,) = ran.err.splitlines()
    assert "in/b.png" in line
    assert sorted(hashes(Path("out"))) == ["a.immunized.bmp", "deep/c.immunized.bmp"]
    assert hashes(Path("in")) == before
    ran = run("verify", "out", "-r", "--report", "page.html")
    assert ran.code == 0 and ran.out.count(": exact") == 2
    assert "c.immunized.bmp" in Path("page.html").read_text(encoding="utf-8")
    again = run("immunize", "in", "-r", "-o", "out", "--skip-existing", "--quiet")
    assert again.code == 2 and again.out == ""  # only the corrupt one is left to try


def test_streams() -> None:
    source = write_photograph(Path("photo.png"), "coffee", 161, 133)
    sent = run("immunize", "-", "--format", "png", stdin=source.read_bytes())
    assert sent.code == 0 and sent.raw.startswith(b"\x89PNG")
    assert run("verify", "-", stdin=sent.raw).code == 0
    assert run("verify", "-", stdin=source.read_bytes()).code == 3
    assert run("verify", "-", stdin=b"").code == 2
    assert list(hashes(Path())) == ["photo.png"]


def test_deep_grey_and_transparent_pictures_keep_what_they_are() -> None:
    pixels = photograph("coffee", 20, 60, 161, 187)
    Image.fromarray(np.dstack([pixels, np.full(pixels.shape[:2], 180, np.uint8)])).save("alpha.png")
    Image.fromarray(pixels).convert("L").save("grey.png")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save("deep.png")
    ran = run("immunize", "alpha.png", "deep.png", "grey.png", "--format", "png", "--quiet")
    assert ran.code == 0, ran.err
    alpha, deep, grey = (read_picture(Path(f"{name}.immunized.png")) for name in ("alpha", "deep", "grey"))
    assert alpha.alpha is not None and (alpha.alpha == 180).all()
    assert deep.bit_depth == 16 and deep.grey and grey.grey
    assert run("verify", *(f"{name}.immunized.png" for name in ("alpha", "deep", "grey"))).code == 0


def test_transparency_is_not_said_to_be_restored() -> None:
    pixels = photograph("coffee", 20, 60, 176, 192)
    Image.fromarray(np.dstack([pixels, np.full(pixels.shape[:2], 180, np.uint8)])).save("photo.png")
    assert run("immunize", "photo.png", "-o", "sent.png", "--quiet").code == 0
    sent = np.asarray(Image.open("sent.png"))
    suspect = sent.copy()
    suspect[64:90, 80:120] = (250, 240, 10, 255)
    Image.fromarray(suspect).save("suspect.png")
    ran = run("recover", "suspect.png", "--format", "png", "--json")
    assert ran.code == 0 and "transparency is not restored" in ran.err, ran.err
    (warning,) = json.loads(ran.out)["warnings"]
    assert "nothing proves it" in warning
    back = np.asarray(Image.open("suspect.recovered.png")).astype(int)
    assert np.abs(back[..., :3] - sent[..., :3]).max() <= 1 and (back[..., 3] == suspect[..., 3]).all()
    assert run("verify", "suspect.recovered.png").code == 1
    # A format without transparency says that, and no more.
    bitmap = run("recover", "suspect.png")
    assert "BMP cannot hold transparency" in bitmap.err and "not restored" not in bitmap.err
    Image.fromarray(sent[16:, 32:]).save("cut.png")
    cut = run("recover", "cut.png", "--format", "png", "--restore-canvas")
    assert "transparency was left out" in cut.err and Image.open("cut.recovered.png").mode == "RGB"


def test_the_demonstration() -> None:
    ran = run("demo", "d", "--json", "--quiet")
    assert ran.code == 0, ran.err
    figures: dict[str, Any] = json.loads(ran.out)
    assert figures["verdict"] == "tampered" and figures["mask_f1"] > 0.5
    assert figures["recovered_local_psnr"] > figures["suspect_local_psnr"] + 3
