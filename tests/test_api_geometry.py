"""Suspects that were scaled by an unknown factor, cropped, mirrored, recompressed: what a person gets."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from photographs import photograph

from imuge_cli import Imuge, api
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.benchmark.cases import in_frame
from imuge_cli.errors import NotImmunizedError, RecoveryError
from imuge_cli.image.picture import Picture
from imuge_cli.lattice.placement import ORIENTATIONS
from imuge_cli.mask.cleanup import enlarged
from imuge_cli.metrics.fidelity import local_psnr, psnr
from imuge_cli.models.lattice import seeing
from imuge_cli.models.lattice.model import LatticeModel
from imuge_cli.models.protocol import Verified

MIRRORED = next(orientation for orientation in ORIENTATIONS if orientation.name == "mirrored")


@pytest.fixture(scope="module")
def engine() -> Imuge:
    return Imuge(device="cpu", exact=False)


@pytest.mark.parametrize(
    ("chain", "orientation"), [("crop:0.7+scale:0.8+jpeg:90", ORIENTATIONS[0]), ("scale:1.5", MIRRORED)], ids=str
)
def test_a_scaled_suspect_is_verified_and_recovered(engine: Imuge, chain: str, orientation: object) -> None:
    original = photograph("astronaut", 0, 0, 512, 512)
    sent = engine.immunize(Picture(pixels=original), image_id=77).picture.as_uint8()
    truth = np.zeros((512, 512), bool)
    truth[150:260, 200:300] = True
    tampered: NDArray[np.uint8] = np.where(truth[..., None], photograph("coffee", 0, 0, 400, 600)[:1, :1], sent)
    done = apply(parse(chain), tampered, np.random.default_rng(5))
    assert orientation in ORIENTATIONS
    turned = ORIENTATIONS[ORIENTATIONS.index(orientation)]
    suspect = Picture(pixels=turned.apply(done.image))
    marked, reference = turned.apply(done.follow(truth)), turned.apply(in_frame(original, done))
    found = engine.verify(suspect)
    assert found.verdict == "tampered" and found.image_id == 77 and found.synchronisation is not None
    place = found.synchronisation
    assert (place.offset_rows, place.offset_cols) == done.crop_box[:2]
    assert place.scale == pytest.approx(done.scale[0], rel=0.003)
    assert place.orientation == turned.name
    # A suspect of 342 pixels at JPEG 90: V marks more than it should around the true area.
    assert 2 * (found.mask & marked).sum() / (found.mask.sum() + marked.sum()) > 0.75
    assert (found.mask & marked).sum() > 0.95 * marked.sum()
    result = engine.recover(suspect, verification=found)
    back = result.picture.as_uint8()
    assert local_psnr(reference, back, marked) > 20
    assert (back[~result.mask] == suspect.as_uint8()[~result.mask]).all()
    whole = engine.recover(suspect, verification=found, restore_canvas=True).picture.as_uint8()
    assert whole.shape == original.shape
    assert local_psnr(original, whole, truth) > 20


@pytest.mark.parametrize("degrees", [0.12, -3.0])
def test_a_turned_suspect_is_verified_and_recovered(engine: Imuge, degrees: float) -> None:
    original = photograph("astronaut", 0, 0, 512, 512)
    sent = engine.immunize(Picture(pixels=original), image_id=77).picture.as_uint8()
    chain = parse(f"rotate:{degrees}+jpeg:90")
    untouched = engine.verify(Picture(pixels=apply(chain, sent, np.random.default_rng(5)).image))
    assert (untouched.verdict, untouched.image_id) == ("intact", 77)
    assert untouched.synchronisation is not None
    assert untouched.synchronisation.turned_degrees == pytest.approx(degrees, abs=0.02)
    truth = np.zeros((512, 512), bool)
    truth[150:260, 200:300] = True
    done = apply(chain, np.where(truth[..., None], sent[:1, :1], sent), np.random.default_rng(5))
    suspect, marked, reference = Picture(pixels=done.image), done.follow(truth), in_frame(original, done)
    found = engine.verify(suspect)
    assert found.verdict == "tampered"
    assert 2 * (found.mask & marked).sum() / (found.mask.sum() + marked.sum()) > 0.93
    result = engine.recover(suspect, verification=found)
    back = result.picture.as_uint8()
    assert local_psnr(reference, back, marked) > 20
    assert (back[~result.mask] == done.image[~result.mask]).all()
    whole = engine.recover(suspect, verification=found, restore_canvas=True).picture.as_uint8()
    assert whole.shape == original.shape
    # What the turn cut away as well.
    assert local_psnr(original, whole, truth) > 20 and psnr(original, whole) > 22


def test_corners_that_a_turn_left_empty_are_foreign(engine: Imuge) -> None:
    sent = engine.immunize(Picture(pixels=photograph("astronaut", 0, 0, 512, 512)), image_id=77).picture.as_uint8()
    matrix = cv2.getRotationMatrix2D((255.5, 255.5), 3.0, 1.0)
    turned = cv2.warpAffine(sent, matrix, (512, 512), flags=cv2.INTER_CUBIC)
    inside = cv2.warpAffine(np.ones((512, 512), np.float32), matrix, (512, 512)) > 0.99
    found = engine.verify(Picture(pixels=np.asarray(turned, np.uint8)))
    assert found.synchronisation is not None
    assert found.synchronisation.turned_degrees == pytest.approx(3, abs=0.02)
    # What V half suspects along the corners that came in is not made more convincing by them.
    assert found.mask[~inside].mean() > 0.8 and not found.mask[inside].any()
    assert found.foreign is not None and found.foreign.mean() < 0.12
    assert found.verdict == "tampered" and all(region.foreign for region in found.regions)


def test_a_frame_around_the_picture_is_foreign_and_stays(engine: Imuge) -> None:
    original = photograph("astronaut", 0, 0, 512, 512)
    sent = engine.immunize(Picture(pixels=original), image_id=77).picture.as_uint8()
    sent[150:260, 200:300] = 30
    screen = np.full((700, 900, 3), 200, np.uint8)
    screen[100:612, 300:812] = sent
    found = engine.verify(Picture(pixels=screen))
    assert found.verdict == "tampered" and found.image_id == 77
    inside = np.zeros((700, 900), bool)
    inside[100:612, 300:812] = True
    assert found.mask[~inside].mean() > 0.98
    assert found.foreign is not None and (found.foreign == ~inside).mean() > 0.999
    assert [region.foreign for region in found.regions] == [False, True]
    wrong = found.mask[inside].reshape(512, 512)
    assert wrong[155:255, 205:295].all() and wrong.mean() < 0.09
    result = engine.recover(Picture(pixels=screen), verification=found)
    back = result.picture.as_uint8()
    assert (back[~inside] == 200).all() and not result.mask[~inside].any()
    # A rim of the picture along its frame is no part of what was changed.
    assert (back[100:612, 300:812][:140] == sent[:140]).all() and result.restored_share < 0.05
    truth = np.zeros((512, 512), bool)
    truth[150:260, 200:300] = True
    assert local_psnr(original, back[100:612, 300:812], truth) > 20
    framed = engine.recover(Picture(pixels=screen), verification=found, restore_canvas=True)
    assert framed.picture.as_uint8().shape == original.shape and framed.restored_share < 0.05


def test_what_is_found_but_cannot_be_read_is_no_verdict(engine: Imuge) -> None:
    sent = engine.immunize(Picture(pixels=photograph("astronaut", 0, 0, 512, 512)), image_id=77).picture.as_uint8()
    suspect = Picture(pixels=apply(parse("scale:0.5+jpeg:70"), sent, np.random.default_rng(1)).image)
    found = engine.verify(suspect)
    assert found.verdict == "not-found" and not found.mask.any() and found.image_id is None
    place = found.synchronisation
    assert place is not None and not place.header_read
    assert (place.offset_rows, place.offset_cols) == (0, 0) and place.scale == pytest.approx(0.5, rel=0.002)
    with pytest.raises(NotImmunizedError, match="too little"):
        engine.recover(suspect, verification=found)


def test_where_blocks_tell_nothing_the_picture_is_named_and_no_verdict_given(
    engine: Imuge, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = engine.immunize(Picture(pixels=photograph("astronaut", 0, 0, 256, 256)), image_id=77).picture.as_uint8()
    suspect = Picture(pixels=apply(parse("noise:7"), sent, np.random.default_rng(1)).image)
    assert engine.verify(suspect).verdict == "intact"
    monkeypatch.setattr(seeing, "_LEAST_AGREEMENT", 0.6)
    monkeypatch.setattr(seeing, "_LITTLE_DOUBT", 0.0)
    found = engine.verify(suspect)
    assert (found.verdict, found.image_id, found.mask.any()) == ("not-found", 77, False)
    assert found.synchronisation is not None and found.synchronisation.header_read
    with pytest.raises(NotImmunizedError, match="too little"):
        engine.recover(suspect, verification=found)
    # The symbols that fit the draft are evidence enough.
    monkeypatch.setattr(seeing, "_LITTLE_DOUBT", 1.0)
    assert engine.verify(suspect).verdict == "intact"


def test_without_a_header_nothing_is_called_intact(engine: Imuge, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = engine.immunize(Picture(pixels=photograph("astronaut", 0, 0, 256, 256)), image_id=77).picture.as_uint8()
    headless = LatticeModel.verify

    def verify(self: LatticeModel, pixels: NDArray[np.uint8]) -> Verified:
        return replace(headless(self, pixels), header=None)

    monkeypatch.setattr(LatticeModel, "verify", verify)
    suspect = Picture(pixels=apply(parse("jpeg:80"), sent, np.random.default_rng(1)).image)
    found = engine.verify(suspect)
    assert (found.verdict, found.image_id, found.exit_code) == ("not-found", None, 3)
    assert found.synchronisation is not None and not found.synchronisation.header_read
    with pytest.raises(NotImmunizedError, match="too little"):
        engine.recover(suspect, verification=found)
    changed = suspect.as_uint8().copy()
    changed[60:140, 80:180] = photograph("coffee", 0, 0, 80, 100)
    found = engine.verify(Picture(pixels=changed))
    assert (found.verdict, found.image_id) == ("tampered", None)
    assert found.mask[60:140, 80:180].mean() > 0.9 and found.mask.mean() < 0.2


@pytest.mark.parametrize(("chain", "sides"), [("none", (512, 470)), ("crop:0.8", (1.06, 1.0))])
def test_a_picture_of_which_one_side_was_changed_is_found(
    engine: Imuge, chain: str, sides: tuple[float, float]
) -> None:
    sent = engine.immunize(Picture(pixels=photograph("astronaut", 0, 0, 512, 512)), image_id=6).picture.as_uint8()
    done = apply(parse(chain), sent, np.random.default_rng(4))
    height, width = (round(side * by) if by < 2 else int(by) for side, by in zip(done.image.shape, sides, strict=False))
    found = engine.verify(Picture(pixels=cv2.resize(done.image, (width, height), interpolation=cv2.INTER_CUBIC)))
    assert (found.verdict, found.image_id) == ("intact", 6)
    place = found.synchronisation
    assert place is not None and (place.offset_rows, place.offset_cols) == done.crop_box[:2]


def test_a_large_picture_with_another_aspect_is_found(engine: Imuge) -> None:
    large = apply(parse("scale:2.5"), photograph("coffee", 0, 0, 400, 600), np.random.default_rng(0)).image
    sent = engine.immunize(Picture(pixels=large), image_id=9).picture.as_uint8()
    squeezed = cv2.resize(sent, (sent.shape[1] * 93 // 100, sent.shape[0]), interpolation=cv2.INTER_AREA)
    found = engine.verify(Picture(pixels=squeezed))
    assert (found.verdict, found.image_id) == ("intact", 9)
    place = found.synchronisation
    assert place is not None and (place.offset_rows, place.offset_cols) == (0, 0)
    assert (place.original_height, place.original_width) == sent.shape[:2]
    assert place.scale == pytest.approx(0.93**0.5, rel=0.01)


def cut(pixels: NDArray[np.uint8], top: int, left: int, bottom: int, right: int) -> Picture:
    return Picture(pixels=np.ascontiguousarray(pixels[top : len(pixels) - bottom, left : pixels.shape[1] - right]))


@pytest.mark.parametrize("chain", ["none", "jpeg:70"])
@pytest.mark.parametrize("edges", [(1, 0, 0, 0), (0, 1, 0, 0), (1, 1, 1, 1), (2, 0, 0, 3)], ids=str)
def test_an_edge_cut_away_is_no_tampering(engine: Imuge, chain: str, edges: tuple[int, int, int, int]) -> None:
    """A header can be read a pixel or two beside its place, where blocks contradict each other."""
    sent = engine.immunize(Picture(pixels=photograph("astronaut", 0, 0, 512, 512)), image_id=3).picture
    suspect = cut(sent.as_uint8(), *edges)
    suspect = Picture(pixels=apply(parse(chain), suspect.as_uint8(), np.random.default_rng(1)).image)
    found = engine.verify(suspect)
    place = found.synchronisation
    assert found.verdict == "intact" and place is not None
    assert (place.offset_rows, place.offset_cols, place.scale) == (edges[0], edges[1], 1.0)


@pytest.mark.parametrize("by", [(0, 1), (2, 0), (-1, -1), (9, -5)], ids=str)
def test_a_picture_shifted_within_its_frame_is_found_where_it_is(engine: Imuge, by: tuple[int, int]) -> None:
    sent = engine.immunize(Picture(pixels=photograph("coffee", 0, 0, 400, 600)), image_id=3).picture.as_uint8()
    found = engine.verify(Picture(pixels=np.roll(sent, by, (0, 1))))
    place = found.synchronisation
    assert place is not None and found.image_id == 3
    assert (place.offset_rows, place.offset_cols) == tuple(max(0, -shift) for shift in by)
    # Nothing but the rows and columns that came around from the other side.
    inner = found.mask[max(0, by[0]) + 8 : 392 + min(0, by[0]), max(0, by[1]) + 8 : 592 + min(0, by[1])]
    assert not inner.any()


@pytest.mark.parametrize("edges", [(2, 2, 0, 0), (10, 0, 0, 10), (7, 9, 3, 1)], ids=str)
def test_edges_cut_off_a_large_picture(engine: Imuge, edges: tuple[int, int, int, int]) -> None:
    """Less than a working pixel, or a few: the template tells."""
    large = cv2.resize(photograph("coffee", 0, 0, 400, 600), (1800, 1200), interpolation=cv2.INTER_CUBIC)
    sent = engine.immunize(Picture(pixels=large), image_id=3).picture.as_uint8()
    found = engine.verify(cut(sent, *edges))
    place = found.synchronisation
    assert found.verdict == "intact" and place is not None
    assert abs(place.offset_rows - edges[0]) <= 1 and abs(place.offset_cols - edges[1]) <= 1
    assert place.scale == pytest.approx(1, abs=3e-4)


@pytest.mark.parametrize("size", [(128, 7000), (9000, 130)])
def test_strips_narrower_than_the_templates_cells(engine: Imuge, size: tuple[int, int]) -> None:
    strip = cv2.resize(photograph("astronaut", 0, 0, 512, 512), size[::-1], interpolation=cv2.INTER_LINEAR)
    sent = engine.immunize(Picture(pixels=strip), image_id=3).picture
    assert engine.verify(sent).verdict == "intact"


def test_a_restored_canvas_keeps_the_detail_of_what_a_large_suspect_shows(engine: Imuge) -> None:
    parts = [photograph(name, 0, 0, 400, 500) for name in ("astronaut", "coffee")]
    original = cv2.resize(np.concatenate(parts, 1), (2000, 800), interpolation=cv2.INTER_CUBIC)
    original = np.clip(original + np.random.default_rng(2).normal(0, 6, original.shape), 0, 255).astype(np.uint8)
    sent = engine.immunize(Picture(pixels=original), image_id=77).picture.as_uint8()
    sent[300:420, 500:650] = 30
    box = slice(31, 790), slice(52, 1900)
    suspect = Picture(pixels=np.ascontiguousarray(sent[box]))
    found = engine.verify(suspect)
    assert found.verdict == "tampered"
    whole = engine.recover(suspect, verification=found, restore_canvas=True).picture.as_uint8()
    assert whole.shape == original.shape
    kept = ~enlarged(found.mask, 20)
    kept[:4], kept[-4:], kept[:, :4], kept[:, -4:] = False, False, False, False
    # Interpolated once, 61 dB; the working picture alone, brought to this size, has 31.7.
    assert local_psnr(suspect.as_uint8(), whole[box], kept) > 45
    truth = np.zeros(original.shape[:2], bool)
    truth[300:420, 500:650] = True
    assert local_psnr(original, whole, truth) > 20


def test_a_mirrored_picture_is_given_its_frame_back_and_loses_alpha(engine: Imuge) -> None:
    original = photograph("astronaut", 0, 0, 256, 256)
    sent = engine.immunize(Picture(pixels=original), image_id=77).picture.as_uint8()
    alpha = np.zeros((256, 256), np.uint8)
    alpha[:, :100] = 255
    suspect = Picture(pixels=np.ascontiguousarray(sent[:, ::-1]), alpha=alpha)
    as_it_is = engine.recover(suspect)
    assert as_it_is.picture is suspect and not as_it_is.reframed
    result = engine.recover(suspect, verification=as_it_is.verification, restore_canvas=True)
    assert result.reframed and result.picture.alpha is None
    assert local_psnr(sent, result.picture.as_uint8(), np.ones((256, 256), bool)) > 40


def test_an_original_of_impossible_size_is_refused(engine: Imuge, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = engine.immunize(Picture(pixels=photograph("astronaut", 0, 0, 256, 256)), image_id=77).picture
    crop = Picture(pixels=np.ascontiguousarray(sent.pixels[16:]))
    monkeypatch.setattr(api, "MAX_PIXELS", 256 * 256 - 1)
    with pytest.raises(RecoveryError, match="256 x 256 pixels, more than"):
        engine.recover(crop, restore_canvas=True)
    assert engine.recover(crop).picture.pixels.shape == crop.pixels.shape


@pytest.mark.parametrize("size", [(64, 4096), (40, 3000), (122, 5484)])
def test_narrow_strips_without_a_header_are_answered(engine: Imuge, size: tuple[int, int]) -> None:
    strip = cv2.resize(photograph("astronaut", 0, 0, 512, 512), size[::-1], interpolation=cv2.INTER_LINEAR)
    assert engine.verify(Picture(pixels=strip)).verdict == "not-found"


@pytest.mark.parametrize(("below", "right", "mode"), [(8, 0, "edge"), (4, 0, "constant"), (0, 24, "constant")])
def test_rows_and_columns_added_are_foreign(engine: Imuge, below: int, right: int, mode: str) -> None:
    """The first pixel is the picture's first: its header is read where it lies, and it has fewer pixels than that."""
    original = photograph("astronaut", 0, 0, 384, 448)
    sent = engine.immunize(Picture(pixels=original), image_id=77).picture.as_uint8()
    sent[150:260, 200:300] = 30
    wider = np.pad(sent, ((0, below), (0, right), (0, 0)), mode)  # type: ignore[call-overload]
    suspect = apply(parse("jpeg:90"), wider, np.random.default_rng(5)).image
    found = engine.verify(Picture(pixels=suspect))
    assert found.verdict == "tampered" and found.image_id == 77 and found.synchronisation is not None
    assert found.synchronisation.scale == pytest.approx(1, abs=1e-3)
    inside = found.mask[:384, :448]
    assert inside[155:255, 205:295].all() and inside.mean() < 0.09
    beyond = np.ones(found.mask.shape, bool)
    beyond[:384, :448] = False
    assert found.mask[beyond].mean() > 0.6
    result = engine.recover(Picture(pixels=suspect), verification=found)
    truth = np.zeros((384, 448), bool)
    truth[150:260, 200:300] = True
    back = result.picture.as_uint8()
    assert local_psnr(original, back[:384, :448], truth) > 20
    assert (back[beyond] == suspect[beyond]).all()
