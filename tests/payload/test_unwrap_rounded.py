"""Messages and ratios of phases that JPEG rounded, against numerical integration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Tensor

from imuge_cli.lattice.modulation import wrap
from imuge_cli.payload.unwrap import log_likelihood_ratio, message, unwrap, unwrap_rounded

Values = NDArray[np.float64]


def tensors(*values: float, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    return [torch.tensor([value], dtype=dtype) for value in values]


def heard(
    received: Tensor, mean: Tensor, variance: Tensor, noise: Tensor, half: Tensor, outlier: Tensor, gain: Tensor
) -> tuple[Tensor, Tensor]:
    """What a rounded phase says of its symbol: value and precision."""
    posterior, left = unwrap_rounded(received, mean, variance, noise, half, outlier, gain)
    return message(posterior, left, gain * mean, gain**2 * variance, gain)


def posterior_by_integration(
    received: float, mean: float, variance: float, noise: float, half: float, outlier: float, gain: float
) -> tuple[float, float]:
    """Mean and variance of y given r = wrap(gain * y + noise + uniform error), or r uniform with `outlier`."""
    y: Values = np.linspace(mean - 9 * math.sqrt(variance), mean + 9 * math.sqrt(variance), 6001)
    likelihood: Values = np.zeros_like(y)
    for turn in range(-8, 9):
        # By the lower tail, where differences keep their digits.
        distance = np.abs(received + turn - gain * y)
        likelihood += ndtr((half - distance) / math.sqrt(noise)) - ndtr((-half - distance) / math.sqrt(noise))
    weight = np.exp(-((y - mean) ** 2) / (2 * variance)) * ((1 - outlier) * likelihood / (2 * half) + outlier)
    weight /= weight.sum()
    centre = float((weight * y).sum())
    return centre, float((weight * (y - centre) ** 2).sum())


def check_message(
    value: float, precision: float, mean: float, variance: float, centre: float, width: float, tolerance: float
) -> None:
    """Prior times message is the posterior; no Gaussian message widens a prior."""
    assert precision >= 0
    if width < 0.98 * variance:
        total = 1 / variance + precision
        assert 1 / total == pytest.approx(width, rel=tolerance)
        assert (mean / variance + value * precision) / total == pytest.approx(
            centre, abs=tolerance * math.sqrt(variance)
        )
    else:
        assert precision <= 0.03 / variance


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@settings(max_examples=50)
@given(
    received=st.floats(-0.5, 0.499),
    mean=st.floats(-2, 2),
    spread=st.floats(0.02, 0.35),
    noise=st.floats(0.03, 0.15),
    half=st.floats(0.01, 0.8),
    outlier=st.floats(0.01, 0.9),
    gain=st.floats(0.2, 0.6),
)
# The prior says one thing and the phase the opposite; near the edge of the interval; half a turn away.
@example(received=0.45, mean=0.0, spread=0.03, noise=0.035, half=0.02, outlier=0.02, gain=0.35)
@example(received=0.25, mean=0.0, spread=0.05, noise=0.035, half=0.25, outlier=0.02, gain=0.5)
@example(received=-0.5, mean=1.0, spread=0.3, noise=0.035, half=0.3, outlier=0.02, gain=0.5)
def test_message_times_prior_is_the_posterior(
    dtype: torch.dtype,
    received: float,
    mean: float,
    spread: float,
    noise: float,
    half: float,
    outlier: float,
    gain: float,
) -> None:
    """spread: the prior's standard deviation in cells; noise: the channel's."""
    variance = (spread / gain) ** 2
    centre, width = posterior_by_integration(received, mean, variance, noise**2, half, outlier, gain)
    arguments = tensors(received, mean, variance, noise**2, half, outlier, gain, dtype=dtype)
    value, precision = (float(t) for t in heard(*arguments))
    check_message(value, precision, mean, variance, centre, width, 1e-3)


@pytest.mark.parametrize("received", [-0.5, -0.31, -0.02, 0.13, 0.4])
@pytest.mark.parametrize("mean", [-1.7, 0.0, 0.6])
def test_an_interval_of_no_width_is_plain_noise(received: float, mean: float) -> None:
    variance, noise, outlier, gain = 0.3, 0.004, 0.05, 0.35
    expected = unwrap(*tensors(received, mean, variance, noise, outlier, gain))
    found = unwrap_rounded(*tensors(received, mean, variance, noise, 1e-4, outlier, gain))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_wider_interval_says_less_and_one_of_a_whole_cell_nothing() -> None:
    variance, precisions = 0.3, []
    for half in (0.02, 0.1, 0.2, 0.3, 0.4, 0.5):
        _, precision = heard(*tensors(0.1, 0.3, variance, 0.0012, half, 0.02, 0.35))
        precisions.append(float(precision))
    assert all(wider < narrower for narrower, wider in zip(precisions, precisions[1:], strict=False))
    assert precisions[0] > 20 / variance
    # Intervals of one cell tile the line: every phase is as likely.
    assert precisions[-1] < 1e-6 / variance


def test_an_overwritten_symbol_says_nothing() -> None:
    received = torch.linspace(-0.5, 0.49, 50, dtype=torch.float64)
    mean, variance, noise, half, gain = tensors(0.2, 0.5, 0.002, 0.15, 0.35)
    for outlier, most in ((0.999, 0.05), (1 - 1e-9, 1e-6)):
        _, precision = heard(received, mean, variance, noise, half, *tensors(outlier), gain)
        assert float(precision.max()) * 0.5 < most


@pytest.mark.parametrize("symbol", [-7.3, -2.2, -0.4, 0.0, 1.9, 3.4, 11.8])
def test_the_posterior_lies_in_the_interval_that_the_prior_chooses(symbol: float) -> None:
    """A prior far wider than the interval leaves a uniform posterior: its centre, and a twelfth of its width."""
    gain, half = 0.35, 0.02
    received = wrap(torch.tensor([gain * symbol], dtype=torch.float64))
    prior = tensors(symbol + 0.1, (0.15 / gain) ** 2)
    value, precision = heard(received, *prior, *tensors(1e-7, half, 1e-9, gain))
    assert float(value) == pytest.approx(symbol, abs=0.01 * half / gain)
    assert 1 / float(precision) == pytest.approx((2 * half / gain) ** 2 / 12, rel=0.02)


def test_contradictions_stay_finite_in_single_precision() -> None:
    """A sure prior (0.04 cells) and phases all over the cell, narrow and wide intervals, sure and doubtful."""
    received = torch.linspace(-0.5, 0.499, 41)[:, None, None].expand(41, 5, 4)
    half = torch.tensor([0.01, 0.05, 0.2, 0.5, 1.2])[:, None]
    outlier = torch.tensor([1e-6, 0.02, 0.5, 0.999])
    value, precision = heard(
        received, torch.tensor(0.0), torch.tensor(0.0016), torch.tensor(0.0012), half, outlier, torch.tensor(0.35)
    )
    assert value.shape == precision.shape == (41, 5, 4)
    assert torch.isfinite(value).all()
    assert torch.isfinite(precision).all()
    assert (precision >= 0).all()


def wrapped_density(error: Values, variance: float, half: float) -> Values:
    """Density of a uniform error within +-half plus Gaussian noise, wrapped, by averaging over the uniform part."""
    shifts = (np.arange(2000) + 0.5) / 1000 * half - half
    density: Values = np.zeros_like(error)
    for turn in range(-4, 5):
        distance = error[:, None] + turn - shifts
        density += np.exp(-(distance**2) / (2 * variance)).mean(1) / math.sqrt(2 * math.pi * variance)
    return density


@pytest.mark.parametrize("variance", [0.0012, 0.01])
@pytest.mark.parametrize("half", [0.02, 0.1, 0.3, 0.5])
def test_ratios_of_rounded_phases_are_the_logarithm_of_two_densities(variance: float, half: float) -> None:
    error: Values = np.linspace(-0.5, 0.5, 41)
    expected = -np.log(wrapped_density(error, variance, half) + 1e-4)
    ratios = log_likelihood_ratio(torch.from_numpy(error), *tensors(variance, half))
    np.testing.assert_allclose(ratios.numpy(), expected, atol=2e-3)
    rough = log_likelihood_ratio(torch.from_numpy(error).float(), *tensors(variance, half, dtype=torch.float32))
    np.testing.assert_allclose(rough.numpy(), expected, atol=2e-2)


def test_widths_may_differ_and_zero_means_none() -> None:
    error, variance = torch.linspace(-0.5, 0.5, 21, dtype=torch.float64), torch.tensor(0.004, dtype=torch.float64)
    half = torch.tensor([0.0, 0.002, 0.2], dtype=torch.float64)[:, None]
    none, narrow, wide = log_likelihood_ratio(error, variance, half)
    torch.testing.assert_close(none, log_likelihood_ratio(error, variance), rtol=0, atol=0)
    torch.testing.assert_close(narrow, none, rtol=0, atol=2e-2)
    # Within the interval every error is as likely; near its middle a narrower one fits better, beyond none does.
    assert float(wide[10]) > float(none[10])
    assert float(wide[6]) < 0 < float(none[6])


def test_the_rounded_tell_intact_from_overwritten_better_than_their_variance_does() -> None:
    generator = torch.Generator().manual_seed(3)
    half, jitter = torch.tensor(0.25), torch.tensor(0.0012)
    uniform = (torch.rand(20000, generator=generator) * 2 - 1) * half
    intact = wrap(uniform + torch.randn(20000, generator=generator) * jitter.sqrt())
    overwritten = torch.rand(20000, generator=generator) - 0.5
    gaps = []
    for arguments in ((jitter, half), (jitter + half**2 / 3,)):
        good, bad = (log_likelihood_ratio(errors, *arguments) for errors in (intact, overwritten))
        assert float(good.mean()) < 0 < float(bad.mean())
        gaps.append(float(bad.mean() - good.mean()))
    assert gaps[0] > 1.5 * gaps[1]
