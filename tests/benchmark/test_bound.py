"""The yardstick of a picture codec in as many bits as the channel carries."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import pytest
from PIL import features
from small_engine import SmallEngine, Tiles
from test_cases import prepared, spliced

from imuge_cli.attacks.codecs import avif_file
from imuge_cli.benchmark import bound
from imuge_cli.benchmark.bound import Ladder, encode_avif, media_bytes
from imuge_cli.benchmark.cases import Measured, measure
from imuge_cli.benchmark.gallery import Subject
from imuge_cli.metrics.fidelity import local_psnr, psnr

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF codec")


def test_only_the_payload_counts() -> None:
    boxes = struct.pack(">I4s4s", 12, b"ftyp", b"avif") + struct.pack(">I4s5s", 13, b"mdat", b"12345")
    assert media_bytes(boxes) == 5
    assert media_bytes(boxes + struct.pack(">I4sQ7s", 1, b"mdat", 23, b"1234567")) == 12
    assert media_bytes(boxes + struct.pack(">I4s3s", 0, b"mdat", b"123")) == 8
    with pytest.raises(ValueError, match="box of 4 bytes at byte 25"):
        media_bytes(boxes + struct.pack(">I4s", 4, b"free"))


@needs_avif
def test_a_real_file_is_mostly_payload(photos: Path) -> None:
    pixels = prepared(SmallEngine(), photos)[1].original
    coded = encode_avif(pixels, 60)
    assert coded is not None and 0 < len(avif_file(pixels, 60, 6)) - coded.bits // 8 < 500


@needs_avif
def test_more_bits_show_more_and_none_are_exceeded(photos: Path) -> None:
    _, subject = prepared(SmallEngine(), photos)
    floor = encode_avif(subject.original, 0)
    assert floor is not None and subject.original_by_bits.best(floor.bits / 4) is None
    found = []
    for bits in (2 * floor.bits, 4 * floor.bits, 16 * floor.bits):
        pixels = subject.original_by_bits.best(bits)
        assert pixels is not None
        # Equal pixels may come of several qualities: one of them must fit.
        sizes = [
            coded.bits
            for coded in subject.original_by_bits.by_quality.values()
            if coded and (coded.pixels == pixels).all()
        ]
        assert min(sizes) <= bits
        found.append(psnr(subject.original, pixels))
    assert found == sorted(found) and found[-1] > found[0] + 0.5


@needs_avif
def test_a_case_has_it_inside_the_tampered_pixels(photos: Path) -> None:
    engine = SmallEngine(information=6000.0)
    gallery, subject = prepared(engine, photos)
    done = measure(engine, subject, spliced(gallery, subject), "none", 3, canvas=False)
    coded = subject.original_by_bits.best(6000.0)
    assert coded is not None and done.row.information == 6000.0
    assert done.row.avif_local_psnr == pytest.approx(local_psnr(subject.original, coded, done.truth))


def test_unknown_bits_and_a_missing_codec_leave_it_out(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SmallEngine()
    gallery, subject = prepared(engine, photos)
    tampered = spliced(gallery, subject)
    assert measure(engine, subject, tampered, "none", 3, canvas=False).row.avif_local_psnr is None
    monkeypatch.setattr(bound, "has_avif", lambda: False)
    assert Ladder(subject.original).best(1e9) is None


def exactly_answered(engine: SmallEngine, photos: Path, information: float, intact: int) -> tuple[Subject, Measured]:
    """A case that an exact layer answered, of 100 tiles of which so many are untouched."""
    gallery, subject = prepared(engine, photos)
    tampered = spliced(gallery, subject)
    engine.layer, engine.tiles, engine.information = "exact", Tiles(100, intact), information
    return subject, measure(engine, subject, tampered, "none", 3, canvas=False)


@needs_avif
def test_with_intact_tiles_at_hand_the_lost_ones_have_all_the_bits(photos: Path) -> None:
    subject, done = exactly_answered(SmallEngine(), photos, 3000.0, 75)
    coded = subject.published_by_bits.best(12000.0)
    assert coded is not None and done.row.avif_local_psnr is None
    assert done.row.bound_local_psnr == pytest.approx(local_psnr(subject.immunized, coded, done.truth))


@needs_avif
def test_bits_enough_for_the_content_bring_back_every_one(photos: Path) -> None:
    bits = prepared(SmallEngine(), photos)[1].lossless_bits
    assert exactly_answered(SmallEngine(), photos, bits / 100 + 1, 99)[1].row.bound_local_psnr == math.inf
    less = exactly_answered(SmallEngine(), photos, bits / 100 - 1, 99)[1].row.bound_local_psnr
    assert less is not None and 30 < less < 80


def test_an_untouched_picture_has_no_bound(photos: Path) -> None:
    assert exactly_answered(SmallEngine(), photos, 3000.0, 100)[1].row.bound_local_psnr is None
