"""The block transform, and symbols in and out of pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from photographs import Pixels8, photograph, to_pixels, to_tensor
from scipy.fft import dctn
from torch import Tensor

from imuge_cli.lattice.modulation import embed, wrap
from imuge_cli.lattice.transform import SLOTS, analyse, dct_matrix, luma, synthesise

STEP = torch.tensor(21.7)
FULL = torch.ones(1)


def phases(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 14, rows, columns, generator=torch.Generator().manual_seed(seed))


def received(picture: Tensor, dither: Tensor, step: Tensor) -> Tensor:
    """Phases of a picture without their dither, cells."""
    return wrap(analyse(luma(picture)) / step - dither)


def grey_noise() -> Pixels8:
    rng = np.random.default_rng(5)
    return rng.normal(128, 12, (128, 160, 3)).round().clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [4, 8, 64])
def test_the_dct_matrix_is_scipys_and_orthonormal(size: int) -> None:
    matrix = dct_matrix(size).numpy()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(size), atol=1e-12)
    values = np.random.default_rng(0).standard_normal((size, size))
    np.testing.assert_allclose(matrix @ values @ matrix.T, dctn(values, norm="ortho"), atol=1e-10)


def test_analyse_gives_the_slots_of_scipys_block_dct() -> None:
    plane = torch.rand(1, 1, 24, 35) * 255
    coefficients = analyse(plane)
    assert coefficients.shape == (1, 14, 3, 4)
    block = dctn(plane[0, 0, 8:16, 24:32].double().numpy(), norm="ortho")
    np.testing.assert_allclose(coefficients[0, :, 1, 3].numpy(), [block[s] for s in SLOTS], atol=2e-3)


def test_synthesise_is_the_adjoint_and_leaves_partial_blocks_alone() -> None:
    plane, coefficients = torch.randn(2, 1, 21, 30), torch.randn(2, 14, 2, 3)
    drawn = synthesise(coefficients, 21, 30)
    assert drawn.shape == (2, 1, 21, 30)
    assert float(drawn[..., 16:, :].abs().max()) == 0
    assert float(drawn[..., 24:].abs().max()) == 0
    torch.testing.assert_close(analyse(drawn), coefficients, atol=1e-5, rtol=0)
    torch.testing.assert_close((analyse(plane) * coefficients).sum(), (plane * drawn).sum(), atol=1e-3, rtol=1e-4)


def test_wrap() -> None:
    values = torch.tensor([-1.25, -0.5, -0.25, 0.0, 0.4999, 0.5, 0.75, 7.1])
    expected = torch.tensor([-0.25, -0.5, -0.25, 0.0, 0.4999, -0.5, -0.25, 0.1])
    torch.testing.assert_close(wrap(values), expected, atol=1e-5, rtol=0)


PICTURES = {
    "grey noise": grey_noise,
    "astronaut": lambda: photograph("astronaut", 0, 128, 128, 160),
    "coffee": lambda: photograph("coffee", 60, 200, 128, 160),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("step", [18.0, 26.0])
def test_phases_survive_rounding_to_8_bits(name: str, step: float) -> None:
    rgb = to_tensor(PICTURES[name]())
    dither, sent = phases(16, 20, 1), phases(16, 20, 2) - 0.5
    rounded = embed(rgb, wrap(sent) + dither, torch.tensor(step), FULL).round()
    error = wrap(received(rounded, dither, torch.tensor(step)) - sent)
    # Rounding moves each pixel by .29 grey levels, and an orthonormal coefficient as much.
    assert float((error**2).mean().sqrt()) < 0.02
    assert float((error.abs() < 0.06).float().mean()) > 0.995


def test_the_distortion_is_that_of_a_uniform_quantizer() -> None:
    rgb = to_tensor(grey_noise())
    sent = embed(rgb, phases(16, 20), STEP, FULL)
    expected = 21.7**2 / 12 * 14 / 64
    assert float(((sent - rgb) ** 2).mean()) == pytest.approx(expected, rel=0.06)


def test_colour_differences_stay_and_all_channels_move_alike() -> None:
    rgb = to_tensor(grey_noise())
    residual = embed(rgb, phases(16, 20), STEP, FULL) - rgb
    torch.testing.assert_close(residual[:, 0], residual[:, 1], atol=1e-4, rtol=0)
    torch.testing.assert_close(residual[:, 0], residual[:, 2], atol=1e-4, rtol=0)


def saturated(kind: str) -> Pixels8:
    picture = np.zeros((64, 128, 3), np.uint8)
    if kind == "white":
        picture[:] = 255
    if kind == "half":
        picture[:, 64:] = 255
    return picture


@pytest.mark.parametrize("kind", ["black", "white", "half"])
def test_saturated_pictures_carry_most_symbols(kind: str) -> None:
    rgb = to_tensor(saturated(kind))
    dither, sent = phases(8, 16, 1), (phases(8, 16, 2) - 0.5) * 0.8
    immunized = embed(rgb, sent + dither, STEP, FULL)
    assert float(immunized.min()) >= 0
    assert float(immunized.max()) <= 255
    error = wrap(received(immunized.round(), dither, STEP) - sent)
    # By chance a quarter of the phases would lie within an eighth of a cell.
    assert float((error.abs() < 0.125).float().mean()) > 0.95


def test_partial_blocks_are_not_touched() -> None:
    rgb = to_tensor(photograph("coffee", 0, 0, 37, 45))
    immunized = embed(rgb, phases(4, 5), STEP, FULL)
    torch.testing.assert_close(immunized[..., 32:, :], rgb[..., 32:, :])
    torch.testing.assert_close(immunized[..., 40:], rgb[..., 40:])
    assert float((immunized - rgb)[..., :32, :40].abs().mean()) > 1


def test_rounding_is_all_that_conversion_to_bytes_changes() -> None:
    immunized = embed(to_tensor(grey_noise()), phases(16, 20), STEP, FULL)
    torch.testing.assert_close(to_tensor(to_pixels(immunized)), immunized.round())
