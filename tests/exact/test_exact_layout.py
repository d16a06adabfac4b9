"""Tiles, blocks and groups cover a picture, each sample once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imuge_cli.exact.layout import SIDE, Layout


@settings(max_examples=40, deadline=None)
@given(st.integers(32, 400), st.integers(32, 400))
def test_every_sample_belongs_to_one_tile(height: int, width: int) -> None:
    layout = Layout(height, width)
    seen = np.zeros((height, width), int)
    for tile in range(layout.rows * layout.columns):
        rows, columns = layout.tile_slices(tile)
        seen[rows, columns] += 1
        assert SIDE <= rows.stop - rows.start < 2 * SIDE and SIDE <= columns.stop - columns.start < 2 * SIDE
    assert (seen == 1).all()
    numbers = np.arange(layout.rows * layout.columns).reshape(layout.rows, layout.columns)
    by_sample = layout.tile_samples(numbers)
    for tile in (0, numbers.size - 1):
        assert (by_sample[layout.tile_slices(tile)] == tile).all() and (by_sample == tile).sum() == (
            by_sample[layout.tile_slices(tile)].size
        )


@pytest.mark.parametrize("size", [(48, 80), (500, 333), (1600, 2410)])
def test_every_tile_and_block_belongs_to_one_group(size: tuple[int, int]) -> None:
    layout = Layout(*size)
    tiles = np.concatenate([layout.tiles(group) for group in range(layout.groups)])
    blocks = np.concatenate([layout.blocks(group) for group in range(layout.groups)])
    assert sorted(tiles.tolist()) == list(range(layout.rows * layout.columns))
    assert sorted(blocks.tolist()) == list(range(layout.block_rows * layout.block_columns))
    for group in range(layout.groups):
        assert set(layout.tile_of_block[layout.blocks(group)].tolist()) == set(layout.tiles(group).tolist())


def test_a_region_is_spread_over_all_groups_alike() -> None:
    layout = Layout(4000, 6000)
    assert layout.groups > 40
    marked = np.zeros((layout.rows, layout.columns), bool)
    marked[30:130, 100:220] = True
    shares = [marked.ravel()[layout.tiles(group)].mean() for group in range(layout.groups)]
    assert max(shares) - min(shares) < 0.03 and max(len(layout.tiles(g)) for g in range(layout.groups)) < 600


def test_neighbours_follow_each_other() -> None:
    layout = Layout(512, 512)
    tiles = layout.tiles(0)
    steps = np.abs(np.diff(tiles // layout.columns)) + np.abs(np.diff(tiles % layout.columns))
    assert np.median(steps) == 1
