"""The paper's U-Net: shapes, what sees what, local feature sharing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from imuge_cli.networks.backbone import Backbone, Decoding, Style, mask_at, share_features

SMALL = Style(width=8, convolutions=1, dilations=(1, 2))


def test_it_keeps_the_size_and_stays_within_tanh() -> None:
    torch.manual_seed(0)
    net = Backbone(3, 3, SMALL)
    answer = net(torch.rand(2, 3, 48, 32) * 2 - 1)
    assert answer.shape == (2, 3, 48, 32)
    assert answer.abs().max() < 1
    torch.testing.assert_close(answer, torch.tanh(net.raw(torch.zeros(2, 3, 48, 32))) * 0 + answer)
    assert Backbone(3, 1, SMALL)(torch.zeros(1, 3, 16, 16)).shape == (1, 1, 16, 16)


def test_channels_double_and_the_bottom_is_a_sixteenth() -> None:
    net = Backbone(3, 3, SMALL)
    deep, skips = net.down(torch.zeros(1, 3, 64, 32))
    assert [tuple(s.shape[1:]) for s in skips] == [(8, 64, 32), (16, 32, 16), (32, 16, 8), (64, 8, 4)]
    assert deep.shape == (1, 128, 4, 2)
    dilations = [layer.dilation for layer in net.middle if isinstance(layer, nn.Conv2d)]
    assert dilations == [(1, 1), (2, 2)]


def test_a_quiet_net_begins_near_zero_and_still_learns() -> None:
    torch.manual_seed(0)
    net = Backbone(3, 3, SMALL, quiet=True)
    answer = net(torch.rand(1, 3, 32, 32))
    assert 0 < answer.abs().max() < 0.05
    answer.sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.parametrize("normalization", ["group", "batch", "instance", "none"])
@pytest.mark.parametrize("activation", ["leaky-relu", "elu", "relu", "silu"])
def test_what_the_paper_leaves_open_can_be_chosen(normalization: str, activation: str) -> None:
    style = Style(width=8, convolutions=2, normalization=normalization, activation=activation, dilations=(2,))
    assert torch.isfinite(Backbone(3, 3, style)(torch.rand(2, 3, 32, 32))).all()


@pytest.mark.parametrize(
    "wrong",
    [{"normalization": "layer"}, {"activation": "swish"}, {"width": 0}, {"width": 20}, {"convolutions": 0},
     {"dilations": ()}, {"dilations": (0,)}],
)  # fmt: skip
def test_impossible_styles_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="."):
        Style(**wrong)  # type: ignore[arg-type]


def test_features_are_shared_as_in_equation_2() -> None:
    decoded, encoded = torch.full((1, 2, 2, 2), 5.0), torch.full((1, 2, 2, 2), 3.0)
    mask = torch.tensor([[[[1.0, 0.0], [0.25, 0.0]]]])
    expected = torch.tensor([[5.0, 3.0], [3.5, 3.0]]).expand(1, 2, 2, 2)
    torch.testing.assert_close(share_features(decoded, encoded, mask), expected)


def test_a_mask_made_smaller_counts_every_pixel() -> None:
    mask = torch.zeros(1, 1, 8, 8)
    mask[0, 0, 1, 6] = 1
    assert mask_at(mask, 0) is mask
    assert mask_at(mask, 1)[0, 0].nonzero().tolist() == [[0, 3]]
    assert mask_at(mask, 3).item() == 1


def test_where_everything_is_masked_the_skip_says_nothing() -> None:
    torch.manual_seed(0)
    segment = Decoding(SMALL, 1)
    x, one, other = torch.rand(1, 32, 4, 4), torch.rand(1, 16, 8, 8), torch.rand(1, 16, 8, 8)
    all_lost, nothing_lost = torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    torch.testing.assert_close(segment(x, one, all_lost), segment(x, other, all_lost), rtol=0, atol=0)
    assert not torch.allclose(segment(x, one, nothing_lost), segment(x, other, nothing_lost))
    torch.testing.assert_close(segment(x, one, nothing_lost), segment(x, one), rtol=0, atol=0)


def test_sharing_happens_at_the_levels_named_and_nowhere_else() -> None:
    torch.manual_seed(0)
    net = Backbone(3, 3, SMALL, shared_levels=(0, 1))
    seen: dict[int, bool] = {}
    for level, segment in enumerate(net.decode):
        segment.register_forward_hook(
            lambda _, given, __, level=level: seen.__setitem__(level, given[2] is not None), always_call=True
        )
    net(torch.rand(1, 3, 32, 32), torch.ones(1, 1, 32, 32))
    assert seen == {0: True, 1: True, 2: False, 3: False}
    net(torch.rand(1, 3, 32, 32))
    assert not any(seen.values())
