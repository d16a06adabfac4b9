"""Pixels that were changed, from what their tiles showed."""

from __future__ import annotations

import numpy as np
import pytest

from imuge_cli.mask.refine import changed_exactly, changed_probably, without_islands


def pictures(quality: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A suspect, a reconstruction of that PSNR, and what was changed."""
    rng = np.random.default_rng(0)
    original = np.clip(rng.normal(128, 30, (96, 96, 3)), 0, 255)
    truth = np.zeros((96, 96), bool)
    truth[20:60, 30:80] = True
    suspect = original.copy()
    suspect[truth] = 200
    restored = original + rng.normal(0, 255 / 10 ** (quality / 20), original.shape)
    return suspect.astype(np.float32), restored.astype(np.float32), truth


@pytest.mark.parametrize("quality", [28.0, 36.0, 44.0])
def test_more_than_the_reconstruction_is_wrong(quality: float) -> None:
    suspect, restored, truth = pictures(quality)
    mask = changed_probably(suspect, restored, quality)
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.93
    same = changed_probably(restored, restored, quality)
    assert not same.any()


def test_bit_for_bit() -> None:
    restored = np.zeros((4, 5, 3), np.uint8)
    suspect = restored.copy()
    suspect[1, 2, 2] = 1
    assert changed_exactly(suspect, restored).sum() == 1 and changed_exactly(suspect, restored)[1, 2]


def test_islands_are_filled_and_bays_are_not() -> None:
    changed = np.zeros((60, 60), bool)
    changed[10:50, 10:60] = True
    vouched = np.zeros((60, 60), bool)
    vouched[:, :5] = True
    changed[25:35, 25:35] = False  # an island
    changed[15:22, 10:20] = False  # a bay, open to the left
    mask = without_islands(changed, vouched)
    assert mask[25:35, 25:35].all() and not mask[16:21, 11:18].any()
    assert not mask[:, :8].any() and (mask | ~changed).all()
