from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from imuge_cli.metrics import fidelity
from imuge_cli.metrics.fidelity import local_psnr, psnr, ssim


def pair(height: int = 40, width: int = 50, seed: int = 0, top: int = 255) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    kind = np.uint8 if top == 255 else np.uint16
    a = rng.integers(0, top + 1, (height, width, 3))
    b = np.clip(a + rng.normal(0, 0.04 * top, a.shape), 0, top)
    return a.astype(kind), b.astype(kind)


@pytest.mark.parametrize("top", [255, 65535])
def test_psnr_equals_the_formula_and_scikit_images(top: int) -> None:
    a, b = pair(top=top)
    by_hand = 10 * math.log10(top**2 / np.mean((a.astype(float) - b.astype(float)) ** 2))
    assert psnr(a, b, data_range=top) == pytest.approx(by_hand, abs=1e-9)
    assert psnr(a, b, data_range=top) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=top), abs=1e-9)


def test_psnr_of_known_errors() -> None:
    flat = np.full((16, 16, 3), 100, dtype=np.uint8)
    assert psnr(flat, flat) == math.inf
    assert psnr(flat, flat + np.uint8(1)) == pytest.approx(20 * math.log10(255))
    assert psnr(flat, flat - np.uint8(1)) == pytest.approx(48.1308, abs=1e-4)  # no wrap-around of unsigned bytes
    assert psnr(np.zeros((8, 8)), np.full((8, 8), 255.0)) == 0.0


def test_psnr_is_taken_in_pieces_without_changing_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = pair()
    whole = psnr(a, b)
    monkeypatch.setattr(fidelity, "_BAND_PIXELS", 37)
    assert psnr(a, b) == pytest.approx(whole, abs=1e-9)


def test_local_psnr_counts_the_mask_alone() -> None:
    a, b = pair()
    mask = np.zeros(a.shape[:2], dtype=bool)
    mask[5:20, 10:30] = True
    by_hand = 10 * math.log10(255**2 / np.mean((a[5:20, 10:30].astype(float) - b[5:20, 10:30]) ** 2))
    assert local_psnr(a, b, mask) == pytest.approx(by_hand, abs=1e-9)
    assert psnr(a, b, mask) == local_psnr(a, b, mask)
    healed = np.where(mask[..., None], a, b)
    assert local_psnr(a, healed, mask) == math.inf
    assert local_psnr(a, healed, ~mask) < 40
    assert math.isnan(local_psnr(a, b, np.zeros_like(mask)))
    assert local_psnr(a, b, np.ones_like(mask)) == pytest.approx(psnr(a, b), abs=1e-9)


@settings(max_examples=25)
@given(height=st.integers(7, 60), width=st.integers(7, 40), rows=st.integers(1, 30), seed=st.integers(0, 99))
def test_ssim_in_bands_equals_scikit_images(height: int, width: int, rows: int, seed: int) -> None:
    a, b = pair(height, width, seed)
    expected = structural_similarity(a, b, channel_axis=2, data_range=255)
    before = fidelity._BAND_PIXELS
    fidelity._BAND_PIXELS = rows * width
    try:
        assert ssim(a, b) == pytest.approx(expected, abs=1e-9)
    finally:
        fidelity._BAND_PIXELS = before


def test_ssim_by_hand_in_one_window() -> None:
    """7 x 7 pixels are one window: unbiased variances, C1 = (.01 L)^2, C2 = (.03 L)^2."""
    a, b = pair(7, 7)
    x, y = a[..., 0].astype(float), b[..., 0].astype(float)
    covariance = np.cov(x.ravel(), y.ravel())
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    expected = (2 * x.mean() * y.mean() + c1) * (2 * covariance[0, 1] + c2)
    expected /= (x.mean() ** 2 + y.mean() ** 2 + c1) * (covariance[0, 0] + covariance[1, 1] + c2)
    assert ssim(a[..., 0], b[..., 0]) == pytest.approx(expected, abs=1e-9)


def test_ssim_of_equal_and_of_16_bit_pictures() -> None:
    a, b = pair(top=65535)
    assert ssim(a, a, data_range=65535) == 1.0
    expected = structural_similarity(a, b, channel_axis=2, data_range=65535)
    assert ssim(a, b, data_range=65535) == pytest.approx(expected, abs=1e-9)


def test_shapes_must_agree() -> None:
    a, b = pair()
    with pytest.raises(ValueError, match="one shape"):
        psnr(a, b[:-1])
    with pytest.raises(ValueError, match="one shape"):
        ssim(a, b[..., :2])
    with pytest.raises(ValueError, match="mask"):
        local_psnr(a, b, np.ones((3, 3), dtype=bool))
    with pytest.raises(ValueError, match="at least 7"):
        ssim(a[:6], b[:6])
