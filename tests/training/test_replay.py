"""Prepared examples: what is kept of a batch, and in which windows and orientations it is shown again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.attacks.mix import TrainingMix
from imuge_cli.checkpoints import load_weights
from imuge_cli.errors import UsageError
from imuge_cli.lattice.transform import SLOTS
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.networks.verifier import BLOCK_PLANES
from imuge_cli.training import lessons, run, run_training
from imuge_cli.training.batches import Recipe, carrier_of, make_batch
from imuge_cli.training.examples import Examples, join, prepare
from imuge_cli.training.objectives import recovered_by, recoverer_loss, told_mask, verifier_loss
from imuge_cli.training.replay import WINDOW, Round

CPU = torch.device("cpu")
SIDE = 256


def marked(count: int) -> Examples:
    """Examples whose pixels say where they come from: block number in red and in the evidence, example in `noise`.

    The evidence of the slot of frequencies (u, v) is 10 u + v.
    """
    blocks = torch.arange((SIDE // 8) ** 2).view(1, 1, SIDE // 8, SIDE // 8) % 251
    red = functional.interpolate(blocks.float(), scale_factor=8, mode="nearest").byte()
    picture = red.expand(count, 3, -1, -1).clone()
    evidence = torch.zeros(count, BLOCK_PLANES, SIDE // 8, SIDE // 8, dtype=torch.float16)
    for plane, (u, v) in enumerate(SLOTS):
        evidence[:, plane] = 10 * u + v
    evidence[:, -1] = blocks.half()
    mask = torch.zeros(count, 1, SIDE, SIDE, dtype=torch.bool)
    mask[:, :, 30:50, 180:220] = True
    pair = torch.stack([picture, picture], 1)
    return Examples(
        suspect=picture,
        original=picture,
        mask=mask,
        known=torch.ones_like(mask),
        first=evidence,
        drafts=pair,
        later=torch.stack([evidence, evidence], 1),
        told=mask,
        recovery_drafts=pair,
        noise=torch.arange(float(count)),
        doubt=torch.ones(count),
    )


def test_what_is_shown_belongs_together() -> None:
    lesson = Round(0, marked(6))
    turned = straight = 0
    for step in range(12):
        shown = lesson.draw(step, 2, seed=3, device=CPU)
        assert shown.suspect.shape == (2, 3, WINDOW, WINDOW)
        assert shown.first.shape == (2, BLOCK_PLANES, WINDOW // 8, WINDOW // 8)
        pooled = functional.max_pool2d(shown.suspect[:, :1].float(), 8)
        torch.testing.assert_close(pooled[:, 0], shown.first[:, -1].float())
        torch.testing.assert_close(shown.later[:, 1, -1], shown.first[:, -1])
        for evidence in shown.first:
            right = evidence[-1, 0, 1] - evidence[-1, 0, 0]
            # Blocks are numbered row by row: along a row they differ by one, unless rows became columns.
            was_turned = abs(float(right)) not in (1.0, 250.0)
            turned, straight = turned + was_turned, straight + (not was_turned)
            for plane, (u, v) in enumerate(SLOTS):
                assert float(evidence[plane, 0, 0]) == (10 * v + u if was_turned else 10 * u + v)
    assert turned
    assert straight


def test_every_example_comes_once_before_any_comes_again() -> None:
    lesson = Round(40, marked(6))
    seen = [int(n) for step in range(40, 46) for n in lesson.draw(step, 2, seed=3, device=CPU).noise]
    assert sorted(seen[:6]) == sorted(seen[6:]) == list(range(6))
    again = [int(n) for step in range(40, 46) for n in lesson.draw(step, 2, seed=3, device=CPU).noise]
    other = [int(n) for step in range(40, 46) for n in lesson.draw(step, 2, seed=4, device=CPU).noise]
    assert seen == again != other


@pytest.mark.parametrize("place", [(slice(30, 50), slice(180, 220)), (slice(250, 256), slice(3, 9))])
def test_most_windows_show_what_was_lost(place: tuple[slice, slice]) -> None:
    examples = marked(1)
    for mask in (examples.mask, examples.told):
        mask[:] = False
        mask[(..., *place)] = True
    lesson = Round(0, examples)
    shown = [lesson.draw(step, 1, seed=5, device=CPU).told for step in range(60)]
    assert all(told.shape == (1, 1, WINDOW, WINDOW) for told in shown)
    # Three in four, and some of the others by chance.
    assert 36 < sum(bool(told.any()) for told in shown) < 60


def test_a_round_is_kept_and_another_or_a_broken_one_is_not_taken_for_it(tmp_path: Path) -> None:
    lesson = Round(80, marked(2))
    lesson.save(tmp_path)
    again = Round.load(tmp_path, 80)
    assert again is not None
    for name, tensor in vars(lesson.examples).items():
        torch.testing.assert_close(getattr(again.examples, name), tensor, rtol=0, atol=0)
    assert Round.load(tmp_path, 0) is None
    assert Round.load(tmp_path / "elsewhere", 80) is None
    file = tmp_path / "round.pt"
    file.write_bytes(file.read_bytes()[:1000])
    assert Round.load(tmp_path, 80) is None


def test_a_batch_is_prepared_whole(pictures: Tensor) -> None:
    torch.manual_seed(0)
    networks = LatticeNetworks((8, 12, 16), (8, 8, 12, 16))
    recipe = Recipe(seed=1, batch=2, mix=TrainingMix(), untampered=0.0)
    carrier = carrier_of(recipe, 0, CPU)
    with ThreadPoolExecutor(2) as pool:
        batch = make_batch(pictures, recipe, 0, CPU, pool)
    told = told_mask(batch, np.random.default_rng(0))
    examples = join([prepare(networks, carrier, batch, told, recover=True)[0]] * 2)
    assert len(examples) == 4
    assert examples.drafts.shape == examples.recovery_drafts.shape == (4, 2, 3, SIDE, SIDE)
    torch.testing.assert_close(examples.suspect[:2].float(), batch.reception.picture.round())
    torch.testing.assert_close(examples.mask[2:].float(), batch.mask)
    # Ratios of pilots and header chips alone, then of all symbols; the last plane says that a draft is given.
    assert (examples.first[:, :14] != 0).float().mean() < 0.2 < (examples.later[:, :, :14] != 0).float().mean()
    assert not examples.first[:, -1].any()
    assert examples.later[:, :, -1].all()
    shown = Round(0, examples).draw(0, 2, seed=1, device=CPU)
    # Untrained, R returns what it is given: a draft, and what symbols made of its answer.
    first, second = (recovered_by(networks, shown, again=again) for again in (False, True))
    torch.testing.assert_close(first, shown.recovery_drafts[:, 0] / 255)
    torch.testing.assert_close(second, shown.recovery_drafts[:, 1] / 255)
    assert not first.equal(second)
    for loss in (
        verifier_loss(networks, shown, np.random.default_rng(0)),
        recoverer_loss(recovered_by(networks, shown), shown),
    ):
        assert torch.isfinite(loss)
        loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None for p in [*networks.verifier.parameters(), *networks.recoverer.parameters()])


def test_nothing_of_an_untampered_picture_is_told_to_be_lost(pictures: Tensor) -> None:
    recipe = Recipe(seed=1, batch=2, mix=TrainingMix(), untampered=1.0, cropped=0.0, rescaled=0.0)
    with ThreadPoolExecutor(2) as pool:
        batch = make_batch(pictures, recipe, 0, CPU, pool)
    assert not batch.mask.any()
    assert not told_mask(batch, np.random.default_rng(0)).any()


def test_large_pictures_arrive_at_the_working_size_with_the_lattice_intact(pictures: Tensor) -> None:
    mix = TrainingMix(entries=(("none", 1.0),))
    recipe = Recipe(seed=2, batch=4, mix=mix, untampered=1.0, large=1.0)
    with ThreadPoolExecutor(2) as pool:
        batch = make_batch(pictures, recipe, 0, CPU, pool)
    assert batch.suspect.shape == (4, 3, SIDE, SIDE)
    assert not torch.equal(batch.suspect, batch.immunized)
    errors = torch.cos(2 * torch.pi * batch.reception.errors).mean((1, 2, 3))
    assert (errors > 0.3).all()


def test_an_interrupted_run_with_reuse_ends_where_an_uninterrupted_one_does(
    shard: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_validated", lambda *_, **__: ("", {}))
    monkeypatch.setattr(lessons, "_ROUND_BATCHES", 1)

    def train(out: Path, steps: int, **changes: Any) -> dict[str, Tensor]:
        path = run_training(
            data=[shard],
            out=out,
            steps=steps,
            batch=2,
            seed=1,
            device="cpu",
            progress=lambda _: None,
            reuse=3,
            **changes,
        )
        return load_weights("lattice", path).tensors

    monkeypatch.setattr(run, "learning_rate", lambda rate, step, total: rate)
    whole = train(tmp_path / "whole", 5, start=small_weights)
    train(tmp_path / "parts", 2, start=small_weights)
    parts = train(tmp_path / "parts", 5, resume=True)
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=0, atol=1e-6, msg=name)


def test_what_an_encoder_sends_cannot_be_used_again(shard: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--reuse"):
        run_training(data=[shard], nets=("r", "e"), steps=1, reuse=2, out=tmp_path / "out", device="cpu")
