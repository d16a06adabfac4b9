from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
from numpy.typing import NDArray
from small_engine import EMBEDDED, Place, SmallEngine, Verified

from imuge_cli.attacks.benign import apply, parse
from imuge_cli.attacks.resample import resize
from imuge_cli.attacks.tampers import inpainted
from imuge_cli.benchmark.cases import Tampered, in_frame, measure, tamper, untampered
from imuge_cli.benchmark.gallery import Gallery, Subject, find_pictures, image_id, read_at
from imuge_cli.benchmark.mosaic import LONGER_SIDE, mosaic
from imuge_cli.errors import InputError
from imuge_cli.image.picture import Picture
from imuge_cli.image.working_size import to_working
from imuge_cli.image.write import write_picture
from imuge_cli.metrics.fidelity import local_psnr


def prepared(engine: SmallEngine, photos: Path, size: str = "full") -> tuple[Gallery, Subject]:
    gallery = Gallery(engine, find_pictures(photos), size)
    return gallery, gallery.subject(0)


def spliced(gallery: Gallery, subject: Subject) -> Tampered:
    return tamper(subject, "splice", 0.1, gallery.donor(0, immunized=False), 3)


def test_pictures_are_read_resampled_and_immunized_once(photos: Path) -> None:
    engine = SmallEngine()
    gallery, subject = prepared(engine, photos, "32")
    assert subject.original.shape == (32, 32, 3) and subject.image_id == image_id("photo0.png") < 1 << 21
    assert subject.embedding.psnr == pytest.approx(20 * math.log10(255 / EMBEDDED), abs=0.01)
    donor, plain = gallery.donor(0, immunized=True), gallery.donor(0, immunized=False)
    assert (donor.pixels == plain.pixels + EMBEDDED).all() and (donor.kind, plain.kind) == (
        "immunized",
        "plain",
    )
    assert gallery.subject(0) is subject and gallery.subject(1).name == "photo1.png"
    assert engine.calls == ["immunize", "immunize"]
    last = gallery.donor(2, immunized=False)
    assert (last.pixels == subject.original).all()
    with pytest.raises(InputError, match="no such folder"):
        find_pictures(photos / "none")


def test_resampling_does_not_keep_the_aspect(photos: Path) -> None:
    paths = find_pictures(photos)
    assert read_at(paths, 0, "full").shape == (64, 48, 3) and read_at(paths, 0, "40").shape == (40, 40, 3)


def test_mosaics_are_made_of_the_next_three(photos: Path) -> None:
    paths = find_pictures(photos)
    made = read_at(paths, 2, "mosaic")
    high, wide = made.shape[0] // 2, LONGER_SIDE // 2
    assert made.shape == (LONGER_SIDE * 3 // 4, LONGER_SIDE, 3)
    for place, index in enumerate((2, 0, 1, 2)):  # after the last the first
        part = made[place // 2 * high :, place % 2 * wide :][:high, :wide]
        shown = read_at(paths, index, "full")
        shown = shown[14:50] if index == 0 else shown  # the only upright one: what hangs over is cut away
        small = resize(part, *shown.shape[:2], "area")
        assert np.corrcoef(small.ravel(), shown.ravel())[0, 1] > 0.95


def test_pictures_of_other_proportions_fill_their_quarter() -> None:
    wide, tall = np.full((20, 40, 3), 9, np.uint8), np.full((40, 20, 3), 200, np.uint8)
    made = mosaic([wide, tall, tall, wide])
    assert made.shape == (LONGER_SIDE // 2, LONGER_SIDE, 3)
    high, half = LONGER_SIDE // 4, LONGER_SIDE // 2
    assert (made[:high, :half] == 9).all() and (made[:high, half:] == 200).all() and (made[high:, half:] == 9).all()
    with pytest.raises(ValueError, match="not 3"):
        mosaic([wide, tall, tall])


def test_a_case_by_hand(photos: Path) -> None:
    engine = SmallEngine(error=8)
    gallery, subject = prepared(engine, photos)
    tampered = spliced(gallery, subject)
    engine.calls.clear()
    done = measure(engine, subject, tampered, "none", 3, canvas=False)
    assert engine.calls == ["verify", "recover", "oracle"]  # verified once
    row = done.row
    assert (row.outcome, row.verdict, row.donor) == ("recovered", "tampered", "plain")
    assert row.found and row.offset_exact and row.identified and not row.failed
    # with the true mask every tampered pixel is 8 grey levels off the pristine original
    assert row.oracle_local_psnr == pytest.approx(20 * math.log10(255 / 8), abs=0.2)
    assert row.local_psnr is not None and row.suspect_local_psnr is not None
    assert row.suspect_local_psnr < 15 < row.local_psnr
    filled = inpainted(tampered.pixels, tampered.truth)
    assert (filled[~tampered.truth] == tampered.pixels[~tampered.truth]).all()
    assert row.inpainted_local_psnr == pytest.approx(local_psnr(subject.original, filled, tampered.truth))
    error = subject.original.astype(float) - done.recovered
    assert row.psnr == pytest.approx(10 * math.log10(255**2 / np.mean(error**2)))
    hits = (done.mask & tampered.truth).sum()
    assert row.f1 == pytest.approx(2 * hits / (done.mask.sum() + tampered.truth.sum()))
    assert row.precision == 1.0 and row.recall == pytest.approx(hits / tampered.truth.sum())


def test_a_crop_is_followed(photos: Path) -> None:
    engine = SmallEngine(error=0)
    gallery, subject = prepared(engine, photos)
    tampered = spliced(gallery, subject)
    done = measure(engine, subject, tampered, "crop:0.7", 3, canvas=True)
    height, width = done.suspect.shape[:2]
    assert (height, width) == (54, 40)
    assert done.row.offset_exact and done.row.oracle_local_psnr == math.inf
    assert done.row.canvas_psnr == math.inf
    # the truth is exactly where the suspect differs from the immunized picture, cropped alike
    place = engine.verify_place(done.suspect)
    window = (slice(place[0], place[0] + height), slice(place[1], place[1] + width))
    assert (done.truth == tampered.truth[window]).all() and done.truth.any()
    assert done.row.tampered_share == pytest.approx(done.truth.mean())


def test_the_original_follows_scaling_and_cropping() -> None:
    ramp = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[:, None], 60, axis=1)[..., None].repeat(3, axis=2)
    attacked = apply(parse("crop:0.5+scale:0.5"), ramp, np.random.default_rng(2))
    shown = in_frame(ramp, attacked)
    assert shown.shape == attacked.image.shape
    assert np.abs(shown.astype(int) - attacked.image).max() <= 1
    top, left, rows, cols = attacked.crop_box
    cropped = apply(parse("crop:0.5"), ramp, np.random.default_rng(2))
    assert (in_frame(ramp, cropped) == ramp[top : top + rows, left : left + cols]).all()


class Rescaling(SmallEngine):
    """Finds what was made smaller to a half, too."""

    def _verify(self, suspect: NDArray[np.uint8]) -> Verified:
        ((identity, known),) = list(self.memory.items())[:1] or [(0, suspect)]
        if 2 * suspect.shape[0] != known.shape[0]:
            return super()._verify(suspect)
        return Verified("tampered", np.ones(suspect.shape[:2], bool), Place(0, 0, scale=0.5), identity)


def test_scaled_suspects_are_measured_at_the_originals_size_too(photos: Path) -> None:
    engine = Rescaling(error=8)
    gallery, subject = prepared(engine, photos)
    engine.memory = dict(list(engine.memory.items())[:1])
    tampered = spliced(gallery, subject)
    row = measure(engine, subject, tampered, "scale:0.5", 3, canvas=False).row
    error = np.clip(subject.original.astype(int) + 8, 0, 255) - subject.original
    expected = 10 * math.log10(255**2 / np.mean(error[tampered.truth].astype(float) ** 2))
    assert row.original_size_local_psnr == pytest.approx(expected) == row.judged_local_psnr
    assert row.local_psnr != row.original_size_local_psnr
    alone = measure(engine, subject, tampered, "none", 3, canvas=False).row
    assert alone.original_size_local_psnr is None and alone.judged_local_psnr == alone.local_psnr
    assert measure(engine, subject, tampered, "scale:0.5", 3, canvas=False, lean=True).row == replace(
        row, original_size_local_psnr=None, oracle_local_psnr=row.suspect_local_psnr, inpainted_local_psnr=None,
        avif_local_psnr=None, seconds=ANY,
    )  # fmt: skip


def test_a_scaled_suspect_that_is_not_found_is_brought_to_the_originals_size(photos: Path) -> None:
    engine = SmallEngine()
    gallery, subject = prepared(engine, photos)
    tampered = spliced(gallery, subject)
    done = measure(engine, subject, tampered, "scale:0.5", 3, canvas=False)
    enlarged = np.clip(np.rint(to_working(done.suspect, subject.original.shape[:2])), 0, 255).astype(np.uint8)
    assert done.row.outcome == "not-found"
    assert done.row.original_size_local_psnr == local_psnr(subject.original, enlarged, tampered.truth)


def test_an_offset_that_is_wrong_is_counted(photos: Path) -> None:
    engine = SmallEngine(shift=1)
    gallery, subject = prepared(engine, photos)
    done = measure(engine, subject, spliced(gallery, subject), "crop:0.7", 3, canvas=False)
    assert done.row.found and not done.row.offset_exact


class Headless(SmallEngine):
    """Tells places in working pixels."""

    def verify(self, picture: Picture) -> Verified:
        made = super().verify(picture)
        assert made.synchronisation is not None
        top, left = made.synchronisation.offset_rows, made.synchronisation.offset_cols
        place = Place(round(top / 1.5), round(left / 1.5), scale=1.5, header_read=False)
        return replace(made, synchronisation=place)


def test_places_of_large_pictures_without_a_header_are_in_working_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(20, 230, (24, 1536, 3), dtype=np.uint8)
    write_picture(Picture(pixels=pixels), tmp_path / "large.png")
    engine = Headless()
    _, subject = prepared(engine, tmp_path)
    cloned = tamper(subject, "clone", 0.1, None, 3)
    row = measure(engine, subject, cloned, "crop:0.9", 3, canvas=False).row
    assert row.offset_error is not None and row.offset_error <= 0.75 and not row.offset_exact
    assert row.scale_error == pytest.approx(0, abs=1e-9) and row.placed


def test_without_synchronisation_the_suspect_is_what_is_left(photos: Path) -> None:
    engine = SmallEngine()
    gallery, subject = prepared(engine, photos)
    tampered = spliced(gallery, subject)
    engine.memory.clear()
    engine.calls.clear()
    row = measure(engine, subject, tampered, "none", 3, canvas=True).row
    assert engine.calls == ["verify", "recover"]
    assert (row.outcome, row.verdict, row.found, row.offset_exact) == ("not-found", "not-found", False, False)
    assert row.failed and row.local_psnr == row.suspect_local_psnr == row.oracle_local_psnr
    assert row.f1 == 0.0 and row.canvas_psnr is None


def test_a_refused_recovery_keeps_its_mask_and_fails(photos: Path) -> None:
    engine = SmallEngine(refuse=True)
    gallery, subject = prepared(engine, photos)
    row = measure(engine, subject, spliced(gallery, subject), "none", 3, canvas=False).row
    assert row.outcome == "refused" and row.found and row.failed and row.f1 > 0.9
    assert row.local_psnr == row.suspect_local_psnr


def test_nothing_depends_on_what_was_measured_before(photos: Path) -> None:
    engine = SmallEngine()
    gallery, subject = prepared(engine, photos)
    tampered = spliced(gallery, subject)
    alone = measure(engine, subject, tampered, "noise:3", 3, canvas=False)
    measure(engine, subject, tampered, "crop:0.7", 3, canvas=False)
    again = measure(engine, subject, spliced(gallery, subject), "noise:3", 3, canvas=False)
    assert (alone.suspect == again.suspect).all()
    other = measure(engine, subject, tampered, "noise:3", 4, canvas=False)
    assert (alone.suspect != other.suspect).any()


def test_untampered(photos: Path) -> None:
    engine = SmallEngine()
    _, subject = prepared(engine, photos)
    quiet, loud = untampered(engine, subject, "none", 3), untampered(engine, subject, "noise:6", 3)
    assert (quiet.verdict, quiet.flagged_share) == ("intact", 0.0)
    assert loud.verdict == "tampered" and 0.0 < loud.flagged_share < 0.5
