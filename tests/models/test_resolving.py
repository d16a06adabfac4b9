"""S: where it is asked, when it is believed, and that its strips are seamless."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from photographs import photograph, to_pixels, to_tensor
from sending import sent_picture
from torch import Tensor

from imuge_cli.attacks.benign import apply
from imuge_cli.attacks.chain import parse
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import Header, encode_header
from imuge_cli.lattice.resampling import Resampling, undo_resampling
from imuge_cli.models.lattice import resolving
from imuge_cli.models.lattice.carrier import STEPS, Carrier, make_carrier
from imuge_cli.models.lattice.equalized import Equalized, equalized
from imuge_cli.models.lattice.resolving import affordable_looks, resolve
from imuge_cli.networks.resolver import Resolver

SECRET = Secret(b"s" * 32)
STEP = STEPS["balanced"]
HEIGHT, WIDTH = 224, 256
CODE = torch.from_numpy(encode_header(Header(2, 0, list(STEPS).index("balanced"), HEIGHT, WIDTH, 77)))[None]


class Told(Resolver):
    """Knows what the picture showed, and gives it with an error, whichever way and part it is asked for; counts how
    often that is."""

    def __init__(self, sent: Tensor, error: float = 0.0) -> None:
        super().__init__(4, 1)
        self.sent, self.asked = sent + error * torch.randn(sent.shape, generator=torch.Generator().manual_seed(2)), 0

    def forward(self, undone: Tensor, open_rows: Tensor, open_columns: Tensor) -> Tensor:
        self.asked += 1
        height, width = undone.shape[-2:]
        parts = [
            part
            for way in ways(self.sent)
            if way.shape[-1] == width
            for part in (way[..., :height, :], way[..., -height:, :])
        ]
        return min(parts, key=lambda part: float((part - undone).square().mean()))


def ways(picture: Tensor) -> list[Tensor]:
    """Upright, mirrored either way and both, and all that with rows and columns exchanged."""
    mirrored = [picture.flip(axes) for axes in ((), (-1,), (-2,), (-2, -1))]
    return mirrored + [way.transpose(-2, -1) for way in mirrored]


@pytest.fixture(scope="module")
def carrier() -> Carrier:
    return make_carrier(SECRET, HEIGHT, WIDTH, torch.device("cpu"))


@pytest.fixture(scope="module")
def sent(carrier: Carrier) -> Tensor:
    return sent_picture(carrier, to_tensor(photograph("astronaut", 0, 100, HEIGHT, WIDTH)), CODE, STEP).round()


def answer(carrier: Carrier, sent: Tensor, attack: str, resolver: Resolver | None) -> Equalized:
    suspect = to_tensor(apply(parse(attack), to_pixels(sent), np.random.default_rng(1)).image)
    return equalized(carrier, suspect, CODE, torch.ones(1, 1, HEIGHT, WIDTH), STEP, resolver)


def stirred() -> Resolver:
    resolver, generator = Resolver(8, 6).requires_grad_(False), torch.Generator().manual_seed(4)
    for parameter in resolver.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.03)
    return resolver


# Half the size looks much like a blur in this picture, and no resampling is seen in it without S.
@pytest.mark.parametrize("attack", ["scale-back:0.7", "scale-back:0.5"])
def test_what_agrees_better_is_believed(carrier: Carrier, sent: Tensor, attack: str) -> None:
    told = answer(carrier, sent, attack, Told(sent, error=0.5)).pictures
    assert float((told - sent).abs().max()) < 3
    assert float((answer(carrier, sent, attack, None).pictures - sent).abs().max()) > 20


@pytest.mark.parametrize("attack", ["scale-back:0.7", "scale-back:0.5"])
def test_what_agrees_less_is_not(carrier: Carrier, sent: Tensor, attack: str) -> None:
    spoiling = Told(sent, error=8.0)
    without, result = answer(carrier, sent, attack, None), answer(carrier, sent, attack, spoiling)
    assert spoiling.asked > 0
    assert torch.equal(result.pictures, without.pictures)


def test_what_goes_too_far_is_believed_halfway(carrier: Carrier, sent: Tensor) -> None:
    class Overshooting(Told):
        def forward(self, undone: Tensor, open_rows: Tensor, open_columns: Tensor) -> Tensor:
            return 2 * super().forward(undone, open_rows, open_columns) - undone

    told = answer(carrier, sent, "scale-back:0.7", Overshooting(sent)).pictures
    # Where levels were limited before the mean was taken it is not quite what was sent.
    assert float((told - sent).abs().mean()) < 1
    assert float((answer(carrier, sent, "scale-back:0.7", None).pictures - sent).abs().mean()) > 2


@pytest.mark.parametrize("attack", ["none", "jpeg:70", "blur:5"])
def test_nobody_asks_where_nothing_was_resampled(carrier: Carrier, sent: Tensor, attack: str) -> None:
    resolver = Told(sent)
    answer(carrier, sent, attack, resolver)
    assert resolver.asked == 0


def test_an_untrained_one_changes_nothing(carrier: Carrier, sent: Tensor) -> None:
    without, result = (answer(carrier, sent, "scale-back:0.7", r) for r in (None, Resolver(8, 2).requires_grad_(False)))
    assert torch.equal(result.pictures, without.pictures)


@pytest.mark.parametrize("looks", [1, 8])
@pytest.mark.parametrize("size", [(90, 71), (128, 64)])
def test_strips_are_seamless_whatever_the_size(
    size: tuple[int, int], looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    planes, resampling = torch.rand(2, 3, *size) * 255, Resampling(size[0] * 2 // 3, size[1] // 2, "area", "cubic")
    resolver = stirred()
    whole = resolve(resolver, planes, resampling, looks=looks)
    assert whole.shape == planes.shape
    assert float((whole - undo_resampling(planes, resampling)).abs().max()) > 0.1
    monkeypatch.setattr(resolving, "_ROWS", 16)
    torch.testing.assert_close(resolve(resolver, planes, resampling, looks=looks), whole, rtol=0, atol=1e-3)


def test_looked_at_every_way_it_does_not_matter_which_way_a_picture_lies() -> None:
    resampling = Resampling(40, 32, "area", "cubic")
    planes, resolver = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(3)) * 255, stirred()
    for looks, alike in ((1, False), (8, True)):
        expected = ways(resolve(resolver, planes, resampling, looks=looks))
        for way, told in list(zip(ways(planes), expected, strict=True))[1:]:
            turned = way.shape != planes.shape
            of = Resampling(32, 40, "area", "cubic") if turned else resampling
            off = float((resolve(resolver, way, of, looks=looks) - told).abs().max())
            assert (off < 0.02) == alike


def test_small_pictures_are_looked_at_more_often() -> None:
    sides = (64, 256, 512, 724, 1024, 4096)
    looks = [affordable_looks(side, side) for side in sides]
    assert looks == sorted(looks, reverse=True)
    assert (looks[0], looks[-1]) == (8, 1)
    assert all(1 < n < 8 for n in looks[2:4])
