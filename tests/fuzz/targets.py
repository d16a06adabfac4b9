"""What is given damaged input: everything that reads what somebody else wrote.

A target is called with a generator, makes its input from it, and returns; it may raise nothing. What a reader may
raise, one of imuge's own errors in a single line, the target takes itself.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "image"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from image_samples import SRGB, XMP, encoded, exif_block, noise, picture
from mutations import mutated
from photographs import photograph

from imuge_cli.checkpoints import check_weights, load_weights, save_weights
from imuge_cli.cli.config import read_config
from imuge_cli.errors import ImugeError, InputError, SecretError, WeightsError
from imuge_cli.exact.answer import ask, changed
from imuge_cli.exact.header import Header as ExactHeader
from imuge_cli.exact.header import read_headers
from imuge_cli.image.picture import Picture
from imuge_cli.image.read import read_picture
from imuge_cli.image.write import encode_picture
from imuge_cli.keys import Secret, load_secret, new_secret_text
from imuge_cli.lattice.header import CODE_BITS, decode_header

Generator = np.random.Generator
MAX_PIXELS = 2_000_000
"""More than any file here has, and little enough that a header which promises more costs no time."""


@cache
def files() -> tuple[bytes, ...]:
    """A small picture in every format and kind that is read."""
    ours = [
        encode_picture(picture(depth, alpha, grey, exif=exif_block(6), icc=SRGB, xmp=XMP, dpi=(72.0, 72.0)), kind).data
        for kind in ("png", "tiff", "webp", "bmp", "jpeg")
        for depth in (8, 16)
        for alpha, grey in ((False, False), (True, False), (False, True))
    ]
    image = Image.fromarray(noise(40, 56))
    others = [
        encoded(image, "JPEG", progressive=True, exif=b"Exif\x00\x00" + exif_block(6), icc_profile=SRGB),
        encoded(image.convert("CMYK"), "JPEG"),
        encoded(image.convert("L"), "JPEG", quality=30),
        encoded(image.convert("P"), "PNG"),
        encoded(image.convert("1"), "PNG"),
        encoded(image, "WEBP", quality=60),
        encoded(image, "TIFF", compression="tiff_lzw"),
        encoded(image, "TIFF", compression="jpeg"),
        encoded(image.convert("P"), "TIFF"),
        encoded(image.convert("P"), "BMP"),
    ]
    with suppress(OSError, KeyError):  # a Pillow without it
        others.append(encoded(image, "AVIF"))
    return (*ours, *others)


def reader(rng: Generator) -> None:
    """A damaged picture file."""
    corpus = files()
    data = mutated(corpus[int(rng.integers(len(corpus)))], rng, corpus)
    with _expected(InputError):
        read = read_picture(BytesIO(data), max_pixels=MAX_PIXELS)
        assert read.height * read.width <= MAX_PIXELS


@cache
def _immunized() -> Picture:
    from imuge_cli import Imuge

    return Imuge(device="cpu").immunize(Picture(pixels=photograph("coffee", 20, 60, 160, 176)), image_id=5).picture


def _damaged(rng: Generator) -> np.ndarray[Any, Any]:
    """Immunized pixels, damaged as pixels: bits, boxes, rows of tiles that changed places, crops."""
    pixels = _immunized().pixels.copy()
    for _ in range(int(rng.integers(1, 5))):
        height, width = pixels.shape[:2]
        top, left = int(rng.integers(height - 31)), int(rng.integers(width - 31))
        box = pixels[top : top + int(rng.integers(1, 80)), left : left + int(rng.integers(1, 80))]
        kind = int(rng.integers(6))
        if kind == 0:
            box ^= rng.integers(0, 2, box.shape, dtype=np.uint8)
        elif kind == 1:
            box[:] = rng.integers(0, 256, box.shape, dtype=np.uint8)
        elif kind == 2:
            box[:] = rng.integers(0, 256, 3, dtype=np.uint8)
        elif kind == 3:
            pixels = np.roll(pixels, (int(rng.integers(-20, 21)), int(rng.integers(-20, 21))), (0, 1))
        elif kind == 4:
            pixels = np.ascontiguousarray(pixels[top % 20 :, left % 20 :])
        else:
            pixels[..., int(rng.integers(3))] &= 0xFE
    return pixels


def exact_layer(rng: Generator) -> None:
    """Pixels of which a part still has its seals."""
    pixels = _damaged(rng)
    answer = ask(pixels, None, Secret.default())
    if answer is not None:
        assert changed(answer).shape == pixels.shape[:2] and answer.restored().shape == pixels.shape


def exact_header(rng: Generator) -> None:
    """Any bytes where the exact layer's headers stand."""
    count = int(rng.integers(0, 40))
    slots = rng.integers(0, 256 if rng.random() < 0.5 else 3, (count, 8), dtype=np.uint8)
    covers = rng.integers(0, 2, (count, 24), dtype=np.uint8)
    for header in read_headers(slots, rng.integers(-1, 4, count), covers):
        assert ExactHeader.from_bytes(header.to_bytes()) == header
    ExactHeader.from_bytes(rng.bytes(int(rng.integers(0, 40))))


def lattice_header(rng: Generator) -> None:
    """Any evidence of the lattice's header bits."""
    scale = 10.0 ** float(rng.uniform(-6, 6))
    evidence = rng.standard_normal(CODE_BITS) * scale
    if rng.random() < 0.2:
        evidence[:] = 0
    header = decode_header(evidence)
    if header is not None:
        assert 0 < header.height < 1 << 16 and 0 < header.width < 1 << 16


@cache
def _weights() -> tuple[Path, dict[str, bytes]]:
    folder = Path(tempfile.mkdtemp(prefix="imuge-fuzz-"))
    tensors = {"a": torch.arange(12.0).view(3, 4), "b": torch.ones(2)}
    save_weights(folder, "toy", tensors, {"width": 3}, {"figure": 1.0}, training_steps=1)
    return folder, {path.name: path.read_bytes() for path in folder.iterdir()}


def weights(rng: Generator) -> None:
    """A damaged manifest or weights file."""
    folder, content = _weights()
    name = sorted(content)[int(rng.integers(len(content)))]
    damaged = folder / name
    damaged.write_bytes(mutated(content[name], rng, tuple(content.values())))
    try:
        with _expected(WeightsError):
            check_weights(folder)
        with _expected(WeightsError):
            load_weights("toy", folder)
        if name.endswith(".safetensors"):
            with _expected(WeightsError):
                load_weights("toy", damaged)  # by itself, without a manifest that would stop it
    finally:
        damaged.write_bytes(content[name])


_CONFIGURATION = b"format = 'png'\njobs = 2\n[verify]\nmask-out = true\n[recover]\ndevice = \"cpu\"\n"


def configuration(rng: Generator) -> None:
    """A damaged configuration file."""
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        Path(file.name).write_bytes(mutated(_CONFIGURATION, rng, files()[:1]))
        with _expected(InputError):
            read_config(Path(file.name))


def key_file(rng: Generator) -> None:
    """A damaged key file."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(mutated(new_secret_text().encode(), rng, files()[:1]))
        with _expected(SecretError):
            load_secret(Path(file.name))


@cache
def _engine() -> Any:
    from imuge_cli import Imuge

    return Imuge(device="cpu")


def whole_way(rng: Generator) -> None:
    """verify and recover of damaged immunized pictures, whole files as well as pixels."""
    data = encode_picture(Picture(pixels=_damaged(rng)), "jpeg" if rng.random() < 0.5 else "png").data
    if rng.random() < 0.3:
        data = mutated(data, rng)
    with _expected(ImugeError):
        suspect = read_picture(BytesIO(data), max_pixels=MAX_PIXELS)
        verified = _engine().verify(suspect)
        assert verified.mask.shape == (suspect.height, suspect.width)
        _engine().recover(suspect, verification=verified)


class _expected:
    """Takes one kind of error, if it can be told in one line."""

    def __init__(self, kind: type[ImugeError]) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, self._kind):
            return False
        assert str(error) and "\n" not in str(error), repr(error)
        return True


TARGETS: dict[str, Callable[[Generator], None]] = {
    "picture files": reader,
    "exact layer, pixels": exact_layer,
    "exact layer, header": exact_header,
    "lattice, header": lattice_header,
    "weights": weights,
    "configuration": configuration,
    "key files": key_file,
    "whole way": whole_way,
}
