from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imuge_cli.attacks.masks import random_mask
from imuge_cli.attacks.tampers import (
    NEEDS_DONOR,
    TAMPERS,
    apply_tamper,
    clone_shift,
    random_tamper,
)
from imuge_cli.errors import UsageError

U8 = NDArray[np.uint8]


def _box(height: int, width: int, top: int, left: int, bottom: int, right: int) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize("shape", ["box", "object", "multi", "text"])
@pytest.mark.parametrize("kind", TAMPERS)
def test_only_the_mask_is_touched(kind: str, shape: str, image: U8, donor: U8) -> None:
    before, donor_before = image.copy(), donor.copy()
    mask = random_mask(*image.shape[:2], 0.2, np.random.default_rng(1), shape)
    tampered, marked = apply_tamper(image, kind, mask, np.random.default_rng(2), donor)
    assert tampered.shape == image.shape
    assert tampered.dtype == np.uint8
    assert np.array_equal(marked, mask)
    assert marked is not mask
    assert np.array_equal(tampered[~mask], image[~mask])
    changed = (tampered != image).any(axis=2)[mask].mean()
    assert changed > 0.8, f"{kind} changed only {changed:.0%} of its mask"
    assert np.array_equal(image, before)
    assert np.array_equal(donor, donor_before)


@pytest.mark.parametrize("kind", TAMPERS)
def test_the_seed_decides(kind: str, image: U8, donor: U8) -> None:
    first = random_tamper(image, kind, 0.15, np.random.default_rng(7), donor)
    again = random_tamper(image, kind, 0.15, np.random.default_rng(7), donor)
    other = random_tamper(image, kind, 0.15, np.random.default_rng(8), donor)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    assert abs(first[1].mean() - 0.15) < 0.015


@pytest.mark.parametrize("kind", TAMPERS)
def test_an_empty_and_a_full_mask(kind: str, image: U8, donor: U8) -> None:
    nothing, everything = np.zeros(image.shape[:2], dtype=bool), np.ones(image.shape[:2], dtype=bool)
    untouched, marked = apply_tamper(image, kind, nothing, np.random.default_rng(0), donor)
    assert np.array_equal(untouched, image)
    assert not marked.any()
    tampered, marked = apply_tamper(image, kind, everything, np.random.default_rng(0), donor)
    assert marked.all()
    assert (tampered != image).any(axis=2).mean() > 0.8


def test_splice_takes_the_donor_at_the_same_place(image: U8) -> None:
    donor = 255 - image
    mask = random_mask(*image.shape[:2], 0.3, np.random.default_rng(1), "object")
    tampered, _ = apply_tamper(image, "splice", mask, np.random.default_rng(2), donor)
    assert np.array_equal(tampered[mask], donor[mask])


@pytest.mark.parametrize("size", [(20, 300), (300, 20), (16, 16), (400, 500)])
@pytest.mark.parametrize("kind", NEEDS_DONOR)
def test_a_donor_of_any_size_will_do(kind: str, size: tuple[int, int], image: U8) -> None:
    donor = np.full((*size, 3), 7, dtype=np.uint8)
    mask = random_mask(*image.shape[:2], 0.3, np.random.default_rng(1), "ellipse")
    tampered, _ = apply_tamper(image, kind, mask, np.random.default_rng(2), donor)
    assert (tampered[mask] == 7).all()


def test_paste_moves_scales_and_flips(image: U8) -> None:
    """On a donor that is a ramp along its columns, the pasted slope gives the scale and the sign the flip."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, axis=0).repeat(3, axis=2)
    mask = _box(96, 128, 20, 40, 70, 100)
    slopes, starts = [], []
    for seed in range(40):
        tampered, _ = apply_tamper(image, "paste", mask, np.random.default_rng(seed), ramp)
        row = tampered[45, 42:98, 0].astype(float)
        slopes.append(np.polyfit(np.arange(row.size), row, 1)[0])
        starts.append(row[0])
    slope = np.array(slopes)
    assert 5 < (slope < 0).sum() < 35
    assert (np.abs(slope) > 1 / 1.6 - 0.05).all() and (np.abs(slope) < 1 / 0.6 + 0.05).all()
    assert np.abs(slope).std() > 0.1
    assert np.std(starts) > 20


def test_clone_copies_from_one_shift_of_the_same_picture(image: U8) -> None:
    mask = random_mask(96, 128, 0.1, np.random.default_rng(4), "object")
    tampered, _ = apply_tamper(image, "clone", mask, np.random.default_rng(5))
    found = [
        (down, right)
        for down in range(-48, 49)
        for right in range(-64, 65)
        if np.array_equal(np.roll(image, (-down, -right), axis=(0, 1))[mask], tampered[mask])
    ]
    assert len(found) == 1
    assert np.hypot(*found[0]) >= 16


@settings(max_examples=200)
@given(data=st.data(), height=st.integers(40, 300), width=st.integers(40, 300), seed=st.integers(0, 2**32 - 1))
def test_clone_shifts_are_long_enough_and_stay_inside_where_they_can(
    data: st.DataObject, height: int, width: int, seed: int
) -> None:
    top, left = data.draw(st.integers(0, height - 2)), data.draw(st.integers(0, width - 2))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    box = (slice(top, bottom), slice(left, right))
    down, across = clone_shift(height, width, box, np.random.default_rng(seed))
    extent = max(bottom - top, right - left)
    assert np.hypot(down, across) >= min(max(16, extent / 3), 0.9 * np.hypot(height // 2, width // 2)) - 1e-9
    # however the copy wraps, the nearest way round is the shift itself
    assert abs(down) <= max(height // 2, top, height - bottom)
    if extent <= min(height, width) // 4:
        assert top + down >= 0 and bottom + down <= height
        assert left + across >= 0 and right + across <= width


def test_inpainting_equals_telea_on_the_whole_picture(image: U8) -> None:
    mask = random_mask(96, 128, 0.08, np.random.default_rng(4), "object")
    tampered, _ = apply_tamper(image, "inpaint", mask, np.random.default_rng(5))
    whole = cv2.inpaint(image, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    assert np.abs(tampered.astype(int) - whole.astype(int))[mask].mean() < 1.0


def test_inpainting_smooths(image: U8) -> None:
    mask = _box(96, 128, 30, 40, 60, 90)
    tampered, _ = apply_tamper(image, "inpaint", mask, np.random.default_rng(5))

    def texture(picture: U8) -> float:
        return float(np.abs(np.diff(picture[30:60, 40:90].astype(float), axis=1)).mean())

    assert texture(tampered) < 0.6 * texture(image)


def test_colour_is_one_colour_sometimes_with_slight_noise(image: U8) -> None:
    mask = _box(96, 128, 30, 40, 60, 90)
    spreads = []
    for seed in range(30):
        tampered, _ = apply_tamper(image, "colour", mask, np.random.default_rng(seed))
        spreads.append(tampered[mask].astype(float).std(axis=0).max())
    assert 12 <= sum(spread == 0 for spread in spreads) <= 28
    assert max(spreads) < 8


def test_writing_puts_letters_on_a_plate_and_inks_letters(image: U8) -> None:
    plate = _box(96, 128, 20, 20, 80, 110)
    letters = random_mask(96, 128, 0.05, np.random.default_rng(0), "text")
    for seed in range(5):
        on_plate, _ = apply_tamper(image, "text", plate, np.random.default_rng(seed))
        colours, counts = np.unique(on_plate[plate], axis=0, return_counts=True)
        plate_colour, plate_share = colours[counts.argmax()], counts.max() / counts.sum()
        assert 0.4 < plate_share < 0.97
        # what is not plate is ink, more or less blended with it
        ink = on_plate[plate].astype(float) - plate_colour
        assert (np.abs(ink).max(axis=1) > 50).mean() > 0.03
        inked, _ = apply_tamper(image, "text", letters, np.random.default_rng(seed))
        assert len(np.unique(inked[letters], axis=0)) == 1


def test_brush_paint_is_opaque_inside_and_softer_at_the_edge(image: U8) -> None:
    mask = _box(96, 128, 20, 20, 80, 110)
    inner = _box(96, 128, 24, 24, 76, 106)
    rim, core = [], []
    for seed in range(20):
        tampered, _ = apply_tamper(image, "brush", mask, np.random.default_rng(seed))
        other, _ = apply_tamper(255 - image, "brush", mask, np.random.default_rng(seed))
        # what differs between two pictures under one paint is what shines through; where the colour is picked
        # from the picture, all of it differs: hence the median over the seeds
        through = np.abs(tampered.astype(float) - other.astype(float))
        rim.append(through[mask & ~inner].mean())
        core.append(through[inner].mean())
    assert np.median(core) < 0.5 * np.median(rim)


def test_errors_name_what_is_valid(image: U8) -> None:
    mask = np.ones(image.shape[:2], dtype=bool)
    with pytest.raises(UsageError) as caught:
        apply_tamper(image, "smudge", mask, np.random.default_rng(0))
    for kind in TAMPERS:
        assert kind in str(caught.value)
    for kind in NEEDS_DONOR:
        with pytest.raises(UsageError, match="donor"):
            apply_tamper(image, kind, mask, np.random.default_rng(0))
    with pytest.raises(ValueError, match="mask"):
        apply_tamper(image, "colour", mask[:-1], np.random.default_rng(0))
    with pytest.raises(ValueError, match="uint8"):
        apply_tamper(image[..., 0], "colour", mask, np.random.default_rng(0))


def test_threads_do_not_disturb_each_other(image: U8, donor: U8) -> None:
    def work(seed: int) -> U8:
        return random_tamper(image, TAMPERS[seed % len(TAMPERS)], 0.1, np.random.default_rng(seed), donor)[0]

    seeds = range(28)
    alone = [work(seed) for seed in seeds]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, seeds))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
