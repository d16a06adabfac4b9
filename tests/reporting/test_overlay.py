from __future__ import annotations

import numpy as np
import pytest

from imuge_cli.reporting.overlay import heatmap, outline, spotlight


def test_no_probability_leaves_the_picture_as_it_is() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (300, 20, 3), dtype=np.uint8)
    assert np.array_equal(heatmap(picture, np.zeros((300, 20), np.float32)), picture)


def test_certain_pixels_turn_red_and_others_stay() -> None:
    picture = np.full((300, 40, 3), 100, np.uint8)
    probability = np.zeros((300, 40), np.float32)
    probability[250:280, 10:20] = 1  # across the strips the overlay works in
    blended = heatmap(picture, probability)
    inside = blended[255, 12].astype(int)
    assert inside[0] > 150 and inside[1] < 80 and inside[2] < 80
    assert blended[280, 12].tolist() == [100, 100, 100]
    assert blended[255, 20].tolist() == [100, 100, 100]
    assert np.array_equal(blended[250:280, 10:20], np.broadcast_to(blended[255, 12], (30, 10, 3)))


def test_the_masks_outline_is_white_and_lies_inside_it() -> None:
    mask = np.zeros((20, 20), bool)
    mask[5:10, 5:10] = True
    edge = outline(mask)
    assert edge.sum() == 16
    assert not edge[~mask].any()
    blended = heatmap(np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), np.float32), mask)
    assert (blended[edge] == 255).all() and (blended[~edge] == 0).all()


def test_the_spotlight_keeps_colours_inside_the_mask_only() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (300, 40, 3), dtype=np.uint8)
    mask = np.zeros((300, 40), bool)
    mask[250:280, 10:20] = True  # across the strips the overlay works in
    shown = spotlight(picture, mask)
    edge = outline(mask)
    assert np.array_equal(shown[mask & ~edge], picture[mask & ~edge])
    assert (shown[edge] == shown[edge][0]).all() and np.ptp(shown[edge][0]) > 200
    around = shown[~mask]
    assert (around == around[:, :1]).all()  # grey
    assert np.ptp(around) < 0.6 * 255
    with pytest.raises(ValueError, match="agree"):
        spotlight(picture, mask[1:])


def test_values_outside_the_range_do_not_overflow() -> None:
    probability = np.array([[np.nan, 5.0], [-3.0, 0.5]], np.float32)
    blended = heatmap(np.full((2, 2, 3), 10, np.uint8), probability)
    assert blended[0, 0].tolist() == [10, 10, 10] and blended[1, 0].tolist() == [10, 10, 10]


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="agree"):
        heatmap(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.float32))
