"""The adversarial stage: the game's losses, who learns from which, and going on with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from short_runs import train
from test_resuming import at_call, interrupt, state_of
from torch import Tensor

from imuge_cli.checkpoints import load_weights
from imuge_cli.errors import InputError, UsageError
from imuge_cli.networks.discriminator import PatchDiscriminator
from imuge_cli.training import lessons
from imuge_cli.training.adversary import Adversary
from imuge_cli.training.examples import Examples

CPU = torch.device("cpu")
SMALL = (4, 6, 8)


def examples() -> Examples:
    """Two pictures of 64 x 64, a quarter of them lost; noise, in which recovered pixels are grey."""
    generator = torch.Generator().manual_seed(1)
    original = torch.randint(0, 256, (2, 3, 64, 64), generator=generator, dtype=torch.uint8)
    told = torch.zeros(2, 1, 64, 64, dtype=torch.bool)
    told[..., 16:48, 16:48] = True
    suspect = torch.where(told, 255, original)
    nothing = torch.zeros(2)
    return Examples(suspect, original, told, ~told, nothing, nothing, nothing, told, suspect, nothing, nothing)


def test_answers_see_patches_and_nothing_else() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(SMALL)
    picture = torch.rand(2, 3, 96, 64)
    mask = torch.zeros(2, 1, 96, 64)
    answers = network(picture, mask)
    assert answers.shape == (2, 1, 12, 8)
    # Without the norms, which look at the mean and power of all, what is far away has no say.
    for layer in network.net:
        if isinstance(layer, torch.nn.InstanceNorm2d):
            layer.forward = lambda x: x  # type: ignore[method-assign]
    before = network(picture, mask)
    picture[..., 80:, :] = 0
    assert torch.equal(network(picture, mask)[..., :6, :], before[..., :6, :])
    assert not torch.equal(network(picture, mask)[..., -1, :], before[..., -1, :])


class Answering(torch.nn.Module):
    """One answer everywhere for pictures that are grey inside, another for all others."""

    def forward(self, picture: Tensor, mask: Tensor) -> Tensor:
        grey = (picture * mask).std((1, 2, 3), keepdim=True) < 0.23
        return torch.where(grey, 0.25, 0.75).expand(-1, 1, 8, 8) * self.scale

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))


def test_losses_by_hand() -> None:
    adversary, shown = Adversary(0.5, 1e-3, CPU, SMALL), examples()
    adversary.network = Answering()  # type: ignore[assignment]
    grey = torch.full((2, 3, 64, 64), 0.5)
    # Recovered is answered .25, genuine .75: least squares towards 1, and for D towards 0 and 1.
    assert float(adversary.objection(grey, shown).detach()) == pytest.approx(0.5 * 0.75**2)
    assert float(adversary.learn(grey, shown)) == pytest.approx((0.25**2 + 0.25**2) / 2)
    assert float(adversary.objection(shown.original.float() / 255, shown).detach()) == pytest.approx(0.5 * 0.25**2)


def test_only_what_was_recovered_is_judged() -> None:
    torch.manual_seed(0)
    adversary, shown = Adversary(1.0, 1e-3, CPU, SMALL), examples()
    recovered = torch.full((2, 3, 64, 64), 0.5, requires_grad=True)
    adversary.objection(recovered, shown).backward()  # type: ignore[no-untyped-call]
    assert recovered.grad is not None
    told = shown.told.expand(-1, 3, -1, -1)
    assert float(recovered.grad[~told].abs().max()) == 0 < float(recovered.grad[told].abs().max())
    again = recovered.detach().clone().requires_grad_()
    adversary.learn(again, shown)
    assert again.grad is None
    assert all(parameter.grad is not None for parameter in adversary.network.parameters())


def test_it_learns_to_tell_grey_from_noise() -> None:
    torch.manual_seed(0)
    adversary, shown = Adversary(1.0, 2e-3, CPU, (8, 12, 16)), examples()
    grey = torch.full((2, 3, 64, 64), 0.5)
    losses = []
    for _ in range(40):
        losses.append(float(adversary.learn(grey, shown)))
        adversary.advance()
    assert losses[-1] < 0.05 < losses[0]
    objections = [float(adversary.objection(of, shown).detach()) for of in (grey, shown.original / 255)]
    assert objections[0] > 0.5 > objections[1]


@pytest.mark.usefixtures("unmeasured")
def test_a_run_with_a_discriminator_goes_on_where_it_stopped(
    shard: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts, without = tmp_path / "whole", tmp_path / "parts", tmp_path / "without"
    expected = train(shard, small_weights, whole, nets=("r",), adversarial=0.5)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(lessons, "make_batch", at_call(2, interrupt, lessons.make_batch))
        train(shard, small_weights, parts, nets=("r",), adversarial=0.5)
    found = train(shard, None, parts, nets=("r",), adversarial=0.5, resume=True)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-6, msg=name)
    one, other = (state_of(folder)["adversary"]["network"] for folder in (whole, parts))
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=0, atol=1e-6, msg=name)
    plain = train(shard, small_weights, without, nets=("r",))
    assert state_of(without)["adversary"] is None
    assert any(not torch.equal(plain[name], tensor) for name, tensor in expected.items())
    # Nothing of it is shipped.
    assert set(expected) == set(load_weights("lattice", small_weights).tensors)
    for folder, had, adversarial in ((whole, "with", 0.0), (without, "without", 0.5)):
        with pytest.raises(InputError, match=rf"trained {had} a discriminator.*--adversarial"):
            train(shard, None, folder, nets=("r",), adversarial=adversarial, resume=True)


def test_it_needs_a_recoverer(shard: Path, small_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--adversarial.*--net r"):
        train(shard, small_weights, tmp_path, nets=("v",), adversarial=0.1)
