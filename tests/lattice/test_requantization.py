"""The rounding steps of JPEG, found in pictures that codecs really compressed."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import torch
from photographs import Pixels8, drawn, photograph, to_pixels, to_tensor
from PIL import Image
from torch import Tensor

from imuge_cli.lattice.modulation import embed
from imuge_cli.lattice.requantization import rounding_steps
from imuge_cli.lattice.transform import SLOTS, analyse, luma

PICTURES = {"astronaut": (0, 128), "chelsea": (20, 100), "coffee": (60, 200)}
CODECS = ("pillow", "opencv")


def picture(name: str, immunized: bool = False) -> Pixels8:
    plain = photograph(name, *PICTURES[name])
    if not immunized:
        return plain
    phases = torch.rand(1, 14, 32, 32, generator=torch.Generator().manual_seed(1))
    return to_pixels(embed(to_tensor(plain), phases, torch.tensor(21.7), torch.ones(1)))


def compressed(pixels: Pixels8, quality: int, codec: str = "pillow") -> tuple[Pixels8, list[int]]:
    """The picture after JPEG, and the steps of its luma slots as the file's own table has them."""
    if codec == "opencv":
        done, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert done
        content = encoded.tobytes()
        decoded = np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])
    else:
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "jpeg", quality=quality)
        content = stream.getvalue()
        decoded = np.array(Image.open(io.BytesIO(content)).convert("RGB"))
    with Image.open(io.BytesIO(content)) as file:
        table = np.array(file.quantization[0]).reshape(8, 8)
    return decoded, [int(table[slot]) for slot in SLOTS]


def found_steps(pixels: Pixels8) -> list[int]:
    steps, _ = rounding_steps(analyse(luma(to_tensor(pixels))))
    assert steps.shape == (1, 14)
    return [int(step) for step in steps[0]]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("quality", [50, 70])
@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
@pytest.mark.parametrize("immunized", [False, True])
def test_the_table_of_a_compressed_photograph_is_found(name: str, quality: int, codec: str, immunized: bool) -> None:
    decoded, table = compressed(picture(name, immunized), quality, codec)
    assert found_steps(decoded) == table


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_of_fine_tables_all_but_the_finest_steps_are_found(name: str, codec: str) -> None:
    """Rounding to 8 bits and the colours' errors hide steps of 2 grey levels; they must not pass for others."""
    decoded, table = compressed(picture(name), 90, codec)
    assert min(table) == 2 < max(table)
    assert found_steps(decoded) == [step if step > 2 else 0 for step in table]


@pytest.mark.parametrize("quality", [50, 70, 90])
@pytest.mark.parametrize("immunized", [False, True])
def test_saturated_colours_cost_little(quality: int, immunized: bool) -> None:
    """Where colours clip, values fall short of their multiples: a step is found, not found, or one too small."""
    decoded, table = compressed(picture("coffee", immunized), quality)
    for step, found in zip(table, found_steps(decoded), strict=True):
        assert found in (step, step - 1) or (found == 0 and step <= 3)


def test_the_last_of_two_compressions_shows_where_it_is_the_coarser() -> None:
    fine, _ = compressed(picture("astronaut"), 90)
    decoded, table = compressed(fine, 50)
    assert found_steps(decoded) == table


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("immunized", [False, True])
def test_pictures_that_were_never_compressed_have_no_steps(name: str, immunized: bool) -> None:
    assert found_steps(picture(name, immunized)) == [0] * 14


def test_noise_and_drawings_have_no_steps() -> None:
    noise = np.random.default_rng(5).normal(128, 12, (256, 256, 3)).round().clip(0, 255).astype(np.uint8)
    assert found_steps(noise) == [0] * 14
    assert found_steps(drawn(256, 256)) == [0] * 14


@pytest.mark.parametrize("name", PICTURES)
def test_noise_hides_steps(name: str) -> None:
    decoded, _ = compressed(picture(name), 70)
    noise = np.random.default_rng(6).normal(0, 8, decoded.shape)
    assert found_steps((decoded + noise).round().clip(0, 255).astype(np.uint8)) == [0] * 14


def test_blocks_of_another_grid_have_no_steps() -> None:
    decoded, _ = compressed(picture("astronaut"), 50)
    assert found_steps(np.ascontiguousarray(decoded[3:, 5:])) == [0] * 14


def multiples(step: int, deviation: float, *, count: int = 2, side: int = 48) -> Tensor:
    """Coefficients rounded to a step and blurred again: count x 14 x side x side."""
    generator = torch.Generator().manual_seed(step)
    values = torch.randn(count, 14, side, side, generator=generator) * 60
    return (values / step).round() * step + torch.randn(values.shape, generator=generator) * deviation


@pytest.mark.parametrize(
    ("step", "deviation"), [(2, 0.15), (3, 0.2), (7, 0.5), (7, 1.0), (20, 1.0), (20, 3.0), (60, 1.0), (60, 4.0)]
)
def test_step_and_variance_of_multiples(step: int, deviation: float) -> None:
    found, variance = rounding_steps(multiples(step, deviation))
    torch.testing.assert_close(found, torch.full((2, 14), float(step)))
    torch.testing.assert_close(variance, torch.full((2, 14), deviation**2), rtol=0.15, atol=0)


@pytest.mark.parametrize(("step", "deviation"), [(2, 0.6), (7, 3.0), (20, 9.0)])
def test_multiples_blurred_too_far_are_not_seen(step: int, deviation: float) -> None:
    found, variance = rounding_steps(multiples(step, deviation))
    assert float(found.abs().max()) == 0
    assert float(variance.abs().max()) == 0


def test_every_slot_and_picture_has_its_own_step() -> None:
    steps = torch.randint(4, 40, (3, 14), generator=torch.Generator().manual_seed(2))
    steps[1] = 0
    values = torch.randn(3, 14, 40, 40, generator=torch.Generator().manual_seed(3)) * 60
    width = steps[:, :, None, None].clamp_min(1)
    values = torch.where(width > 1, (values / width).round() * width, values)
    found, _ = rounding_steps(values)
    assert torch.equal(found, steps.float())


def test_too_few_coefficients_say_nothing() -> None:
    values = torch.zeros(1, 14, 16, 16)
    values[:, :, :2] = multiples(20, 0.5, count=1, side=16)[:, :, :2].abs() + 20
    found, _ = rounding_steps(values)
    assert float(found.max()) == 0
    values[:, :, :4] = multiples(20, 0.5, count=1, side=16)[:, :, :4].abs() + 20
    found, _ = rounding_steps(values)
    assert float(found.min()) == 20
    assert float(rounding_steps(torch.zeros(1, 14, 16, 16))[0].max()) == 0
