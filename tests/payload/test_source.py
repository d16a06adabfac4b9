"""What the symbols describe: coefficients, bands and colours."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from photographs import photograph, to_tensor
from torch import Tensor

from imuge_cli.lattice.transform import dct_matrix
from imuge_cli.payload.source import (
    COEFFICIENT_COUNTS,
    COEFFICIENTS,
    REACH,
    SourceGrid,
    analyse_source,
    bands,
    bands_normal,
    bands_of_picture,
    bands_transposed,
    cell_diagonal,
    cells_normal,
    cells_of_picture,
    cells_transposed,
    frequencies,
    from_grid,
    model_variance,
    rgb_to_ycc,
    sender_scale,
    synthesise_source,
    to_grid,
    ycc_to_rgb,
)


def coefficients(rows: int = 2, columns: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, rows, columns, COEFFICIENTS, generator=generator) * model_variance().sqrt()


def test_frequencies_are_distinct_low_and_sorted_by_their_sum() -> None:
    channel, row, column = frequencies()
    assert torch.bincount(channel).tolist() == list(COEFFICIENT_COUNTS)
    assert len({*zip(channel.tolist(), row.tolist(), column.tolist(), strict=True)}) == COEFFICIENTS
    assert int(torch.maximum(row, column).max()) == REACH - 1
    for number in range(3):
        total = (row + column)[channel == number]
        assert (total.diff() >= 0).all()
    assert (int(row[0]), int(column[0])) == (0, 0)


def test_the_model_falls_with_frequency_and_the_scale_is_its_root() -> None:
    variance, (channel, row, column) = model_variance(), frequencies()
    for number in range(3):
        own = channel == number
        radius = (row**2 + column**2)[own]
        assert (variance[own][radius.argsort(stable=True)].diff() <= 0).all()
    torch.testing.assert_close(sender_scale() ** 8, variance, rtol=1e-4, atol=0)


@settings(max_examples=20)
@given(st.integers(128, 1024), st.integers(128, 1024))
def test_the_grid_covers_the_picture_roughly(height: int, width: int) -> None:
    grid = SourceGrid.of(height, width)
    assert -16 <= height - grid.height < 48
    assert -16 <= width - grid.width < 48
    assert grid.size == grid.rows * grid.columns * COEFFICIENTS


def test_colours_there_and_back() -> None:
    rgb = torch.rand(2, 3, 5, 7) * 255
    torch.testing.assert_close(ycc_to_rgb(rgb_to_ycc(rgb)), rgb, atol=1e-3, rtol=0)
    grey = rgb_to_ycc(torch.full((1, 3, 1, 1), 128.0)).flatten()
    torch.testing.assert_close(grey, torch.zeros(3), atol=1e-4, rtol=0)
    red = rgb_to_ycc(torch.tensor([255.0, 0, 0]).view(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(red, torch.tensor([76.245 - 128, -43.03, 127.5]), atol=0.02, rtol=0)


def test_pictures_made_of_coefficients_give_them_back() -> None:
    sent = coefficients()
    picture = synthesise_source(sent)
    assert picture.shape == (2, 3, 128, 192)
    torch.testing.assert_close(analyse_source(picture), sent, atol=0.05, rtol=1e-4)
    torch.testing.assert_close(synthesise_source(analyse_source(picture)), picture, atol=0.02, rtol=0)


def test_the_description_of_a_photograph_is_its_best_approximation() -> None:
    rgb = to_tensor(photograph("astronaut", 0, 128))
    described = synthesise_source(analyse_source(rgb))
    gap = rgb_to_ycc(rgb) - rgb_to_ycc(described)
    # A projection: what is left out is orthogonal to what is kept, and small beside the picture.
    torch.testing.assert_close(
        analyse_source(rgb - described + 128), analyse_source(torch.full_like(rgb, 128)), atol=0.1, rtol=0
    )
    assert float((gap[:, 0] ** 2).mean()) < 150
    assert float((gap[:, 1:] ** 2).mean()) < 60


def test_bands_of_coefficients_are_bands_of_their_picture() -> None:
    sent = coefficients()
    shown = bands(sent)
    assert shown.shape == (2, 3, 2, 3, 32, 32)
    torch.testing.assert_close(shown, bands_of_picture(synthesise_source(sent)), atol=0.05, rtol=1e-4)


def test_bands_transposed_is_the_adjoint() -> None:
    sent, values = coefficients(seed=1), torch.randn(2, 3, 2, 3, 32, 32)
    left = (bands(sent).double() * values).sum((1, 2, 3, 4, 5))
    right = (sent.double() * bands_transposed(values)).sum((1, 2, 3))
    torch.testing.assert_close(left, right, rtol=1e-4, atol=1.0)


def test_bands_are_the_cosine_transform_of_cells() -> None:
    picture = to_tensor(photograph("astronaut", 0, 128))[..., :128, :192]
    cells = cells_of_picture(picture)
    tiles = cells.unflatten(-1, (8, 4)).unflatten(-3, (8, 4))
    d = dct_matrix(4).float()
    transformed = torch.einsum("ka,...iajb,lb->...ikjl", d, tiles, d)
    torch.testing.assert_close(transformed.flatten(-2).flatten(-3, -2), bands_of_picture(picture), rtol=1e-4, atol=0.01)


def test_the_normal_operators_are_the_views_there_and_back() -> None:
    sent = coefficients(seed=3)
    generator = torch.Generator().manual_seed(4)
    weight = torch.rand(2, 3, 2, 3, 32, 32, generator=generator)
    by_block = weight.transpose(0, 1).flatten(1, 3)
    blocks = sent.flatten(0, 2)
    by_bands = bands_transposed(weight * bands(sent)).flatten(0, 2)
    torch.testing.assert_close(bands_normal(by_block)(blocks), by_bands, rtol=1e-3, atol=0.1)
    by_cells = cells_transposed(weight * cells_of_picture(synthesise_source(sent))).flatten(0, 2)
    torch.testing.assert_close(cells_normal(by_block)(blocks), by_cells, rtol=1e-3, atol=0.1)


def test_the_diagonal_of_cells_is_the_operators() -> None:
    weight = torch.rand(1, 3, 1, 1, 32, 32, generator=torch.Generator().manual_seed(5))
    unit = torch.eye(COEFFICIENTS)[::97]
    operated = cells_normal(weight[0, :, 0].expand(-1, len(unit), -1, -1))(unit)
    found = (operated * unit).sum(1)
    torch.testing.assert_close(cell_diagonal(weight)[0, 0, 0, ::97], found, rtol=1e-4, atol=1e-5)


def test_bands_belong_to_their_blocks() -> None:
    """Block (i, j) of 8 x 8 pixels lies at [4i : 4i + 4, 4j : 4j + 4] and shows nothing of its neighbours."""
    one = torch.full((1, 3, 64, 128), 128.0)
    other = one.clone()
    other[..., 16:24, 64 + 40 : 64 + 48] = torch.rand(1, 3, 8, 8) * 255
    changed = (bands_of_picture(one) - bands_of_picture(other)).abs() > 1e-3
    expected = torch.zeros(1, 3, 1, 2, 32, 32, dtype=torch.bool)
    expected[0, :, 0, 1, 8:12, 20:24] = True
    assert not (changed & ~expected).any()
    assert changed[expected].float().mean() > 0.8


def test_bands_keep_the_energy_of_smooth_pictures() -> None:
    sent = coefficients()
    sent[..., (frequencies()[1] + frequencies()[2]) > 6] = 0
    torch.testing.assert_close((bands(sent) ** 2).sum(), (sent**2).sum(), rtol=0.03, atol=0)


@pytest.mark.parametrize(("height", "width"), [(128, 192), (140, 200)])
def test_resampling_to_the_grid_and_back(height: int, width: int) -> None:
    grid = SourceGrid.of(height, width)
    rgb = to_tensor(photograph("coffee", 60, 200, height, width))
    on_grid = to_grid(rgb, grid)
    assert on_grid.shape[-2:] == (grid.height, grid.width)
    back = from_grid(on_grid, height, width)
    assert back.shape == rgb.shape
    if (height, width) == (grid.height, grid.width):
        assert back is rgb
    else:
        assert float((back - rgb).abs().mean()) < 6
