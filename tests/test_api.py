"""The library with the bundled weights: what a person gets, not how."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from photographs import Pixels8, photograph

from imuge_cli import Imuge
from imuge_cli.api import ImmunizeResult
from imuge_cli.errors import InputError, NotImmunizedError, RecoveryError, UsageError, WeightsError
from imuge_cli.image.picture import Picture
from imuge_cli.keys import Secret
from imuge_cli.mask.cleanup import enlarged
from imuge_cli.metrics.fidelity import local_psnr, psnr
from imuge_cli.models.lattice.model import LatticeModel
from imuge_cli.models.protocol import Verified

Mask = NDArray[np.bool_]
SQUARE = (slice(64, 144), slice(80, 160))


def box(height: int = 256, width: int = 256, place: tuple[slice, slice] = SQUARE) -> Mask:
    mask = np.zeros((height, width), bool)
    mask[place] = True
    return mask


def pasted(picture: Picture, content: NDArray[np.generic], place: tuple[slice, slice] = SQUARE) -> Picture:
    pixels = picture.pixels.copy()
    pixels[place] = content[place]
    return picture.with_pixels(pixels)


def overlap(found: Mask, truth: Mask) -> float:
    """F1."""
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


@pytest.fixture(scope="module")
def engine() -> Imuge:
    return Imuge(device="cpu", exact=False)


@pytest.fixture(scope="module")
def original() -> Pixels8:
    return photograph("astronaut", 0, 128)


@pytest.fixture(scope="module")
def other() -> Pixels8:
    return photograph("coffee", 60, 200)


@pytest.fixture(scope="module")
def sent(engine: Imuge, original: Pixels8) -> ImmunizeResult:
    return engine.immunize(Picture(pixels=original), image_id=4711)


@pytest.fixture(scope="module")
def suspect(sent: ImmunizeResult, other: Pixels8) -> Picture:
    return pasted(sent.picture, other)


def test_immunizing_is_hardly_visible_and_described(sent: ImmunizeResult, original: Pixels8) -> None:
    assert sent.picture.pixels.shape == original.shape
    assert sent.picture.pixels.dtype == np.uint8
    assert sent.psnr == pytest.approx(psnr(original, sent.picture.pixels))
    assert 37 < sent.psnr < 43
    assert 0.85 < sent.ssim < 1
    assert (sent.image_id, sent.working_size, sent.strength) == (4711, (256, 256), "balanced")
    assert (sent.model, sent.key_kind, sent.device) == ("lattice", "published", "cpu")
    assert sent.weights_sha256 is not None
    assert sent.seconds > 0


@pytest.mark.parametrize(
    ("forewarned", "rows", "peak", "verdict"),
    [
        (True, 40, 0.9, "not-found"),
        (True, 10, 0.9, "intact"),
        (True, 40, 0.4, "intact"),
        (False, 40, 0.9, "intact"),
        (True, 40, 0.99, "tampered"),
    ],
)
def test_what_is_widely_suspected_and_nowhere_certain_is_not_called_intact(
    forewarned: bool,
    rows: int,
    peak: float,
    verdict: str,
    engine: Imuge,
    sent: ImmunizeResult,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verify = LatticeModel.verify

    def wavering(self: LatticeModel, pixels: Pixels8) -> Verified:
        told = verify(self, pixels)
        assert told.frame is not None
        probability = np.zeros_like(told.probability)
        probability[64 : 64 + rows, 64:192] = peak
        return replace(told, probability=probability, forewarned=forewarned)

    monkeypatch.setattr(LatticeModel, "verify", wavering)
    result = engine.verify(sent.picture)
    assert result.verdict == verdict and not result.contradicted
    assert result.mask.any() == (verdict == "tampered")
    assert result.synchronisation is not None
    if verdict == "not-found":
        with pytest.raises(NotImmunizedError, match="too little"):
            engine.recover(sent.picture, verification=result)
        # Who knows what was changed, gets it back.
        recovered = engine.recover(sent.picture, mask=box(), verification=result)
        assert np.any(recovered.picture.pixels != sent.picture.pixels)


def test_an_untouched_picture_is_intact(engine: Imuge, sent: ImmunizeResult) -> None:
    result = engine.verify(sent.picture)
    assert result.verdict == "intact"
    assert result.exit_code == 0
    assert not result.mask.any()
    assert result.mask.shape == result.probability.shape == (256, 256)
    assert result.probability.dtype == np.float32
    assert 0 <= result.probability.min() <= result.probability.max() <= 1
    assert result.regions == ()
    assert result.tampered_share == 0
    assert result.image_id == 4711
    place = result.synchronisation
    assert place is not None
    assert (place.offset_rows, place.offset_cols, place.scale) == (0, 0, 1.0)
    assert (place.original_height, place.original_width, place.header_read) == (256, 256, True)
    assert place.z_score > 30


def test_recovering_an_untouched_picture_changes_nothing(engine: Imuge, sent: ImmunizeResult) -> None:
    result = engine.recover(sent.picture)
    np.testing.assert_array_equal(result.picture.pixels, sent.picture.pixels)
    assert result.restored_share == 0


def test_a_pasted_square_is_found(engine: Imuge, suspect: Picture) -> None:
    result = engine.verify(suspect)
    assert result.verdict == "tampered"
    assert result.exit_code == 1
    assert overlap(result.mask, box()) > 0.5
    assert result.tampered_share == pytest.approx(result.mask.mean())
    assert sum(region.pixels for region in result.regions) == result.mask.sum()
    assert result.image_id == 4711


def test_a_copy_moved_inside_the_picture_is_found(engine: Imuge, sent: ImmunizeResult) -> None:
    moved = np.roll(sent.picture.pixels, (-88, -72), (0, 1))
    result = engine.verify(pasted(sent.picture, moved))
    assert result.verdict == "tampered"
    assert overlap(result.mask, box()) > 0.5


def test_a_copy_moved_by_whole_blocks_is_found(engine: Imuge, sent: ImmunizeResult) -> None:
    moved = np.roll(sent.picture.pixels, (8, 96), (0, 1))
    result = engine.verify(pasted(sent.picture, moved))
    assert result.verdict == "tampered"
    assert overlap(result.mask, box()) > 0.5


def test_a_patch_of_another_picture_under_the_same_key_is_noticed(
    engine: Imuge, sent: ImmunizeResult, other: Pixels8
) -> None:
    """Its pilots fit; its symbols and its pixels do not."""
    donor = engine.immunize(Picture(pixels=other), image_id=4712).picture
    result = engine.verify(pasted(sent.picture, donor.pixels))
    assert result.verdict == "tampered"
    assert result.mask[box()].mean() > 0.5
    assert result.probability[box()].mean() >= result.probability[~box()].mean()


def test_a_patch_of_another_picture_under_the_same_key_is_located(
    engine: Imuge, sent: ImmunizeResult, other: Pixels8
) -> None:
    donor = engine.immunize(Picture(pixels=other), image_id=4712).picture
    assert overlap(engine.verify(pasted(sent.picture, donor.pixels)).mask, box()) > 0.5


def test_recovery_brings_back_what_was_there(engine: Imuge, suspect: Picture, original: Pixels8) -> None:
    truth = box()
    result = engine.recover(suspect)
    assert result.verification.verdict == "tampered"
    found = result.verification.mask
    assert found.sum() < result.mask.sum() < 1.3 * found.sum()
    assert not (found & ~result.mask).any()
    assert result.restored_share == pytest.approx(result.mask.mean())
    assert local_psnr(original, result.picture.pixels, truth) > local_psnr(original, suspect.pixels, truth) + 5
    np.testing.assert_array_equal(result.picture.pixels[~result.mask], suspect.pixels[~result.mask])


@pytest.mark.parametrize("scaled", [1.0, 0.5])
def test_symbols_under_the_rim_are_believed_unless_a_person_drew_it(
    engine: Imuge, suspect: Picture, scaled: float
) -> None:
    size = round(256 * scaled)
    shown = suspect.with_pixels(cv2.resize(suspect.pixels, (size, size), interpolation=cv2.INTER_AREA))
    result = engine.recover(shown)
    drawn = engine.recover(shown, mask=result.mask, verification=result.verification)
    np.testing.assert_array_equal(drawn.mask, result.mask)
    assert result.information is not None and drawn.information is not None
    assert result.information > drawn.information


def test_what_is_suspected_beside_the_mask_is_replaced_if_it_was_changed(engine: Imuge, suspect: Picture) -> None:
    verification = engine.verify(suspect)
    half = box(place=(slice(64, 144), slice(130, 160)))
    beside, apart = box(place=(slice(150, 190), slice(90, 130))), box(place=(slice(10, 40), slice(200, 240)))
    probability = verification.probability.copy()
    probability[box(place=(slice(130, 190), slice(90, 130))) | apart] += np.float32(0.2)
    probability[half] = 0.3
    unsure = replace(verification, probability=probability.clip(0, 1), mask=verification.mask & ~half)
    result = engine.recover(suspect, verification=unsure)
    assert result.mask[half].mean() > 0.9
    assert result.mask[beside].mean() < 0.1
    assert not result.mask[apart].any()
    np.testing.assert_array_equal(result.picture.pixels[~result.mask], suspect.pixels[~result.mask])
    assert result.restored_share == pytest.approx(result.mask.mean())
    # A person means what they draw.
    np.testing.assert_array_equal(engine.recover(suspect, mask=box(), verification=unsure).mask, box())


def test_what_is_suspected_apart_from_the_mask_is_replaced_if_it_was_changed(
    engine: Imuge, sent: ImmunizeResult, other: Pixels8
) -> None:
    changed, genuine = (slice(20, 52), slice(190, 226)), (slice(200, 232), slice(30, 66))
    suspect = pasted(pasted(sent.picture, other), other, changed)
    verification = engine.verify(suspect)
    apart, left_alone = box(place=changed), box(place=genuine)
    assert verification.mask[apart].mean() > 0.9
    probability = verification.probability.copy()
    probability[enlarged(apart, 8)] = 0
    probability[apart | left_alone] = 0.6
    unsure = replace(verification, probability=probability, mask=verification.mask & ~enlarged(apart, 8))
    result = engine.recover(suspect, verification=unsure)
    assert result.mask[apart].mean() > 0.9
    assert not result.mask[left_alone].any()
    # Where nothing is certain nothing is replaced.
    uncertain = replace(unsure, verdict="intact", mask=np.zeros_like(unsure.mask))
    assert not engine.recover(suspect, verification=uncertain).mask.any()


def test_a_verification_in_hand_is_not_done_again(
    engine: Imuge, suspect: Picture, other: Pixels8, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = engine.recover(suspect)
    verification = engine.verify(suspect)
    monkeypatch.setattr(engine, "verify", lambda picture: pytest.fail("verified again"))
    result = engine.recover(suspect, verification=verification)
    assert result.verification is verification
    np.testing.assert_array_equal(result.picture.pixels, expected.picture.pixels)
    with pytest.raises(UsageError, match="not of this picture"):
        engine.recover(Picture(pixels=other[:200]), verification=verification)
    with pytest.raises(UsageError, match="not of this picture"):
        engine.recover(suspect, verification=replace(verification, found=None))


def test_recovery_with_a_persons_mask(engine: Imuge, suspect: Picture, original: Pixels8) -> None:
    truth = box()
    result = engine.recover(suspect, mask=truth)
    np.testing.assert_array_equal(result.mask, truth)
    assert local_psnr(original, result.picture.pixels, truth) > 20
    np.testing.assert_array_equal(result.picture.pixels[~truth], suspect.pixels[~truth])
    assert (result.picture.pixels[truth] != suspect.pixels[truth]).mean() > 0.5


def test_an_empty_mask_replaces_nothing(engine: Imuge, suspect: Picture) -> None:
    result = engine.recover(suspect, mask=np.zeros((256, 256), bool))
    np.testing.assert_array_equal(result.picture.pixels, suspect.pixels)
    assert result.restored_share == 0


def test_the_picture_handed_in_is_left_alone(engine: Imuge, original: Pixels8, suspect: Picture) -> None:
    plain, before = Picture(pixels=original.copy()), suspect.pixels.copy()
    engine.immunize(plain)
    engine.recover(suspect, mask=box())
    np.testing.assert_array_equal(plain.pixels, original)
    np.testing.assert_array_equal(suspect.pixels, before)


def test_another_key_and_plain_pictures_are_not_found(engine: Imuge, sent: ImmunizeResult, original: Pixels8) -> None:
    stranger = Imuge(key=Secret(b"x" * 32), device="cpu", exact=False)
    for someone, picture in ((stranger, sent.picture), (engine, Picture(pixels=original))):
        result = someone.verify(picture)
        assert result.verdict == "not-found"
        assert result.exit_code == 3
        assert result.synchronisation is None
        assert result.image_id is None
        assert not result.mask.any()
        assert result.probability.max() == 0
        with pytest.raises(NotImmunizedError) as caught:
            someone.recover(picture)
        assert caught.value.exit_code == 3


def test_a_secret_key_verifies_its_own_pictures(original: Pixels8) -> None:
    owner = Imuge(key=Secret(b"x" * 32), device="cpu", exact=False)
    sent = owner.immunize(Picture(pixels=original))
    assert sent.key_kind == "secret"
    result = owner.verify(sent.picture)
    assert (result.verdict, result.key_kind, result.image_id) == ("intact", "secret", sent.image_id)


@pytest.mark.parametrize(("top", "left"), [(13, 27), (0, 8), (50, 3)])
def test_a_crop_is_placed_to_the_pixel_and_intact(engine: Imuge, sent: ImmunizeResult, top: int, left: int) -> None:
    result = engine.verify(Picture(pixels=np.ascontiguousarray(sent.picture.pixels[top:, left:250])))
    assert result.verdict == "intact"
    place = result.synchronisation
    assert place is not None
    assert (place.offset_rows, place.offset_cols, place.scale) == (top, left, 1.0)
    assert (place.original_height, place.original_width) == (256, 256)
    assert result.mask.shape == (256 - top, 250 - left)


@pytest.mark.parametrize("strength", ["subtle", "strong"])
def test_every_strength_is_verified_by_the_defaults_cropped_or_not(
    engine: Imuge, strength: str, other: Pixels8
) -> None:
    sent = Imuge(device="cpu", strength=strength, exact=False).immunize(Picture(pixels=other))
    assert sent.strength == strength
    assert engine.verify(sent.picture).verdict == "intact"
    assert engine.verify(Picture(pixels=np.ascontiguousarray(sent.picture.pixels[21:, 10:]))).verdict == "intact"


def test_strength_trades_visibility(other: Pixels8) -> None:
    qualities = [
        Imuge(device="cpu", strength=s, exact=False).immunize(Picture(pixels=other)).psnr
        for s in ("subtle", "balanced", "strong")
    ]
    assert qualities == sorted(qualities, reverse=True)
    assert qualities[0] - qualities[2] > 2


def test_the_canvas_of_a_crop_is_restored(engine: Imuge, sent: ImmunizeResult, original: Pixels8) -> None:
    crop = Picture(pixels=np.ascontiguousarray(sent.picture.pixels[24:, :230]))
    result = engine.recover(crop, restore_canvas=True)
    pixels = result.picture.pixels
    assert pixels.shape == original.shape
    np.testing.assert_array_equal(pixels[24:, :230], crop.pixels)
    missing = ~box(place=(slice(24, 256), slice(0, 230)))
    assert local_psnr(original, pixels, missing) > 17
    assert engine.recover(crop).picture.pixels.shape == crop.pixels.shape


def test_sixteen_bits_stay_sixteen_bits(engine: Imuge, original: Pixels8, other: Pixels8) -> None:
    deep = original.astype(np.uint16) * 257 + 5
    sent = engine.immunize(Picture(pixels=deep, source_format="png"))
    assert sent.picture.pixels.dtype == np.uint16
    assert sent.picture.source_format == "png"
    assert len(np.unique(sent.picture.pixels % 257)) > 100
    suspect = pasted(sent.picture, other.astype(np.uint16) * 257)
    result = engine.recover(suspect, mask=box())
    assert engine.verify(sent.picture).verdict == "intact"
    assert result.picture.pixels.dtype == np.uint16
    np.testing.assert_array_equal(result.picture.pixels[~box()], suspect.pixels[~box()])
    assert local_psnr(original, result.picture.as_uint8(), box()) > 20


def test_alpha_and_metadata_are_kept(engine: Imuge, original: Pixels8) -> None:
    alpha = np.arange(256 * 256, dtype=np.uint32).astype(np.uint8).reshape(256, 256)
    picture = Picture(pixels=original, alpha=alpha, icc=b"profile", dpi=(300.0, 300.0))
    sent = engine.immunize(picture)
    recovered = engine.recover(sent.picture, mask=box())
    for result in (sent.picture, recovered.picture):
        assert result.alpha is not None
        np.testing.assert_array_equal(result.alpha, alpha)
        assert (result.icc, result.dpi) == (b"profile", (300.0, 300.0))


def test_grey_pictures_stay_grey(engine: Imuge, original: Pixels8) -> None:
    grey = np.repeat(original[..., 1:2], 3, 2)
    sent = engine.immunize(Picture(pixels=grey, grey=True))
    recovered = engine.recover(pasted(sent.picture, np.zeros_like(grey)), mask=box())
    assert engine.verify(sent.picture).verdict == "intact"
    for picture in (sent.picture, recovered.picture):
        assert picture.grey
        spread = picture.pixels.max(2).astype(int) - picture.pixels.min(2)
        assert spread.max() == 0


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_large_picture_is_protected_at_its_working_size(
    engine: Imuge, depth: type[np.unsignedinteger], other: Pixels8
) -> None:
    large = cv2.resize(other, (1300, 900), interpolation=cv2.INTER_CUBIC).astype(depth)
    if depth == np.uint16:
        large = large * depth(257)
    sent = engine.immunize(Picture(pixels=large), image_id=9)
    assert sent.working_size == (709, 1024)
    assert sent.psnr > 37
    result = engine.verify(sent.picture)
    assert (result.verdict, result.image_id) == ("intact", 9)
    place = result.synchronisation
    assert place is not None
    assert (place.original_height, place.original_width) == (900, 1300)
    assert place.scale == pytest.approx(1, abs=0.01)


def test_a_large_picture_made_smaller_is_still_intact(engine: Imuge, other: Pixels8) -> None:
    """900 x 1300 is protected at 709 x 1024; people share it at whatever size they like."""
    large = cv2.resize(other, (1300, 900), interpolation=cv2.INTER_CUBIC)
    sent = engine.immunize(Picture(pixels=large), image_id=9).picture
    for height, width in ((709, 1024), (450, 650)):
        small = cv2.resize(sent.pixels, (width, height), interpolation=cv2.INTER_AREA)
        result = engine.verify(Picture(pixels=small))
        assert (height, result.verdict, result.image_id) == (height, "intact", 9)
        place = result.synchronisation
        assert place is not None
        assert place.scale == pytest.approx(height / 900, rel=0.01)


def test_restoring_the_canvas_of_a_smaller_picture_gives_the_originals_size(engine: Imuge, other: Pixels8) -> None:
    large = cv2.resize(other, (1300, 900), interpolation=cv2.INTER_CUBIC)
    sent = engine.immunize(Picture(pixels=large)).picture
    small = Picture(pixels=cv2.resize(sent.pixels, (650, 450), interpolation=cv2.INTER_AREA))
    for mask in (np.zeros((450, 650), bool), box(450, 650)):
        result = engine.recover(small, mask=mask, restore_canvas=True)
        assert result.picture.pixels.shape == (900, 1300, 3)
        assert psnr(large, result.picture.pixels) > 20


def test_a_person_may_not_mask_everything(engine: Imuge, sent: ImmunizeResult) -> None:
    with pytest.raises(RecoveryError, match="nothing is left"):
        engine.recover(sent.picture, mask=np.ones((256, 256), bool))


@pytest.mark.parametrize("quality", [90, 70])
def test_an_untampered_jpeg_is_intact(engine: Imuge, sent: ImmunizeResult, quality: int) -> None:
    _, stream = cv2.imencode(".jpg", sent.picture.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.ascontiguousarray(cv2.imdecode(stream, cv2.IMREAD_COLOR)[..., ::-1])
    result = engine.verify(Picture(pixels=decoded))
    assert (result.verdict, result.image_id) == ("intact", 4711)


def test_tampering_in_a_crop_is_found_where_it_is(engine: Imuge, sent: ImmunizeResult, other: Pixels8) -> None:
    crop = np.ascontiguousarray(sent.picture.pixels[20:, 10:])
    truth = box(236, 246)
    result = engine.verify(pasted(Picture(pixels=crop), other))
    assert result.verdict == "tampered"
    assert overlap(result.mask, truth) > 0.5
    assert result.synchronisation is not None
    assert (result.synchronisation.offset_rows, result.synchronisation.offset_cols) == (20, 10)


def test_too_small_a_picture_is_refused(engine: Imuge) -> None:
    for height, width in ((127, 400), (300, 100)):
        with pytest.raises(InputError, match="128"):
            engine.immunize(Picture(pixels=photograph("coffee", 0, 0, height, width)))
    for size in (1, 7, 40, 90):
        result = engine.verify(Picture(pixels=photograph("coffee", 0, 0, size, size)))
        assert (result.verdict, result.mask.shape) == ("not-found", (size, size))


@pytest.mark.parametrize(("height", "width"), [(128, 128), (131, 210)])
def test_the_smallest_and_odd_sizes_work(engine: Imuge, height: int, width: int) -> None:
    sent = engine.immunize(Picture(pixels=photograph("coffee", 60, 200, height, width)), image_id=1)
    result = engine.verify(sent.picture)
    assert (result.verdict, result.image_id) == ("intact", 1)
    assert engine.recover(sent.picture, mask=box(height, width)).picture.pixels.shape == (height, width, 3)


@pytest.mark.parametrize("level", [0, 255])
def test_flat_pictures_are_immunized_or_refused_but_never_wrongly_accused(engine: Imuge, level: int) -> None:
    try:
        sent = engine.immunize(Picture(pixels=np.full((160, 160, 3), level, np.uint8)), image_id=2)
    except InputError as error:
        assert "no room" in str(error)
    else:
        result = engine.verify(sent.picture)
        assert (result.verdict, result.image_id) == ("intact", 2)


def test_a_mask_of_another_size_is_refused(engine: Imuge, sent: ImmunizeResult) -> None:
    with pytest.raises(UsageError, match="256 x 256"):
        engine.recover(sent.picture, mask=box(255, 256))


def test_impossible_settings_are_refused(tmp_path: Path, engine: Imuge, original: Pixels8) -> None:
    with pytest.raises(UsageError, match="strength"):
        Imuge(strength="huge", device="cpu")
    with pytest.raises(UsageError, match="model"):
        Imuge(model="imuge3", device="cpu")
    with pytest.raises(UsageError, match="device"):
        Imuge(device="abacus")
    with pytest.raises(WeightsError):
        Imuge(device="cpu", weights=tmp_path)
    for number in (-1, 1 << 21):
        with pytest.raises(UsageError, match="image id"):
            engine.immunize(Picture(pixels=original), image_id=number)


def test_ids_are_drawn_at_random(engine: Imuge) -> None:
    small = Picture(pixels=photograph("coffee", 60, 200, 128, 128))
    assert len({engine.immunize(small).image_id for _ in range(3)}) == 3


def test_threads_share_an_engine(sent: ImmunizeResult, suspect: Picture, original: Pixels8) -> None:
    engine = Imuge(device="cpu", exact=False)
    alone = engine.recover(suspect)

    def work(_: int) -> tuple[bytes, bytes, bytes]:
        again = engine.immunize(Picture(pixels=original), image_id=4711)
        result = engine.recover(suspect)
        return again.picture.pixels.tobytes(), result.picture.pixels.tobytes(), result.mask.tobytes()

    with ThreadPoolExecutor(2) as pool:
        results = set(pool.map(work, range(4)))
    assert results == {(sent.picture.pixels.tobytes(), alone.picture.pixels.tobytes(), alone.mask.tobytes())}
