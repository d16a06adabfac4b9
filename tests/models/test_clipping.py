"""Levels that were stretched beyond white and black."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from photographs import photograph

from imuge_cli import Imuge
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.image.picture import Picture
from imuge_cli.models.lattice.clipping import at_limits, cut_off, legible_share, uncut_blocks, unsuspicious_ratios


@pytest.fixture(scope="module")
def engine() -> Imuge:
    return Imuge(device="cpu", exact=False)


def grey(level: float, count: int = 1) -> torch.Tensor:
    return torch.full((count, 3, 16, 16), level)


def test_only_stretched_levels_are_clipped() -> None:
    picture = torch.cat([grey(255), grey(0), grey(128), grey(255)])
    clipped = cut_off(at_limits(picture), torch.tensor([1.1, 1.1, 1.1, 1.0])[:, None].expand(-1, 3))
    assert clipped.dtype == torch.int8
    assert [int(part.unique()) for part in clipped] == [1, -1, 0, 0]


def test_channels_that_were_changed_each_by_itself_are_cut_off_each_by_itself() -> None:
    limits = at_limits(grey(255))
    assert cut_off(limits, torch.tensor([[1.2, 1.0, 0.8]])).amax((2, 3)).tolist() == [[1, 0, 0]]
    assert cut_off(limits, torch.tensor([[1.2, 1.0, 0.8]]), torch.zeros(1, 3)).amax((2, 3)).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize(
    ("gain", "offset", "white", "black"),
    [
        (1.1, 0.0, 1, 0),  # multiplied: black stays black
        (1.1, 11.0, 1, -1),  # stretched around a level in the middle
        (1.0, -15.0, 1, 0),  # 15 was added
        (1.0, 15.0, 0, -1),  # 15 was taken away
        (0.9, 0.0, 0, 0),  # darkened
        (1.0, 1.0, 0, 0),
    ],
)
def test_how_bright_a_picture_was_tells_which_ends_were_cut_off(
    gain: float, offset: float, white: int, black: int
) -> None:
    limits = at_limits(torch.cat([grey(255), grey(0), grey(128)]))
    gains, offsets = torch.full((3, 3), gain), torch.full((3, 3), offset)
    assert [int(part.unique()) for part in cut_off(limits, gains, offsets)] == [white, black, 0]


def test_a_block_with_little_at_its_limits_is_not_cut() -> None:
    picture = grey(128)
    picture[0, 1, 0, :3] = 255
    picture[0, 2, 8:, 8:12] = 0
    assert uncut_blocks(at_limits(picture)).flatten().tolist() == [True, True, True, False]


def test_one_channel_is_enough_to_harm_a_block() -> None:
    clipped = torch.zeros(1, 3, 16, 16, dtype=torch.int8)
    clipped[:, 1, :8, :8] = 1
    clipped[:, 0, :4, 8:] = -1
    share = legible_share(clipped)
    assert share.shape == (1, 1, 2, 2)
    assert share.flatten().tolist() == [0, 0.125, 1, 1]


@pytest.mark.parametrize(("limit", "sign"), [(244, 1), (12, -1)])
def test_clipping_explains_what_the_draft_has_beyond_the_limit(limit: float, sign: int) -> None:
    clipped = torch.full((1, 3, 16, 16), sign, dtype=torch.int8)
    ratios = torch.tensor([5.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    explained = unsuspicious_ratios(ratios, clipped, grey(limit), grey(limit + 20 * sign))
    assert (explained[:, 0] == 0).all() and (explained[:, 1] == -2).all()
    painted = unsuspicious_ratios(ratios, clipped, grey(limit), grey(limit - 60 * sign))
    assert painted.equal(ratios)


def test_channels_that_are_not_clipped_must_agree() -> None:
    clipped = torch.zeros(1, 3, 16, 16, dtype=torch.int8)
    clipped[:, 0] = 1
    ratios = torch.full((1, 1, 2, 2), 5.0)
    picture, draft = grey(244), grey(250)
    assert (unsuspicious_ratios(ratios, clipped, picture, draft) == 0).all()
    picture[:, 2] = 40
    assert unsuspicious_ratios(ratios, clipped, picture, draft).equal(ratios)


def test_pictures_without_clipping_keep_their_ratios() -> None:
    ratios = torch.randn(1, 14, 2, 2, generator=torch.Generator().manual_seed(1))
    clipped = torch.zeros(1, 3, 16, 16, dtype=torch.int8)
    assert unsuspicious_ratios(ratios, clipped, grey(255), grey(255)).equal(ratios)


def test_sharpening_is_no_stretching(engine: Imuge) -> None:
    sent = engine.immunize(Picture(pixels=photograph("astronaut", 0, 128)), image_id=1).picture.as_uint8()
    sent[100:150, 60:120] = (255, 40, 40)
    mask = engine.verify(Picture(pixels=apply(parse("sharpen:1"), sent, np.random.default_rng(1)).image)).mask
    assert mask[100:150, 60:120].mean() > 0.95


@pytest.mark.parametrize("chain", ["brightness:1.1", "contrast:1.1"])
def test_clipped_highlights_are_not_flagged_but_paint_is(engine: Imuge, chain: str) -> None:
    # A white suit and a bright background.
    sent = engine.immunize(Picture(pixels=photograph("astronaut", 0, 128)), image_id=1).picture.as_uint8()
    suspect = apply(parse(chain), sent, np.random.default_rng(1)).image
    assert ((suspect == 255) | (suspect == 0)).any(-1).mean() > 0.05
    assert engine.verify(Picture(pixels=suspect)).verdict == "intact"
    for level in (0, 255, (255, 40, 40)):
        painted = sent.copy()
        painted[100:150, 60:120] = level
        mask = engine.verify(Picture(pixels=apply(parse(chain), painted, np.random.default_rng(1)).image)).mask
        assert mask[100:150, 60:120].mean() > 0.97
        assert mask.mean() < 0.05
