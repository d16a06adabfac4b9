"""The sender: what it sends, and that using the library does not spoil training in the same process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from photographs import photograph, to_tensor
from sending import sent_picture

from imuge_cli.api import Imuge
from imuge_cli.image.picture import Picture
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import CODE_BITS
from imuge_cli.models.lattice.carrier import LEVELS, STEPS, make_carrier, scale_of
from imuge_cli.models.lattice.sender import coefficients_of, describe, power_levels
from imuge_cli.networks.encoder import Encoder
from imuge_cli.payload import source

CPU = torch.device("cpu")
CACHES = (source.frequencies, source.model_variance, source.sender_scale, source._block_matrix, source._places)


def code(count: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 2, (count, CODE_BITS)))


def test_symbols_have_about_unit_variance_and_depend_on_the_key() -> None:
    rgb = to_tensor(photograph("astronaut", 0, 128))
    one, other = (describe(make_carrier(Secret(k * 32), 256, 256, CPU), rgb) for k in (b"a", b"b"))
    assert one.shape == (1, 36 * 32 * 32)
    assert 0.3 < float(one.std()) < 2
    assert abs(float(torch.corrcoef(torch.cat([one, other]))[0, 1])) < 0.05


def test_an_untrained_encoder_sends_what_none_sends() -> None:
    rgb = to_tensor(photograph("coffee", 0, 0, 128, 136))
    carrier = make_carrier(Secret(b"a" * 32), 128, 136, CPU)
    encoder = Encoder(source.COEFFICIENTS, (4, 4, 4, 4, 4, 4))
    with torch.no_grad():
        plain = sent_picture(carrier, rgb, code(), STEPS["balanced"])
        torch.testing.assert_close(sent_picture(carrier, rgb, code(), STEPS["balanced"], encoder), plain)
        torch.nn.init.normal_(encoder.leave.weight, std=0.3, generator=torch.Generator().manual_seed(1))
        learned = sent_picture(carrier, rgb, code(), STEPS["balanced"], encoder)
    assert float((learned - plain).abs().mean()) > 0.1


def test_pictures_of_a_batch_do_not_mix() -> None:
    carrier = make_carrier(Secret(b"a" * 32), 128, 128, CPU)
    both = torch.cat([to_tensor(photograph(name, 50, 60, 128, 128)) for name in ("astronaut", "coffee")])
    together = sent_picture(carrier, both, code(2), STEPS["balanced"]).round()
    for i in range(2):
        alone = sent_picture(carrier, both[i : i + 1], code(2)[i : i + 1], STEPS["balanced"]).round()
        assert float((together[i] - alone[0]).abs().gt(0).float().mean()) < 0.01


@pytest.fixture
def _forgetful() -> Iterator[None]:
    for cached in CACHES:
        cached.cache_clear()
    yield
    for cached in CACHES:
        cached.cache_clear()


@pytest.mark.usefixtures("_forgetful")
def test_what_inference_keeps_in_memory_serves_training_as_well() -> None:
    rgb = to_tensor(photograph("coffee", 0, 0, 128, 128))
    carrier = make_carrier(Secret(b"a" * 32), 128, 128, CPU)

    Imuge(device="cpu").immunize(Picture(pixels=photograph("coffee", 0, 0, 128, 128)))
    encoder = Encoder(source.COEFFICIENTS, (4, 4, 4, 4, 4, 4))
    coefficients_of(carrier, rgb, encoder).sum().backward()
    assert encoder.leave.weight.grad is not None


def test_power_levels_follow_the_picture() -> None:
    carrier = make_carrier(Secret(b"a" * 32), 128, 128, CPU)
    rgb = to_tensor(photograph("coffee", 0, 0, 128, 128))
    calm, busy = 128 + (rgb - 128) / 4, rgb
    levels = power_levels(describe(carrier, torch.cat([calm, busy])))
    # A quarter of the contrast is four half octaves.
    assert int(levels[1] - levels[0]) == 4
    extremes = power_levels(torch.tensor([[1e-9] * 4, [1e9] * 4]))
    assert extremes.tolist() == [0, LEVELS - 1]


def test_symbols_of_every_level_are_brought_to_one_deviation() -> None:
    carrier = make_carrier(Secret(b"a" * 32), 128, 128, CPU)
    symbols = torch.randn(1, carrier.mixing.outputs, generator=torch.Generator().manual_seed(1))
    for deviation in (0.3, 0.5, 1.0, 1.9):
        scaled = symbols * deviation / scale_of(power_levels(symbols * deviation))
        assert 2**-0.25 - 0.01 < float(scaled.std()) < 2**0.25 + 0.01
