"""The prior adapted to a solution, block by block and octave by octave."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from imuge_cli.payload.activity import adapted_variance, beyond_guess, pooled_variance
from imuge_cli.payload.source import COEFFICIENTS, SourceGrid, frequencies, model_variance

GRID = SourceGrid(2, 3)
BLOCKS = GRID.rows * GRID.columns
# Radial frequencies that end an octave, in half waves per source block.
ENDS = (0.5, 2.5, 5.5, 9.5, 15.5, 23.5, 100.0)


def members(channel: int, octave: int) -> Tensor:
    """Which coefficients of a block belong to a channel's octave: COEFFICIENTS, bool."""
    channels, row, column = frequencies()
    radius = (row**2 + column**2).double().sqrt()
    begin = ENDS[octave - 1] if octave else -1.0
    return (channels == channel) & (radius > begin) & (radius < ENDS[octave])


def prior() -> Tensor:
    return model_variance().repeat(BLOCKS)[None]


def nothing() -> Tensor:
    return torch.zeros(1, 1)


def by_block(values: Tensor) -> Tensor:
    return values.view(-1, BLOCKS, COEFFICIENTS)


def test_octaves_divide_the_coefficients() -> None:
    counts = [[int(members(channel, octave).sum()) for octave in range(len(ENDS))] for channel in range(3)]
    assert [sum(row) for row in counts] == [800, 120, 120]
    assert [row[0] for row in counts] == [1, 1, 1]
    assert min(counts[0]) == 1
    assert sorted(counts[0])[1] > 5


def test_a_solution_as_large_as_the_prior_changes_nothing() -> None:
    solution = prior().sqrt().repeat(2, 1)
    solution[:, ::2] *= -1
    found = adapted_variance(GRID, prior(), solution, nothing())
    torch.testing.assert_close(found, prior().expand(2, -1), rtol=1e-5, atol=0)


def test_what_a_solution_leaves_open_counts_like_what_it_shows() -> None:
    share = torch.rand(1, GRID.size, generator=torch.Generator().manual_seed(0))
    found = adapted_variance(GRID, prior(), (share * prior()).sqrt(), (1 - share) * prior())
    torch.testing.assert_close(found, prior(), rtol=1e-5, atol=0)


def test_random_solutions_tell_the_factor_of_every_octave_and_block() -> None:
    generator = torch.Generator().manual_seed(1)
    true = torch.ones(2, BLOCKS, COEFFICIENTS)
    groups = [(channel, octave) for channel in range(3) for octave in range(len(ENDS))]
    for channel, octave in groups:
        factor = torch.exp(torch.empty(2, BLOCKS, 1).uniform_(-2.5, 2.5, generator=generator))
        true = torch.where(members(channel, octave), factor, true)
    drawn = torch.randn(true.shape, generator=generator)
    solution = (true.flatten(1) * prior()).sqrt() * drawn.flatten(1)
    ratio = by_block(adapted_variance(GRID, prior(), solution, nothing()) / prior())
    for channel, octave in groups:
        chosen = members(channel, octave)
        number = int(chosen.sum())
        # Single coefficients (and octaves that hold none) tell too little to be checked.
        if number < 2:
            continue
        found = ratio[..., chosen]
        assert float((found / found[..., :1] - 1).abs().max()) < 1e-5, "an octave has one factor"
        # One step of caution towards 1, and the chance of a sample of this size (4 standard deviations).
        wanted = (true[..., chosen][..., 0] * number + 1) / (number + 1)
        assert float((found[..., 0] / wanted).log().abs().max()) < 4 * (2 / number) ** 0.5 + 0.02
    large = torch.stack([members(channel, octave) for channel, octave in groups])
    large = large[large.sum(1) > 60].any(0)
    assert int(large.sum()) > 500
    assert float((ratio[..., large] / true[..., large]).log().abs().mean()) < 0.15


@pytest.mark.parametrize(("channel", "octave"), [(0, 3), (0, 6), (1, 2), (2, 0)])
def test_octaves_channels_blocks_and_pictures_do_not_touch_each_other(channel: int, octave: int) -> None:
    scaled = members(channel, octave)
    solution = by_block(prior().sqrt().repeat(2, 1)).clone()
    solution[1, 4, scaled] *= 3
    ratio = by_block(adapted_variance(GRID, prior(), solution.flatten(1), nothing()) / prior())
    number = int(scaled.sum())
    expected = torch.ones(2, BLOCKS, COEFFICIENTS)
    # Exactly nine times the variance; the prior counts as one coefficient more.
    expected[1, 4, scaled] = (9 * number + 1) / (number + 1)
    torch.testing.assert_close(ratio, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize(("size", "limit"), [(0.0, 0.03), (1e-3, 0.03), (10.0, 20.0), (1e4, 20.0)])
def test_factors_have_limits(size: float, limit: float) -> None:
    ratio = by_block(adapted_variance(GRID, prior(), size * prior().sqrt(), nothing()) / prior())
    large = members(0, 4)
    assert int(large.sum()) > 60
    torch.testing.assert_close(ratio[..., large], torch.full_like(ratio[..., large], limit), rtol=1e-5, atol=0)
    assert float(ratio.min()) >= 0.03 * (1 - 1e-5)
    assert float(ratio.max()) <= 20 * (1 + 1e-5)
    # A single coefficient cannot say that a block is calm.
    if size < 1:
        torch.testing.assert_close(ratio[..., members(0, 0)], torch.full((1, BLOCKS, 1), 0.5), rtol=1e-3, atol=0)


def test_every_picture_may_have_a_prior_of_its_own() -> None:
    priors = torch.cat([prior(), 4 * prior()])
    solution = prior().sqrt().repeat(2, 1)
    ratio = by_block(adapted_variance(GRID, priors, solution, torch.zeros(2, GRID.size)) / priors)
    number = int(members(0, 4).sum())
    torch.testing.assert_close(ratio[0], torch.ones_like(ratio[0]), rtol=1e-5, atol=0)
    wanted = (0.25 * number + 1) / (number + 1)
    assert float(ratio[1][:, members(0, 4)].mean()) == pytest.approx(wanted, rel=1e-4)


def test_a_picture_as_a_whole_tells_what_to_expect_of_blocks_nobody_saw() -> None:
    generator = torch.Generator().manual_seed(3)
    seen = torch.ones(1, BLOCKS, COEFFICIENTS)
    seen[:, 2:] = 0
    true = torch.where(members(0, 4), 5.0, torch.where(members(1, 3), 0.2, 1.0)).expand(1, BLOCKS, -1)
    solution = seen * (true * by_block(prior())).sqrt() * torch.randn(true.shape, generator=generator)
    uncertainty = (1 - seen) * by_block(prior())
    ratio = by_block(pooled_variance(GRID, prior(), solution.flatten(1), uncertainty.flatten(1)) / prior())
    for channel, octave in ((0, 4), (1, 3), (0, 5)):
        chosen = members(channel, octave)
        number, factor = 2 * int(chosen.sum()), float(true[0, 0, chosen][0])
        found = float(ratio[0, 5, chosen].mean())
        assert abs(np.log(found / ((factor * number + 4) / (number + 4)))) < 4 * (2 / number) ** 0.5
    # One factor for all blocks, seen or not.
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))


def test_a_picture_of_which_nothing_is_known_keeps_the_prior() -> None:
    found = pooled_variance(GRID, prior(), torch.zeros(2, GRID.size), prior().repeat(2, 1))
    torch.testing.assert_close(found, prior().repeat(2, 1))


def test_a_guess_tells_the_mean_of_each_channel_best() -> None:
    share = beyond_guess(torch.device("cpu"))
    assert share.shape == (COEFFICIENTS,)
    mean = torch.stack([members(channel, 0) for channel in range(3)]).any(0)
    assert int(mean.sum()) == 3
    assert bool((share[mean] < 1).all()) and bool((share[~mean] <= 1).all()) and bool((share > 0).all())
