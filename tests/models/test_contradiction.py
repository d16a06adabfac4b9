"""Forging without the key: pilots and header say that all is well, the symbols do not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from forging import recoloured, with_copied_phases
from numpy.typing import NDArray
from photographs import photograph

from imuge_cli import Imuge
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.image.picture import Picture
from imuge_cli.metrics.fidelity import local_psnr
from imuge_cli.metrics.localization import confusion
from imuge_cli.models.lattice import contradiction, data_symbols, model
from imuge_cli.models.lattice.contradiction import (
    Disagreement,
    contradicted,
    contradicting,
    disagreement,
    fits_nothing,
    on_picture,
)
from imuge_cli.payload.source import analyse_source, sender_scale

Pixels8 = NDArray[np.uint8]
ORIGINAL = photograph("astronaut", 0, 0, 512, 512)
OTHER = np.ascontiguousarray(np.tile(photograph("coffee", 0, 0, 400, 512), (2, 1, 1))[:512])


@pytest.fixture(scope="module")
def engine() -> Imuge:
    return Imuge(device="cpu", exact=False)


@pytest.fixture(scope="module")
def sent(engine: Imuge) -> Pixels8:
    return engine.immunize(Picture(pixels=ORIGINAL), image_id=9).picture.as_uint8()


def area(share: float) -> NDArray[np.bool_]:
    mask = np.zeros((512, 512), bool)
    side = int(512 * share**0.5)
    mask[60 : 60 + side, 90 : 90 + side] = True
    return mask


def saved(pixels: Pixels8, chain: str) -> Picture:
    return Picture(pixels=apply(parse(chain), pixels, np.random.default_rng(3)).image)


@pytest.mark.parametrize("share", [0.03, 0.12])
@pytest.mark.parametrize("chain", ["none", "jpeg:85"])
def test_copied_phases_are_found_and_what_was_there_comes_back(
    engine: Imuge, sent: Pixels8, share: float, chain: str
) -> None:
    mask = area(share)
    suspect = saved(with_copied_phases(sent, OTHER, mask), chain)
    found = engine.verify(suspect)
    assert (found.verdict, found.image_id) == ("tampered", 9)
    counts = confusion(found.mask, mask)
    assert counts.f1 > 0.85 and counts.recall > 0.93
    before = local_psnr(ORIGINAL, suspect.as_uint8(), mask)
    back = engine.recover(suspect, verification=found).picture.as_uint8()
    assert local_psnr(ORIGINAL, back, mask) > before + 8


def test_pilots_alone_are_deceived(engine: Imuge, sent: Pixels8, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "contradicted", lambda networks, carrier, reception, probability, solution: probability)
    # Rounding and clipping leave too little of fine phases to copy them.
    monkeypatch.setattr(data_symbols, "with_fine", lambda noise, reception: None)
    assert engine.verify(Picture(pixels=with_copied_phases(sent, OTHER, area(0.12), rounds=16))).verdict == "intact"


def test_another_picture_with_all_phases_copied_is_marked_as_a_whole(engine: Imuge, sent: Pixels8) -> None:
    found = engine.verify(saved(with_copied_phases(sent, OTHER, np.ones((512, 512), bool)), "jpeg:90"))
    assert found.verdict == "tampered" and found.mask.all()


def test_colours_alone_are_found(engine: Imuge, sent: Pixels8) -> None:
    mask = np.zeros((512, 512), bool)
    mask[330:480, 130:330] = True  # the orange suit
    found = engine.verify(saved(recoloured(sent, mask), "jpeg:90"))
    assert found.verdict == "tampered"
    counts = confusion(found.mask, mask)
    assert counts.precision > 0.85 and counts.recall > 0.5


@pytest.mark.parametrize("chain", ["jpeg:60", "saturation:1.25", "saturation:0.7", "gamma:0.85", "crop:0.5+jpeg:85"])
def test_the_picture_itself_contradicts_nothing(engine: Imuge, sent: Pixels8, chain: str) -> None:
    assert engine.verify(saved(sent, chain)).verdict == "intact"


@pytest.mark.parametrize(("columns", "contradicts"), [(slice(240, 256), False), (slice(200, 216), True)])
def test_what_was_cut_away_of_a_block_contradicts_nobody(
    engine: Imuge, monkeypatch: pytest.MonkeyPatch, columns: slice, contradicts: bool
) -> None:
    seen = []
    monkeypatch.setattr(model, "contradicted", lambda *told: seen.append(told) or told[3])
    whole = engine.immunize(Picture(pixels=photograph("astronaut", 0, 0, 256, 256))).picture.as_uint8()
    assert engine.verify(Picture(pixels=np.ascontiguousarray(whole[:, :240]))).verdict == "intact"
    _, carrier, reception, probability, solution = seen[0]
    # A draft that is wrong in a strip of the last source blocks, which the suspect shows or not.
    wrong = torch.zeros(1, 3, 256, 256)
    wrong[..., 64:128, columns] = 90
    off = analyse_source(wrong + 128) / sender_scale(wrong.device)
    changed = replace(solution, coefficients=solution.coefficients + off.flatten(1))
    found = disagreement(carrier, reception, changed, probability)
    marked = torch.zeros(4, 4, dtype=torch.bool)
    expected = marked.clone()
    expected[1, 3] = contradicts
    assert torch.equal(contradicting(found, marked, lost=False), expected)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_crops_that_leave_too_little_to_settle_are_not_contradicted(engine: Imuge, name: str) -> None:
    sent = engine.immunize(Picture(pixels=photograph(name, 20, 60, 256, 256)), exact=False, image_id=3).picture
    for top, left in ((0, 0), (37, 101), (120, 50)):
        crop = np.ascontiguousarray(sent.as_uint8()[top : top + 128, left : left + 128])
        assert engine.verify(Picture(pixels=crop)).verdict == "intact"


def test_blocks_that_were_cut_away_are_no_measure_for_others(engine: Imuge, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(model, "contradicted", lambda *told: seen.append(told) or told[3])
    whole = engine.immunize(Picture(pixels=photograph("astronaut", 0, 0, 256, 256))).picture.as_uint8()
    engine.verify(Picture(pixels=np.ascontiguousarray(whole[:128, :128])))
    _, carrier, reception, probability, solution = seen[0]
    ratio = disagreement(carrier, reception, solution, probability).ratio[0]
    shown = torch.zeros(4, 4, dtype=torch.bool)
    shown[:2, :2] = True
    assert torch.all(ratio[:, ~shown] == 0)
    assert torch.all((ratio[:, shown].median(1).values - 1).abs() < 1e-5)


@pytest.mark.parametrize(
    ("doubt", "left_open", "agreed", "suspected", "expected"),
    [
        (0.45, 0.10, 0.6, 0.0, True),
        (0.45, 0.10, 0.6, 0.1, False),  # V sees something, and may be right.
        (0.45, 0.20, 0.6, 0.0, False),  # Little more than what the evidence leaves open.
        (0.34, 0.02, 0.6, 0.0, False),
        # Drafts of untouched pictures that do not settle after JPEG 45; and a forgery without the key after JPEG 50.
        (0.43, 0.11, 0.42, 0.0, False),
        (0.51, 0.09, 0.41, 0.0, True),
    ],
)
def test_when_symbols_fit_nothing(
    doubt: float, left_open: float, agreed: float, suspected: float, expected: bool
) -> None:
    solution = SimpleNamespace(doubt=torch.tensor([doubt]), open=torch.tensor([left_open]))
    probability = torch.zeros(1, 1, 10, 10)
    probability[..., : round(10 * suspected), :] = 0.9
    assert fits_nothing(solution, probability, agreed) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("doubt", "left_open", "after", "believed"),
    [
        (0.3, 0.3, 0.44, True),
        (0.3, 0.3, 0.46, False),  # What was marked explains nothing.
        (0.5, 0.3, 0.2, True),
        (0.3, 0.5, 0.2, True),
        (0.45, 0.41, 0.2, False),  # Nothing had settled.
    ],
)
def test_what_counts_as_contradicted(
    doubt: float, left_open: float, after: float, believed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """doubt, left_open: of the draft that V was given; after: the doubt without the block that contradicts it."""

    def left(doubt: float) -> SimpleNamespace:
        return SimpleNamespace(doubt=torch.tensor([doubt]), open=torch.tensor([left_open]))

    block = torch.zeros(2, 2, dtype=torch.bool)
    block[0, 1] = True
    monkeypatch.setattr(contradiction, "agreement_if_tampered", lambda *_: torch.tensor([0.6]))
    monkeypatch.setattr(contradiction, "disagreement", lambda *_: None)
    monkeypatch.setattr(contradiction, "contradicting", lambda _, marked, *, lost: block & ~marked)
    monkeypatch.setattr(contradiction, "different", lambda reception, solution, blocks: blocks)
    carrier = SimpleNamespace(
        grid=SimpleNamespace(rows=2, columns=2), device=torch.device("cpu"), height=128, width=128
    )
    networks = SimpleNamespace(solve=lambda *_: left(after))
    probability = torch.full((1, 1, 128, 128), 0.1)
    marked = contradicted(networks, carrier, None, probability, left(doubt))  # type: ignore[arg-type]
    expected = probability.clone()
    if believed:
        expected[..., :64, 64:] = 1
    assert torch.equal(marked, expected)


def test_which_blocks_contradict() -> None:
    ratio = torch.tensor([[[[1.0, 1.2, 5.0], [3.0, 1.0, 1.0]], [[1.0, 1.0, 1.0], [1.0, 2.5, 4.0]]]])
    level = torch.tensor([[[[3.0, 20.0, 30.0], [5.0, 1.0, 40.0]], [[1.0, 40.0, 1.0], [1.0, 9.0, 20.0]]]])
    marked = torch.zeros(2, 3, dtype=torch.bool)
    found = Disagreement(ratio, level)
    # In luma, and in colour.
    assert contradicting(found, marked, lost=False).tolist() == [[False, False, True], [False, False, True]]
    marked[0, 2] = marked[1, 2] = True
    assert not contradicting(found, marked, lost=False).any()
    # Where nothing fits, the most conspicuous of the rest.
    assert contradicting(found, marked, lost=True).tolist() == [[False, False, False], [True, False, False]]
    marked[:] = True
    assert not contradicting(found, marked, lost=True).any()


def test_blocks_cover_the_picture_also_where_the_grid_has_another_size() -> None:
    from imuge_cli.keys import Secret
    from imuge_cli.models.lattice.carrier import make_carrier

    carrier = make_carrier(Secret(b"k" * 32), 200, 264, torch.device("cpu"))
    blocks = torch.ones(carrier.grid.rows, carrier.grid.columns, dtype=torch.bool)
    assert on_picture(blocks, carrier).shape == (1, 1, 200, 264) and bool(on_picture(blocks, carrier).all())
    blocks[:] = False
    blocks[0, 0] = True
    assert 0.8 < float(on_picture(blocks, carrier).mean()) * blocks.numel() < 1.2
