"""Training the paper's system: what is refused, and that it resumes through every boundary of its stages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from paper_networks import SMALL, train_small_ones
from torch import Tensor

from imuge_cli.checkpoints import load_weights, save_weights
from imuge_cli.errors import InputError, UsageError
from imuge_cli.models.imuge.family import ImugeNetworks
from imuge_cli.training import imuge_run, run_training
from imuge_cli.training.imuge_objectives import Weights
from imuge_cli.training.imuge_plan import Mechanisms, Schedule
from imuge_cli.training.imuge_scenes import draw_scene, validate
from imuge_cli.training.imuge_step import Played, play

STEPS = 10


def quiet(_: str) -> None:
    pass


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    train_small_ones(monkeypatch)


def train(shard: Path, out: Path, **changes: Any) -> dict[str, Tensor]:
    settings: dict[str, Any] = {"steps": STEPS, "batch": 2, "seed": 1, "device": "cpu", "progress": quiet}
    path = run_training(data=[shard], out=out, model="imuge", **{**settings, **changes})
    return load_weights("imuge", path).tensors


@pytest.fixture(scope="module")
def uninterrupted(shard: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    with pytest.MonkeyPatch.context() as patch:
        train_small_ones(patch)
        return train(shard, tmp_path_factory.mktemp("whole"))


def stopping_at(step: int) -> Any:
    """Ctrl-C once a step is done."""

    def report(line: str) -> None:
        if line.startswith(f"step {step} "):
            raise KeyboardInterrupt

    return report


@pytest.mark.parametrize("step", sorted({1, *Schedule(STEPS).boundaries(), 9}))
def test_a_run_stopped_anywhere_ends_where_an_uninterrupted_one_does(
    shard: Path, uninterrupted: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(imuge_run, "_REPORT", 1)
    with pytest.raises(KeyboardInterrupt):
        train(shard, tmp_path, progress=stopping_at(step))
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == step
    resumed = train(shard, tmp_path, resume=True, steps=None)
    for name, tensor in uninterrupted.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=0)


def test_everybody_learns_and_figures_are_written(shard: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    before = ImugeNetworks(SMALL, SMALL, SMALL).state_dict()
    after = train(shard, tmp_path)
    changed = {name.split(".")[0] for name in before if not torch.allclose(before[name], after[name], atol=1e-3)}
    assert changed == {"encoder", "verifier", "recoverer"}
    figures = {"psnr": 33.0, "l_psnr none": 20.0, "f1 none": 0.5}
    assert json.loads((tmp_path / "validation.json").read_text()) == {"step": STEPS, **figures}
    entry = json.loads((tmp_path / "manifest.json").read_text())["families"]["imuge"]
    assert (entry["training_steps"], entry["figures"]) == (STEPS, figures)
    with pytest.raises(UsageError, match="resume it without --steps"):
        train(shard, tmp_path, resume=True, steps=STEPS + 1)
    with pytest.raises(UsageError, match="--without"):
        train(shard, tmp_path, resume=True, without=("sharing",))


def test_a_run_can_begin_from_weights(shard: Path, tmp_path: Path) -> None:
    torch.manual_seed(4)
    networks = ImugeNetworks(SMALL, SMALL, SMALL, (1,))
    save_weights(tmp_path / "start", "imuge", networks.state_dict(), networks.config, {})
    train(shard, tmp_path / "out", steps=1, start=tmp_path / "start")
    assert load_weights("imuge", tmp_path / "out").config["shared_levels"] == [1]
    with pytest.raises(UsageError, match="leave --width out"):
        train(shard, tmp_path / "again", start=tmp_path / "start", width=8)
    train(shard, tmp_path / "wide", steps=1, width=16, side=128)
    assert load_weights("imuge", tmp_path / "wide").config["verifier"]["width"] == 16


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": None}, "--steps"),
        ({"nets": ("v",)}, "learn together"),
        ({"reuse": 3}, "learn together"),
        ({"without": ("lattice",)}, "choose v, discriminators"),
        ({"without": ("v",)}, "add --without decoupling"),
        ({"width": 12}, "no multiple of 8"),
        ({"side": 100}, "a multiple of 16 from 128 to 256"),
        ({"side": 272}, "a multiple of 16 from 128 to 256"),
        ({"width": 8, "resume": True}, "leave --width out"),
    ],
)
def test_what_makes_no_sense_is_refused(shard: Path, tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train(shard, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_mechanisms_are_of_this_model_alone(shard: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--model imuge"):
        run_training(data=[shard], out=tmp_path, steps=1, without=("sharing",), progress=quiet)
    assert imuge_run.mechanisms_without(("v", "decoupling")) == Mechanisms(verifier=False, decoupling=False)


def test_a_state_that_cannot_be_resumed_says_why(shard: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training state"):
        train(shard, tmp_path, resume=True)
    torch.save({"kind": "lattice"}, tmp_path / "state.pt")
    with pytest.raises(InputError, match="of another model"):
        train(shard, tmp_path, resume=True)
    (tmp_path / "state.pt").write_bytes(b"torn")
    with pytest.raises(InputError, match="cannot be resumed"):
        train(shard, tmp_path, resume=True)


def test_scenes_follow_from_seed_and_step(pictures: Tensor) -> None:
    cpu = torch.device("cpu")
    one, same, other = (draw_scene(pictures, 3, 2, step, cpu) for step in (5, 5, 6))
    torch.testing.assert_close(one.original, same.original, rtol=0, atol=0)
    torch.testing.assert_close(one.masks, same.masks, rtol=0, atol=0)
    assert not torch.equal(one.masks, other.masks)
    assert one.original.shape == one.donors.shape == (2, 3, 256, 256) and one.masks.shape == (2, 1, 256, 256)
    assert float(one.original.min()) >= -1 and float(one.original.max()) <= 1
    assert set(one.masks.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(one.donors[0], one.original[1].flip(-1), rtol=0, atol=0)
    window = draw_scene(pictures, 3, 2, 5, cpu, 160)
    torch.testing.assert_close(window.original, one.original[..., 48:208, 48:208], rtol=0, atol=0)
    assert window.masks.shape == (2, 1, 160, 160)


def test_validation_measures_the_whole_chain(pictures: Tensor) -> None:
    torch.manual_seed(0)
    networks = ImugeNetworks(SMALL, SMALL, SMALL)
    figures = validate(networks, pictures[:16], torch.device("cpu"))
    assert figures.psnr > 40 and set(figures.f1) == {"none", "jpeg:70"}
    assert all(0 <= value <= 1 for value in figures.f1.values())
    assert "immunized" in figures.line() and figures.flat()["psnr"] == figures.psnr
    blind = validate(networks, pictures[:16], torch.device("cpu"), False)
    assert set(blind.f1.values()) == {0.0} and blind.l_psnr != figures.l_psnr


def test_what_immunizing_changes_weighs_what_it_is_told_to(
    shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights: list[Weights] = []

    def playing(*args: Any) -> Played:
        weights.append(args[4])
        return play(*args)

    monkeypatch.setattr(imuge_run, "play", playing)
    train(shard, tmp_path / "heavy", steps=1, gamma=2.0)
    train(shard, tmp_path / "paper", steps=1)
    assert weights == [Weights(gamma=2.0), Weights(gamma=0.5)]


def test_a_run_goes_on_at_its_own_rate_or_at_another(shard: Path, tmp_path: Path) -> None:
    def rates() -> set[float]:
        saved = torch.load(tmp_path / "state.pt", weights_only=True)
        return {group["lr"] for key in ("optimizer", "judges") for group in saved[key]["param_groups"]}

    train(shard, tmp_path, lr=3e-4, minutes=0)
    assert rates() == {3e-4}
    train(shard, tmp_path, resume=True, steps=None, minutes=0)
    assert rates() == {3e-4}
    train(shard, tmp_path, resume=True, steps=None, minutes=0, lr=1e-4)
    assert rates() == {1e-4}
