"""Messages through the wrapping channel against numerical integration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from imuge_cli.lattice.modulation import wrap
from imuge_cli.payload.unwrap import circular_variance, log_likelihood_ratio, message, unwrap


def tensor(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def heard(
    received: Tensor, mean: Tensor, variance: Tensor, noise: Tensor, outlier: Tensor, gain: Tensor
) -> tuple[Tensor, Tensor]:
    """What a phase says of its symbol: value and precision."""
    posterior, left = unwrap(received, mean, variance, noise, outlier, gain)
    return message(posterior, left, gain * mean, gain**2 * variance, gain)


def posterior_by_integration(
    received: float, mean: float, variance: float, noise: float, outlier: float, gain: float
) -> tuple[float, float]:
    """Mean and variance of y given r = wrap(gain * y + noise), or r uniform with probability `outlier`."""
    y = np.linspace(mean - 9 * math.sqrt(variance), mean + 9 * math.sqrt(variance), 40001)
    prior = np.exp(-((y - mean) ** 2) / (2 * variance))
    likelihood: NDArray[np.float64] = np.zeros_like(y)
    for turn in range(-40, 41):
        likelihood += np.exp(-((received + turn - gain * y) ** 2) / (2 * noise))
    likelihood = (1 - outlier) * likelihood / math.sqrt(2 * math.pi * noise) + outlier
    weight = prior * likelihood
    weight /= weight.sum()
    centre = float((weight * y).sum())
    return centre, float((weight * (y - centre) ** 2).sum())


@settings(max_examples=60)
@given(
    received=st.floats(-0.5, 0.499),
    mean=st.floats(-2, 2),
    spread=st.floats(0.02, 0.35),
    noise=st.floats(0.03, 0.25),
    outlier=st.floats(0.01, 0.9),
    gain=st.floats(0.2, 0.6),
)
def test_message_times_prior_is_the_posterior(
    received: float, mean: float, spread: float, noise: float, outlier: float, gain: float
) -> None:
    """spread: the prior's standard deviation in cells; noise: the channel's."""
    variance = (spread / gain) ** 2
    centre, width = posterior_by_integration(received, mean, variance, noise**2, outlier, gain)
    value, precision = (float(t) for t in heard(*map(tensor, (received, mean, variance, noise**2, outlier, gain))))
    assert precision >= 0
    if width < 0.98 * variance:
        total = 1 / variance + precision
        assert 1 / total == pytest.approx(width, rel=0.02)
        assert (mean / variance + value * precision) / total == pytest.approx(centre, abs=0.02 * math.sqrt(variance))
    else:
        # The posterior is hardly narrower than the prior, or wider: no Gaussian message widens it.
        assert precision <= 0.03 / variance


@pytest.mark.parametrize("symbol", [-7.3, -2.2, -0.4, 0.0, 1.9, 3.4, 11.8])
def test_wraps_are_undone_where_the_prior_is_good(symbol: float) -> None:
    gain = 0.35
    received = wrap(tensor(gain * symbol))
    value, precision = heard(received, tensor(symbol + 0.3), tensor(0.04), tensor(1e-6), tensor(1e-6), tensor(gain))
    assert float(value) == pytest.approx(symbol, abs=1e-3)
    assert float(precision) > 0.9 * gain**2 / 1e-6


def test_an_overwritten_symbol_says_almost_nothing() -> None:
    received = torch.linspace(-0.5, 0.49, 50, dtype=torch.float64)
    _, precision = heard(received, tensor(0.2).expand(50), tensor(0.5), tensor(0.002), tensor(0.999), tensor(0.35))
    assert float(precision.max()) < 0.05 / 0.5


def test_a_wide_prior_cannot_choose_between_wraps() -> None:
    _, sharp = heard(*map(tensor, (0.1, 0.0, 0.05, 0.002, 0.02, 0.35)))
    _, vague = heard(*map(tensor, (0.1, 0.0, 100.0, 0.002, 0.02, 0.35)))
    assert float(sharp) > 10
    assert float(vague) < 1


def test_alike_symbols_share_the_mean_of_what_is_left_of_their_variance() -> None:
    """Single symbols may come out less certain than they went in; the mean says what all of them tell."""
    generator = torch.Generator().manual_seed(5)
    gain, variance, noise = torch.tensor(0.5), torch.tensor(0.35), torch.tensor(0.004)
    symbols = torch.randn(200_000, generator=generator)
    mean = torch.randn(200_000, generator=generator) * 0.3
    symbols = mean + symbols * variance.sqrt()
    received = wrap(gain * symbols + torch.randn(200_000, generator=generator) * noise.sqrt())
    outlier = torch.tensor(1e-6)
    posterior, left = unwrap(received, mean, variance, noise, outlier, gain)
    alone = message(posterior, left, gain * mean, gain**2 * variance, gain)
    shared = message(
        posterior, left, gain * mean, gain**2 * variance, gain, lambda share: share.mean().expand_as(share)
    )
    assert float((left > gain**2 * variance).float().mean()) > 0.05
    # Combined with what was known, the message is as far off as it says; one by one they claim too much.
    for (value, precision), honest in ((shared, True), (alone, False)):
        estimate = (mean / variance + value * precision) / (1 / variance + precision)
        claimed = (1 / (1 / variance + precision)).mean()
        true = ((estimate - symbols) ** 2).mean()
        assert (float(true / claimed) < 1.03) == honest


def test_shapes_broadcast() -> None:
    received = torch.rand(2, 12, 3, 4) - 0.5
    value, precision = heard(
        received,
        torch.zeros(2, 12, 3, 4),
        torch.full((2, 1, 1, 1), 0.1),
        torch.full((2, 12, 3, 4), 0.01),
        torch.full((2, 12, 3, 4), 0.1),
        torch.full((1, 12, 3, 4), 0.35),
    )
    assert value.shape == precision.shape == received.shape
    assert torch.isfinite(value).all()
    assert (precision >= 0).all()


@pytest.mark.parametrize("variance", [0.0005, 0.004, 0.02, 0.05])
def test_circular_variance_of_wrapped_gaussians(variance: float) -> None:
    errors = wrap(torch.randn(2, 4, 100, 100, generator=torch.Generator().manual_seed(1)) * variance**0.5)
    found = circular_variance(errors, torch.ones_like(errors), (1, 2, 3))
    assert found.shape == (2,)
    torch.testing.assert_close(found, torch.full((2,), variance), rtol=0.05, atol=0)


def test_circular_variance_counts_by_weight_and_has_an_end() -> None:
    generator = torch.Generator().manual_seed(2)
    good, bad = torch.randn(1, 5000, generator=generator) * 0.05, torch.rand(1, 5000, generator=generator) - 0.5
    errors, weights = torch.cat([good, bad], 1), torch.cat([torch.ones(1, 5000), torch.zeros(1, 5000)], 1)
    assert float(circular_variance(errors, weights, (1,))) == pytest.approx(0.0025, rel=0.1)
    uniform = float(circular_variance(bad, torch.ones_like(bad), (1,)))
    nothing = float(circular_variance(bad, torch.zeros_like(bad), (1,)))
    assert 0.1 < uniform <= nothing < 0.25
    assert float(circular_variance(bad * 0, torch.ones_like(bad), (1,))) > 0


@pytest.mark.parametrize("variance", [0.001, 0.005, 0.02])
def test_ratios_are_negative_for_the_intact_and_positive_for_the_overwritten(variance: float) -> None:
    generator = torch.Generator().manual_seed(3)
    intact = wrap(torch.randn(20000, generator=generator) * variance**0.5)
    overwritten = torch.rand(20000, generator=generator) - 0.5
    v = torch.tensor(variance)
    assert float(log_likelihood_ratio(intact, v).mean()) < -0.2
    assert float(log_likelihood_ratio(overwritten, v).mean()) > 0.2
    assert float(log_likelihood_ratio(torch.tensor(0.0), v)) < 0 < float(log_likelihood_ratio(torch.tensor(0.5), v))


def test_the_ratio_is_the_logarithm_of_two_densities() -> None:
    error, variance = torch.linspace(-0.5, 0.5, 41), 0.01
    density = sum(np.exp(-((error.numpy() + k) ** 2) / (2 * variance)) for k in range(-5, 6))
    expected = -np.log(density / math.sqrt(2 * math.pi * variance) + 1e-4)
    np.testing.assert_allclose(log_likelihood_ratio(error, torch.tensor(variance)).numpy(), expected, atol=1e-3)


def test_ratios_fade_where_the_noise_is_large() -> None:
    error = torch.linspace(-0.5, 0.5, 41)
    assert float(log_likelihood_ratio(error, torch.tensor(0.25)).abs().max()) < 0.2
