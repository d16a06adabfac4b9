"""Progressive recovery: resolutions, and that nothing jumps when a stage begins or ends."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from imuge_cli.networks.backbone import Style, mask_at
from imuge_cli.networks.progressive import ProgressiveDiscriminator, ProgressiveRecoverer, level_of

SMALL = Style(width=8, convolutions=1, dilations=(1,), normalization="none")


@pytest.fixture(scope="module")
def recoverer() -> ProgressiveRecoverer:
    torch.manual_seed(0)
    return ProgressiveRecoverer(SMALL)


def inputs(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    mask = (torch.rand(2, 1, side, side) < 0.2).float()
    return (torch.rand(2, 3, side, side) * 2 - 1) * (1 - mask), mask


@pytest.mark.parametrize(("stage", "side"), [(1, 8), (2, 16), (3, 32), (4, 64)])
def test_each_stage_works_at_its_resolution(recoverer: ProgressiveRecoverer, stage: int, side: int) -> None:
    for alpha in (0.0, 0.3, 1.0):
        answer = recoverer(*inputs(side), stage, alpha)
        assert answer.shape == (2, 3, side, side)
        assert answer.abs().max() <= 1


@pytest.mark.parametrize("stage", [2, 3, 4])
def test_a_stage_begins_as_the_one_before_it_ended(recoverer: ProgressiveRecoverer, stage: int) -> None:
    rectified, mask = inputs(8 * 2 ** (stage - 1))
    less = mask_at(mask, 1)
    before = recoverer(functional.avg_pool2d(rectified, 2) * (1 - less), less, stage - 1)
    raised = functional.interpolate(before, scale_factor=2, mode="nearest")
    torch.testing.assert_close(recoverer(rectified, mask, stage, 0.0), raised)


@pytest.mark.parametrize("stage", [2, 3, 4])
def test_fading_in_ends_without_a_step(recoverer: ProgressiveRecoverer, stage: int) -> None:
    given = inputs(8 * 2 ** (stage - 1))
    torch.testing.assert_close(recoverer(*given, stage, 1 - 1e-6), recoverer(*given, stage, 1.0), rtol=0, atol=1e-4)
    half, less = recoverer(*given, stage, 0.5), recoverer(*given, stage, 0.499)
    assert (half - less).abs().max() < 0.02


def test_the_first_stage_has_nothing_to_fade_in(recoverer: ProgressiveRecoverer) -> None:
    given = inputs(8)
    torch.testing.assert_close(recoverer(*given, 1, 0.0), recoverer(*given, 1, 1.0), rtol=0, atol=0)


def test_a_stage_trains_its_own_segments_only(recoverer: ProgressiveRecoverer) -> None:
    recoverer.zero_grad(set_to_none=True)
    recoverer(*inputs(16), 2, 1.0).sum().backward()
    taught = [p.grad is not None for p in recoverer.net.encode[2].parameters()]
    assert all(taught)
    assert all(p.grad is None for p in recoverer.net.encode[1].parameters())
    # The doors of the stage before are used while fading in, and no more.
    assert recoverer.leave[2].weight.grad is None
    recoverer(*inputs(16), 2, 0.5).sum().backward()
    assert recoverer.leave[2].weight.grad is not None


def test_lost_pixels_of_the_encoder_are_replaced_at_the_finest_levels() -> None:
    net = ProgressiveRecoverer(SMALL)
    shared = ProgressiveRecoverer(SMALL, shared_levels=())
    shared.load_state_dict(net.state_dict())
    rectified, mask = inputs(32)
    assert not torch.allclose(net(rectified, mask), shared(rectified, mask))
    nothing = torch.zeros_like(mask)
    torch.testing.assert_close(net(rectified, nothing), shared(rectified, nothing), rtol=0, atol=0)


@pytest.mark.parametrize(("stage", "side"), [(1, 8), (2, 16), (3, 32), (4, 64)])
def test_the_discriminator_grows_too(stage: int, side: int) -> None:
    torch.manual_seed(0)
    net = ProgressiveDiscriminator((4, 8, 8, 12)).eval()
    picture = torch.rand(2, 3, side * 2, side * 2) * 2 - 1
    assert net(picture, stage).shape == (2, 1, 2 * side // 2**stage, 2 * side // 2**stage)
    if stage > 1:
        before = net(functional.avg_pool2d(picture, 2), stage - 1)
        torch.testing.assert_close(net(picture, stage, 0.0), before)


def test_stages_out_of_range_are_refused(recoverer: ProgressiveRecoverer) -> None:
    assert [level_of(stage) for stage in (1, 2, 3, 4)] == [3, 2, 1, 0]
    for stage in (0, 5):
        with pytest.raises(ValueError, match=f"stage {stage}"):
            recoverer(*inputs(8), stage)
    with pytest.raises(ValueError, match="4 widths"):
        ProgressiveDiscriminator((8, 16))
