"""The working size, and whether a residual made there arrives through the full-size picture."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_samples import noise
from numpy.typing import NDArray

from imuge_cli.image.picture import Pixels
from imuge_cli.image.working_size import carry_residual, luma, to_working, working_size

FEW_GREY_LEVELS = 0.3


def photograph(height: int, width: int, dtype: type = np.uint8) -> Pixels:
    """Smooth shapes and fine grain, with clipped highlights and shadows."""
    rng = np.random.default_rng(7)
    top = np.iinfo(dtype).max
    smooth = cv2.resize(rng.uniform(-0.1, 1.1, (12, 16, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    smooth += rng.normal(0, 0.02, (height, width, 1))
    return np.rint(np.clip(smooth, 0, 1) * top).astype(dtype)


def residual_at(size: tuple[int, int], strength: float = 2.0) -> NDArray[np.float32]:
    """What an encoder adds: grain of a few pixels' width."""
    grain = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 1, size), (0, 0), 0.8)
    return (grain * (strength / grain.std())).astype(np.float32)


def arrived(pixels: Pixels, result: Pixels, size: tuple[int, int]) -> NDArray[np.float32]:
    return luma(to_working(result, size)) - luma(to_working(pixels, size))


@pytest.mark.parametrize(
    ("full", "expected"),
    [
        ((480, 640), (480, 640)),
        ((1024, 1024), (1024, 1024)),
        ((1023, 129), (1023, 129)),
        ((1025, 1025), (1024, 1024)),
        ((1500, 2000), (768, 1024)),
        ((4000, 6000), (683, 1024)),
        ((6000, 4000), (1024, 683)),
        ((20000, 130), (1024, 16)),
    ],
)
def test_working_size(full: tuple[int, int], expected: tuple[int, int]) -> None:
    assert working_size(*full) == expected


@given(height=st.integers(128, 20000), width=st.integers(128, 20000))
def test_working_size_properties(height: int, width: int) -> None:
    h, w = working_size(height, width)
    assert (w, h) == working_size(width, height)
    if max(height, width) > 1024:
        assert max(h, w) == 1024
        exact = min(height, width) * 1024 / max(height, width)
        assert min(h, w) == 16 or abs(min(h, w) - exact) <= 0.5
        before = working_size(height, width, multiple=16)
        assert before[0] % 16 == before[1] % 16 == 0 and (min(before) == 16 or abs(min(before) - exact) <= 8)
    else:
        assert (h, w) == (height, width)


def test_to_working_is_the_identity_at_equal_size() -> None:
    pixels = noise(50, 60)
    for form in (pixels, pixels.astype(np.float32), pixels.astype(np.uint16) * 257):
        working = to_working(form, (50, 60))
        assert working.dtype == np.float32
        assert np.abs(working - pixels).max() < 1e-4


def test_to_working_averages_areas_without_rounding() -> None:
    pixels = noise(64, 96)
    expected = pixels.reshape(32, 2, 48, 2, 3).mean(axis=(1, 3))
    assert np.abs(to_working(pixels, (32, 48)) - expected).max() < 1e-4
    assert to_working(pixels, (128, 192)).shape == (128, 192, 3)


def test_luma_weights() -> None:
    pure = np.eye(3, dtype=np.uint8)[None] * 200
    assert luma(pure)[0] == pytest.approx([59.8, 117.4, 22.8], abs=1e-4)
    assert luma(pure.astype(np.uint16) * 257)[0] == pytest.approx([59.8, 117.4, 22.8], abs=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_residual_arrives_through_a_larger_picture(dtype: type) -> None:
    pixels = photograph(1500, 2000, dtype)
    size = working_size(1500, 2000)
    residual = residual_at(size)
    result = carry_residual(pixels, residual)
    assert result.dtype == dtype
    assert result.shape == pixels.shape
    error = arrived(pixels, result, size) - residual
    uncorrected = arrived(pixels, carry_residual(pixels, residual, iterations=0), size) - residual
    assert np.sqrt(np.mean(error**2)) < FEW_GREY_LEVELS
    assert np.sqrt(np.mean(error**2)) < 0.5 * np.sqrt(np.mean(uncorrected**2))


def test_equal_size_is_plain_addition() -> None:
    pixels = np.clip(noise(64, 80), 20, 230)
    residual = residual_at((64, 80))
    expected = pixels + np.rint(residual).astype(int)[..., None]
    assert np.array_equal(carry_residual(pixels, residual), expected)


def test_clipping_stays_inside_the_range() -> None:
    for level in (0, 255):
        pixels = np.full((1200, 1100, 3), level, np.uint8)
        size = working_size(1200, 1100)
        result = carry_residual(pixels, residual_at(size, 6.0))
        assert np.abs(result.astype(int) - level).max() < 120


def test_grey_stays_grey() -> None:
    grey = np.repeat(photograph(1300, 1100)[..., :1], 3, axis=2)
    result = carry_residual(grey, residual_at(working_size(1300, 1100)))
    assert np.array_equal(result[..., 0], result[..., 1])
    assert np.array_equal(result[..., 0], result[..., 2])


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak on Linux only")
def test_memory_stays_bounded_at_24_megapixels() -> None:
    script = """
        from pathlib import Path
        import numpy as np
        from imuge_cli.image.working_size import carry_residual, to_working, working_size
        pixels = np.full((4000, 6000, 3), 128, np.uint8)
        size = working_size(4000, 6000)
        to_working(pixels, size)
        carry_residual(pixels, np.ones(size, np.float32), iterations=1)
        # Not ru_maxrss: that one starts at what the parent held when it forked.
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        print(status["VmHWM"].split()[0])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 700_000
