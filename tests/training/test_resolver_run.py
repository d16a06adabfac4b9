"""How S is trained: what it is shown, what it is asked for, and runs that stop and go on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from short_runs import train
from torch import Tensor

from imuge_cli.checkpoints import load_weights
from imuge_cli.lattice.resampling import Resampling
from imuge_cli.networks.resolver import Resolver
from imuge_cli.training import resolving, run
from imuge_cli.training.resolving import Resampled, made_smaller, resolver_loss, validate_resolver

HALF = Resampling(128, 128, "area", "cubic")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "RESOLVER", (8, 1))
    monkeypatch.setattr(resolving, "_ROUND_BATCHES", 1)


class Told(Resolver):
    """Answers with what it was told, less some of what is wrong with what it is given."""

    def __init__(self, sent: Tensor, share: float) -> None:
        super().__init__(4, 1)
        self.sent, self.share = sent, share

    def forward(self, undone: Tensor, open_rows: Tensor, open_columns: Tensor) -> Tensor:
        return undone + self.share * (self.sent - undone)


def pictures(count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    rough = torch.rand(count, 3, 64, 64, generator=generator) * 255
    return torch.nn.functional.interpolate(rough, size=(256, 256), mode="bicubic").clamp(0, 255).round()


@pytest.mark.usefixtures("unmeasured")
def test_only_s_learns_and_its_figures_are_written(shard: Path, small_weights: Path, tmp_path: Path) -> None:
    before = load_weights("lattice", small_weights)
    train(shard, small_weights, tmp_path, steps=2, nets=("s",))
    after = load_weights("lattice", tmp_path)
    assert (before.config.get("resolver"), after.config["resolver"]) == (None, [8, 1])
    assert all(torch.equal(tensor, after.tensors[name]) for name, tensor in before.tensors.items())
    assert float(after.tensors["resolver.leave.weight"].abs().max()) > 0
    figures = json.loads((tmp_path / "validation.json").read_text())
    assert {"phases 0.5 undone", "phases 0.5 resolved", "phases 0.7 undone", "phases 0.7 resolved"} < set(figures)
    assert "f1 splice none" in figures


@pytest.mark.parametrize("reuse", [1, 2])
def test_a_run_that_stopped_goes_on_as_if_it_had_not(
    shard: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reuse: int
) -> None:
    monkeypatch.setattr(run, "_validated", lambda *_, **__: ("", {}))
    whole = train(shard, small_weights, tmp_path / "whole", steps=3, nets=("s",), reuse=reuse)
    train(shard, small_weights, tmp_path / "parts", steps=1, nets=("s",), reuse=reuse)
    parts = train(shard, None, tmp_path / "parts", steps=3, nets=("s",), reuse=reuse, resume=True)
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=0, atol=1e-6, msg=name)


def test_pictures_are_immunized_once_a_round(
    shard: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_validated", lambda *_, **__: ("", {}))
    told: list[str] = []
    train(shard, small_weights, tmp_path, steps=5, nets=("s",), reuse=2, progress=told.append)
    assert [line.split(":")[0] for line in told if "pictures immunized" in line] == ["step 0", "step 2", "step 4"]


def test_what_is_shown_is_what_resampling_left() -> None:
    sent = pictures()
    shown = made_smaller(sent, HALF, np.random.default_rng(1))
    assert shown.sent.shape == shown.undone.shape == (2, 3, 128, 128)
    assert shown.open_rows.shape == shown.open_columns.shape == (2, 128)
    # Nothing is told from elsewhere in the picture: what is wrong is what undoing leaves, not a window that is off.
    assert 1 < float((shown.undone - shown.sent).square().mean().sqrt()) < 12
    assert float((shown.undone - shown.sent).mean().abs()) < 0.5
    again = made_smaller(sent, HALF, np.random.default_rng(1))
    assert torch.equal(shown.sent, again.sent)
    assert not torch.equal(shown.sent, made_smaller(sent, HALF, np.random.default_rng(2)).sent)


def test_sizes_and_interpolations_of_every_kind_are_drawn() -> None:
    drawn = [resolving._drawn(np.random.default_rng(seed)) for seed in range(400)]
    assert {r.down for r in drawn} == set(resolving.DOWN)
    assert {r.up for r in drawn} == set(resolving.UP)
    assert all(r.height == r.width and 0.3 * 256 < r.height < 0.96 * 256 for r in drawn)
    assert 40 < sum(r.height == 128 for r in drawn) < 120


def test_the_loss_falls_with_what_is_wrong_and_minds_it_most_where_little_is() -> None:
    shown = made_smaller(pictures(), HALF, np.random.default_rng(1))
    losses = [float(resolver_loss(Told(shown.sent, share), shown)) for share in (0.0, 0.3, 0.6, 0.9)]
    assert losses == sorted(losses, reverse=True)
    # A tenth of the errors' variance less is worth the same wherever phases still say something, less where not.
    gains, noise = [], torch.randn(shown.sent.shape, generator=torch.Generator().manual_seed(5))
    for strength in (1.0, 4.0):
        noisy = Resampled(shown.sent, shown.sent + 3 * strength * noise, *[shown.open_rows] * 2)
        worse, better = (float(resolver_loss(Told(shown.sent, share), noisy)) for share in (0.0, 0.1))
        gains.append(worse - better)
    assert gains[0] > gains[1] > 0


def test_validation_tells_phases_without_s_and_with_it() -> None:
    untrained = validate_resolver(Resolver(8, 1), pictures())
    assert len(untrained) == 4
    assert untrained["phases 0.5 undone"] == pytest.approx(untrained["phases 0.5 resolved"], abs=1e-6)
    assert 0.1 < untrained["phases 0.5 undone"] < untrained["phases 0.7 undone"] < 1
