"""The training program: what it refuses, what it trains, and its curve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from short_runs import quiet, train
from torch import Tensor

from imuge_cli.attacks.mix import TrainingMix
from imuge_cli.checkpoints import load_weights
from imuge_cli.errors import DeviceError, InputError, UsageError
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.training import run, run_training, statistics
from imuge_cli.training.batches import Recipe, draw_originals
from imuge_cli.training.run import learning_rate
from imuge_cli.training.validation import CASES, validate


@pytest.mark.usefixtures("unmeasured")
def test_only_the_chosen_network_learns_and_figures_are_written(
    shard: Path, small_weights: Path, tmp_path: Path
) -> None:
    before = load_weights("lattice", small_weights).tensors
    after = train(shard, small_weights, tmp_path, steps=1, nets=("v",))
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"verifier"}
    figures = json.loads((tmp_path / "validation.json").read_text())
    assert figures == {"step": 1, "l_psnr splice none": 21.0, "f1 splice none": 0.6}
    entry = json.loads((tmp_path / "manifest.json").read_text())["families"]["lattice"]
    assert entry["training_steps"] == 1
    assert entry["figures"] == {"l_psnr splice none": 21.0, "f1 splice none": 0.6}


@pytest.mark.usefixtures("unmeasured")
def test_an_encoder_learns_through_the_recoverer(
    shard: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ENCODER_WIDTHS", (4, 4, 4, 4, 4, 4))
    after = train(shard, small_weights, tmp_path, steps=1, nets=("r", "e"))
    assert float(after["encoder.leave.weight"].abs().max()) > 0


def test_the_learning_rate_rises_stays_and_falls() -> None:
    rates = [learning_rate(1e-3, step, 1000) for step in range(1001)]
    assert rates[0] == pytest.approx(1e-5)
    assert rates[49] == pytest.approx(5e-4)
    assert set(rates[99:600]) == {1e-3}
    assert all(after < before for before, after in zip(rates[600:-1], rates[601:], strict=True))
    assert rates[800] == pytest.approx(1e-3 * 0.51)
    assert rates[1000] == pytest.approx(2e-5)
    assert learning_rate(1e-3, 5000, 1000) == pytest.approx(2e-5)
    assert learning_rate(1e-3, 10**6, None) == 1e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "imuge3"}, "imuge3"),
        ({"nets": ("v", "q")}, "--net q"),
        ({"nets": ("e",)}, "--net e"),
        ({"nets": ("s", "v")}, "--net s"),
        ({"device": "abacus"}, "abacus"),
        ({"data": []}, "only 0 pictures"),
    ],
)
def test_what_cannot_be_trained_is_refused(shard: Path, tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run_training(**{"data": [shard], "out": tmp_path / "out", "progress": quiet, "steps": 1, **settings})
    assert not (tmp_path / "out").exists()


def test_cuda_that_is_not_there_is_refused(shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError):
        run_training(data=[shard], out=tmp_path, device="cuda", progress=quiet, steps=1)


def test_a_shard_that_is_none_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_text("hello")
    with pytest.raises(InputError, match=r"x\.tar"):
        run_training(data=[path], out=tmp_path / "out", progress=quiet, steps=1)


def test_statistics_are_measured(pictures: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_BATCHES", 1)
    networks = LatticeNetworks((8, 12), (8, 12))
    before = networks.statistics()
    statistics.measure_statistics(networks, pictures, Recipe(seed=1, batch=2, mix=TrainingMix()))
    after = networks.statistics()
    assert after.variance.shape == before.variance.shape
    assert torch.isfinite(after.variance).all()
    assert not torch.equal(after.variance, before.variance)
    # Low bands are described but for the lattice, high ones hardly.
    assert float(after.residue[0, 0, 0]) > 0.5
    assert float(after.variance[0]) > 50 * float(after.variance[500:600].mean())


def test_validation_measures_every_case(pictures: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_weights("lattice", None)
    networks = LatticeNetworks.from_tensors(loaded.tensors, loaded.config)
    originals = draw_originals(pictures, Recipe(seed=9, batch=2, mix=TrainingMix()), 0, torch.device("cpu"))
    result = validate(networks, originals)
    assert [case.name for case in result.cases] == [f"{tamper} {attack}" for tamper, attack in CASES]
    easy = result.cases[0]
    assert easy.recovered > 18
    assert easy.draft > 18
    assert easy.second_f1 > 0.5
    assert len(result.figures()) == 2 * len(CASES)
    assert all(name in result.line() for name in ("splice none", "clone jpeg:70"))
    assert networks.training
