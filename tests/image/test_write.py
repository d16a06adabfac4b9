"""Writing wholly or not at all, and never over a file unasked."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from image_samples import picture

from imuge_cli.errors import OutputError, UsageError
from imuge_cli.image import atomic
from imuge_cli.image.atomic import write_bytes
from imuge_cli.image.picture import Picture
from imuge_cli.image.read import read_picture
from imuge_cli.image.write import FORMATS, encode_picture, format_of, write_mask, write_picture


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_overwritten_without_force(tmp_path: Path, format: str) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"a: exists already; use --force"):
        write_picture(picture(), target, format=format)
    assert target.read_bytes() == b"precious"
    write_picture(picture(), target, format=format, force=True)
    assert read_picture(target).source_format == format
    assert os.listdir(tmp_path) == ["a"]


def test_masks_are_not_overwritten_either(tmp_path: Path) -> None:
    write_mask(np.ones((4, 4), bool), tmp_path / "m.png")
    with pytest.raises(OutputError, match="exists already"):
        write_mask(np.zeros((4, 4), bool), tmp_path / "m.png")


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("step", ["fsync", "move"])
def test_a_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, force: bool
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "a.bmp"
    if force:
        target.write_bytes(b"old")
    for name in ["fsync"] if step == "fsync" else ["replace", "link"]:
        monkeypatch.setattr(atomic.os, name, fail)
    with pytest.raises(OutputError, match=r"a\.bmp: cannot be written \(No space left on device\)"):
        write_picture(picture(), target, force=force)
    assert os.listdir(tmp_path) == (["a.bmp"] if force else [])
    assert not force or target.read_bytes() == b"old"


def test_a_file_that_appears_meanwhile_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, real = tmp_path / "a.bmp", os.fsync

    def appear(handle: int) -> None:
        target.write_bytes(b"somebody else's")
        real(handle)

    monkeypatch.setattr(atomic.os, "fsync", appear)
    with pytest.raises(OutputError, match="exists already"):
        write_bytes(target, b"ours")
    assert target.read_bytes() == b"somebody else's"
    assert os.listdir(tmp_path) == ["a.bmp"]


def test_file_systems_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(atomic.os, "link", unsupported)
    write_bytes(tmp_path / "a", b"one")
    assert (tmp_path / "a").read_bytes() == b"one"
    with pytest.raises(OutputError, match="exists already"):
        write_bytes(tmp_path / "a", b"two")


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_bytes(tmp_path / "x" / "y" / "a", b"1")
    assert (tmp_path / "x" / "y" / "a").read_bytes() == b"1"


def test_a_folder_or_a_file_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        write_bytes(tmp_path, b"1", force=True)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_bytes(tmp_path / "file" / "a", b"1")


@pytest.mark.skipif(sys.platform == "win32", reason="rights and links of POSIX")
def test_rights_follow_the_umask_and_links_are_followed(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a", b"1")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    (tmp_path / "link").symlink_to(tmp_path / "a")
    write_bytes(tmp_path / "link", b"2", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"2"


@pytest.mark.skipif(sys.platform == "win32", reason="devices of POSIX")
def test_devices_are_written_to_not_replaced() -> None:
    write_bytes("/dev/null", b"1")
    write_bytes("/dev/null", b"1", force=True)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_formats_by_name_and_suffix() -> None:
    assert [format_of(f"a.{suffix}") for suffix in ("BMP", "tif", "jpg", "png", "webp")] == [
        "bmp", "tiff", "jpeg", "png", "webp",
    ]  # fmt: skip
    assert format_of("a.xyz", "JPG") == "jpeg"
    with pytest.raises(UsageError, match="a.xyz"):
        format_of("a.xyz")
    with pytest.raises(UsageError, match="'gif'"):
        format_of("a.bmp", "gif")


@pytest.mark.parametrize(("format", "side"), [("webp", 16384), ("jpeg", 65501)])
def test_pictures_too_large_for_a_format(tmp_path: Path, format: str, side: int) -> None:
    wide = Picture(np.zeros((1, side, 3), np.uint8))
    with pytest.raises(OutputError, match=rf"a\.{format}: .* use --format png"):
        write_picture(wide, tmp_path / f"a.{format}")
    assert os.listdir(tmp_path) == []


def test_encoding_without_a_file_gives_the_same_bytes(tmp_path: Path) -> None:
    write_picture(picture(), tmp_path / "a.png")
    assert encode_picture(picture(), "png").data == (tmp_path / "a.png").read_bytes()
