"""What networks are shown in training: the same in every run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from imuge_cli.attacks.chain import parse
from imuge_cli.attacks.mix import TrainingMix
from imuge_cli.training import batches
from imuge_cli.training.batches import Batch, Recipe, carrier_of, draw_originals, fixed_batch, make_batch
from imuge_cli.training.objectives import local_psnr, told_mask
from imuge_cli.training.plan import recipe_for

CPU = torch.device("cpu")
RECIPE = Recipe(seed=3, batch=4, mix=TrainingMix())


def batch_of(pictures: Tensor, recipe: Recipe, step: int, threads: int = 2) -> Batch:
    with ThreadPoolExecutor(threads) as pool, torch.no_grad():
        return make_batch(pictures, recipe, step, CPU, pool)


@pytest.fixture(scope="module")
def batch(pictures: Tensor) -> Batch:
    return batch_of(pictures, RECIPE, 5)


def test_a_batch_holds_what_it_says(batch: Batch) -> None:
    for picture in (batch.original, batch.immunized):
        assert float(picture.min()) >= 0
        assert float(picture.max()) <= 255
        torch.testing.assert_close(picture, picture.round())
    # What was scaled back is neither whole nor clipped.
    assert -80 < float(batch.suspect.min()) < float(batch.suspect.max()) < 335
    for picture in (batch.original, batch.immunized, batch.suspect):
        assert picture.shape == (4, 3, 256, 256)
    for plane in (batch.mask, batch.known):
        assert plane.shape == (4, 1, 256, 256)
        assert set(plane.unique().tolist()) <= {0.0, 1.0}
    assert float((batch.mask * (1 - batch.known)).max()) == 0
    assert batch.reception.data.shape == (4, 12, 32, 32)
    error = float(((batch.immunized - batch.original) ** 2).mean())
    assert 3 < error < 8


def test_batches_are_the_same_whatever_the_number_of_threads(pictures: Tensor, batch: Batch) -> None:
    again = batch_of(pictures, RECIPE, 5, threads=1)
    for name in ("original", "immunized", "suspect", "mask", "known"):
        torch.testing.assert_close(getattr(again, name), getattr(batch, name), rtol=0, atol=0)
    torch.testing.assert_close(again.reception.data, batch.reception.data, rtol=0, atol=0)


@pytest.mark.parametrize(("seed", "step"), [(3, 6), (4, 5)])
def test_batches_differ_by_seed_and_step(pictures: Tensor, batch: Batch, seed: int, step: int) -> None:
    other = batch_of(pictures, replace(RECIPE, seed=seed), step)
    assert float((other.original - batch.original).abs().mean()) > 5
    assert float((other.mask - batch.mask).abs().mean()) > 0


def test_shares_of_untampered_and_cropped_pictures(pictures: Tensor) -> None:
    plain = batch_of(pictures, replace(RECIPE, untampered=1.0, cropped=0.0, rescaled=0.0), 1)
    assert float(plain.mask.sum()) == 0
    assert float(plain.known.min()) == 1
    cropped = batch_of(pictures, replace(RECIPE, untampered=0.0, cropped=1.0, rescaled=0.0), 1)
    shares = cropped.known.mean((1, 2, 3))
    assert 0.2 < float(shares.min()) < float(shares.max()) <= 1
    assert ((cropped.suspect - 128).abs() * (1 - cropped.known)).sum() == 0
    # What lies partly outside says nothing.
    blocks = cropped.reception.known.repeat_interleave(8, -1).repeat_interleave(8, -2)
    assert float((blocks * (1 - cropped.known)).max()) == 0
    assert float(cropped.mask.sum()) > 0


def test_suspects_of_unknown_scale_arrive_where_the_search_finds_them(
    pictures: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_SAVED", TrainingMix((("none", 1.0),)))
    monkeypatch.setattr(batches, "_SCALES", (0.8, 1.5))
    recipe = replace(RECIPE, batch=8, untampered=1.0, large=0.0, rescaled=1.0)

    def agreement() -> Tensor:
        batch = batch_of(pictures, recipe, 7)
        shares = batch.known.mean((1, 2, 3))
        assert 0.2 < float(shares.min()) < 0.9 < float(shares.max())
        assert ((batch.suspect - 128).abs() * (1 - batch.known)).sum() == 0
        inside = batch.reception.known
        return (torch.cos(2 * torch.pi * batch.reception.errors).mean(1, keepdim=True) * inside).sum() / inside.sum()

    found = agreement()
    assert float(found) > 0.8
    # A few pixels beside it hardly anything can be read.
    monkeypatch.setattr(batches, "_PLACE_ERROR", 3.0)
    assert float(agreement()) < 0.4


def test_originals_are_taken_from_all_pictures_at_several_scales(pictures: Tensor) -> None:
    drawn = draw_originals(pictures, replace(RECIPE, batch=24), 0, CPU)
    assert drawn.shape == (24, 3, 256, 256)
    assert len({row.numpy().tobytes() for row in drawn}) >= 16


def test_carriers_take_turns() -> None:
    carriers = [carrier_of(RECIPE, step, CPU) for step in range(5)]
    assert carriers[0] is carriers[4]
    for one, other in zip(carriers[:3], carriers[1:4], strict=True):
        assert float((one.dither - other.dither).abs().mean()) > 0.2


def test_a_fixed_batch_is_fixed(pictures: Tensor) -> None:
    originals = draw_originals(pictures, replace(RECIPE, batch=2), 0, CPU)
    one, again = (fixed_batch(originals, "splice", 0.1, parse("jpeg:70"), seed=7) for _ in range(2))
    torch.testing.assert_close(one.suspect, again.suspect, rtol=0, atol=0)
    torch.testing.assert_close(one.mask, again.mask, rtol=0, atol=0)
    assert 0.08 < float(one.mask.mean()) < 0.12


def test_the_told_mask_holds_the_true_one_and_what_is_missing(batch: Batch) -> None:
    mask, known = torch.zeros(3, 1, 256, 256), torch.ones(3, 1, 256, 256)
    mask[0, :, 50:90, 60:130] = 1
    mask[2, :, 5:20, 6:30] = 1
    known[2, :, 200:] = 0
    batch = replace(batch, mask=mask, known=known)
    sizes = set()
    for seed in range(12):
        told = told_mask(batch, np.random.default_rng(seed))
        assert float((mask - told).max()) <= 0
        assert float(told[2, :, 200:].min()) == 1
        assert not told[1].any()
        sizes.add(int(told[0].sum()))
        assert float(told[0, :, 46:94, 56:134].sum()) == float(told[0].sum())
    assert min(sizes) == 40 * 70
    assert len(sizes) == 4


def test_local_psnr_counts_the_mask_alone() -> None:
    original, mask = torch.full((2, 3, 8, 8), 100.0), torch.zeros(2, 1, 8, 8)
    mask[..., :4] = 1
    recovered = original.clone()
    recovered[..., :4] += 5
    recovered[..., 4:] = 0
    expected = 10 * np.log10(255**2 / 25)
    torch.testing.assert_close(local_psnr(recovered, original, mask), torch.full((2,), float(expected)))


def test_r_alone_is_shown_nothing_untampered(pictures: Tensor) -> None:
    together, alone = (recipe_for(nets, 3, 6) for nets in (("v", "r"), ("r",)))
    assert together == Recipe(seed=3, batch=6, mix=TrainingMix())
    tampered = [
        sum(
            int(shown.mask[i].sum() > 0)
            for shown in (batch_of(pictures, recipe, step) for step in (1, 2))
            for i in range(6)
        )
        for recipe in (together, alone)
    ]
    assert tampered[0] < tampered[1]
    # Of what was cropped the tampered part may be what was cut away.
    assert tampered[1] >= 11
