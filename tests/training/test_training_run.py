"""The training program: what it refuses, its curve, and going on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from imuge_cli.attacks.mix import TrainingMix
from imuge_cli.checkpoints import load_weights
from imuge_cli.errors import DeviceError, InputError, UsageError
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.training import run, run_training, statistics
from imuge_cli.training.batches import Recipe, draw_originals
from imuge_cli.training.run import learning_rate
from imuge_cli.training.validation import CASES, Case, Validation, validate


def quiet(_: str) -> None:
    pass


class Stopped(Exception):
    """As if the power had failed."""


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No validation at the end of a run: it costs more than the run."""
    result = Validation((Case("splice none", 20.0, 21.0, 0.5, 0.6),))
    monkeypatch.setattr(run, "_validation", lambda *_: result)


def train(shard: Path, start: Path, out: Path, **changes: Any) -> dict[str, Tensor]:
    """Weights after a few steps of two pictures."""
    settings: dict[str, Any] = {"steps": 4, "batch": 2, "seed": 1, "device": "cpu", "progress": quiet}
    path = run_training(data=[shard], out=out, start=start, **{**settings, **changes})
    return load_weights("lattice", path).tensors


def state_of(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / "state.pt", weights_only=True)
    return state


@pytest.mark.usefixtures("unmeasured")
def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    shard: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(shard, small_weights, tmp_path / "whole")
    make, calls = run.make_batch, []

    def stopping(*arguments: Any) -> Any:
        calls.append(arguments[2])
        if arguments[2] == 2:
            raise Stopped
        return make(*arguments)

    monkeypatch.setattr(run, "_SAVE_SECONDS", -1.0)
    monkeypatch.setattr(run, "make_batch", stopping)
    with pytest.raises(Stopped):
        train(shard, small_weights, tmp_path / "parts")
    assert calls == [0, 1, 2]
    assert state_of(tmp_path / "parts")["step"] == 2
    monkeypatch.setattr(run, "make_batch", make)
    said: list[str] = []
    parts = train(shard, small_weights, tmp_path / "parts", resume=True, progress=said.append)
    assert "resumed at step 2" in said
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=0, atol=1e-6, msg=name)
    one, other = state_of(tmp_path / "whole"), state_of(tmp_path / "parts")
    assert one["step"] == other["step"] == 4
    for kind in ("networks", "average"):
        for name, tensor in one[kind].items():
            torch.testing.assert_close(other[kind][name], tensor, rtol=0, atol=1e-6, msg=f"{kind} {name}")
    untrained = load_weights("lattice", small_weights).tensors
    assert float((whole["verifier.net.leave.weight"] - untrained["verifier.net.leave.weight"]).abs().max()) > 0
    assert float((whole["recoverer.net.leave.weight"] - untrained["recoverer.net.leave.weight"]).abs().max()) > 0


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


@pytest.mark.parametrize("content", [None, b"", b"garbage"])
def test_a_state_that_cannot_be_resumed_is_an_input_error(
    shard: Path, small_weights: Path, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(InputError, match="resume"):
        train(shard, small_weights, tmp_path, resume=True)


@pytest.mark.usefixtures("unmeasured")
def test_a_state_of_other_networks_is_not_resumed(shard: Path, small_weights: Path, tmp_path: Path) -> None:
    train(shard, small_weights, tmp_path, steps=0)
    with pytest.raises(InputError, match="resume"):
        run_training(data=[shard], out=tmp_path, resume=True, progress=quiet, steps=1, device="cpu")


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
    assert float(after.residue[0, 0, 0]) > 1
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
