"""Files that cannot be read: one line that names the file and what to do, and nothing on stderr."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from image_samples import encoded, noise, picture, raw_png
from PIL import Image

from imuge_cli.errors import ImugeError, InputError
from imuge_cli.image.read import read_picture
from imuge_cli.image.tiff import encode_tiff


def smooth(height: int = 120, width: int = 160) -> Image.Image:
    return Image.fromarray(noise(height, width))


def read_failure(path: Path, capfd: pytest.CaptureFixture[str], **options: int) -> str:
    """The message of the InputError that reading has to raise; silence is checked on the way."""
    with pytest.raises(InputError) as caught:
        read_picture(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert " object at 0x" not in message
    assert capfd.readouterr() == ("", "")
    assert caught.value.exit_code == 2
    return message


def test_missing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert read_failure(tmp_path / "no.png", capfd) == f"{tmp_path / 'no.png'}: no such file; check the name"


def test_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "-r" in read_failure(tmp_path, capfd)


def test_empty(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").touch()
    assert "the file is empty" in read_failure(tmp_path / "a.png", capfd)


@pytest.mark.parametrize("content", [b"hello, world\n" * 50, b"%PDF-1.7 ...", b"GIF89a" + bytes(100), b"x"])
def test_no_picture(tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    message = read_failure(tmp_path / "a.png", capfd)
    assert message.endswith("not a picture imuge can read; use PNG, JPEG, WebP, BMP, TIFF or AVIF")


FILES: dict[str, Callable[[], bytes]] = {
    "png": lambda: encoded(smooth(), "PNG"),
    "png16": lambda: raw_png(noise(120, 160, 3, np.uint16), 2),
    "jpeg": lambda: encoded(smooth(), "JPEG"),
    "webp": lambda: encoded(smooth(), "WEBP", lossless=True),
    "bmp": lambda: encoded(smooth(), "BMP"),
    "tiff": lambda: encoded(smooth(), "TIFF"),
    "tiff-deflate": lambda: encode_tiff(picture().pixels, alpha=False),
    "tiff16": lambda: encode_tiff(noise(120, 160, 3, np.uint16), alpha=False),
    "avif": lambda: encoded(smooth(), "AVIF"),
}


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("kind", FILES)
def test_truncated(tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str, share: float) -> None:
    whole = FILES[kind]()
    read_picture(BytesIO(whole))
    (tmp_path / "a").write_bytes(whole[: max(34, int(len(whole) * share))])
    message = read_failure(tmp_path / "a", capfd)
    assert "damaged" in message
    assert "get an intact copy" in message


@pytest.mark.parametrize("kind", ["png", "png16"])
def test_one_flipped_bit_in_png_is_found(tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str) -> None:
    data = bytearray(FILES[kind]())
    data[len(data) // 2] ^= 1
    (tmp_path / "a.png").write_bytes(data)
    assert "checksum of chunk IDAT" in read_failure(tmp_path / "a.png", capfd)


@pytest.mark.parametrize("kind", FILES)
def test_noise_behind_the_header(tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str) -> None:
    data = FILES[kind]()[:16] + noise(40, 40, 1, seed=3).tobytes()
    (tmp_path / "a").write_bytes(data)
    assert "damaged" in read_failure(tmp_path / "a", capfd)


def test_damage_anywhere_is_an_input_error_or_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(5)
    for kind, make in FILES.items():
        whole = make()
        for _ in range(12):
            data = bytearray(whole)
            for position in rng.integers(0, min(len(data), 400), 4):
                data[position] = rng.integers(256)
            try:
                read_picture(BytesIO(bytes(data)), max_pixels=1_000_000)
            except ImugeError as error:
                assert "\n" not in str(error)
        # libtiff tells some damage on stderr itself, before anybody can stop it
        assert capfd.readouterr() == ("", "") or kind.startswith("tiff")


def huge_png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    )
    return b"\x89PNG\r\n\x1a\n" + body


def test_huge_header_is_refused_before_decoding(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bomb.png").write_bytes(huge_png(60000, 60000))
    message = read_failure(tmp_path / "bomb.png", capfd)
    assert "60000 x 60000 pixels are more than the limit of 200,000,000" in message


def test_the_limit_is_ours_not_that_of_pillow(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").write_bytes(FILES["png"]())
    read_picture(tmp_path / "a.png", max_pixels=160 * 120)
    assert "limit of 19,199" in read_failure(tmp_path / "a.png", capfd, max_pixels=160 * 120 - 1)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_several_frames(tmp_path: Path, capfd: pytest.CaptureFixture[str], format: str) -> None:
    frames = [Image.fromarray(noise(32, 32, seed=seed)) for seed in range(3)]
    (tmp_path / "a").write_bytes(encoded(frames[0], format, save_all=True, append_images=frames[1:]))
    assert "holds 3 frames or pages" in read_failure(tmp_path / "a", capfd)


def test_samples_without_a_meaning_in_grey_levels(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "a.tif")
    assert "32 bit" in read_failure(tmp_path / "a.tif", capfd)
    Image.new("LAB", (8, 8)).save(tmp_path / "b.tif")
    assert "LAB" in read_failure(tmp_path / "b.tif", capfd)


def test_a_stream_is_named_too() -> None:
    with pytest.raises(InputError, match="^standard input: the file is empty"):
        read_picture(BytesIO())
