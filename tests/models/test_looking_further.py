"""What verifying does where drafts leave doubt that V's mask does not explain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from photographs import photograph
from torch import Tensor

from imuge_cli import Imuge
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.errors import NotImmunizedError
from imuge_cli.image.picture import Picture
from imuge_cli.keys import Secret
from imuge_cli.metrics.localization import confusion
from imuge_cli.models.lattice import looking, model, reception
from imuge_cli.models.lattice.carrier import Carrier, make_carrier
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.models.lattice.receiver import QUICK, THOROUGH, Draft

Pixels8 = NDArray[np.uint8]
SQUARE = (slice(64, 144), slice(80, 160))
TRUTH = np.zeros((256, 256), bool)
TRUTH[SQUARE] = True


@pytest.fixture(scope="module")
def engine() -> Imuge:
    return Imuge(device="cpu", exact=False)


@pytest.fixture(scope="module")
def sent(engine: Imuge) -> Pixels8:
    return engine.immunize(Picture(pixels=photograph("astronaut", 0, 128)), image_id=1).picture.as_uint8()


@pytest.fixture(scope="module")
def suspect(engine: Imuge, sent: Pixels8) -> Pixels8:
    """A patch of another picture under the same key, whose pilots fit, and noise over all of it."""
    donor = engine.immunize(Picture(pixels=photograph("astronaut", 200, 100)), image_id=4).picture.as_uint8()
    pixels = sent.copy()
    pixels[SQUARE] = donor[SQUARE]
    return np.asarray(apply(parse("noise:7"), pixels, np.random.default_rng(1)).image)


@pytest.fixture
def noise_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise of the channels is left in luma: with less of it the first looks miss nothing here."""
    monkeypatch.setattr(reception, "without_noise", lambda pictures, coefficients, *known: coefficients)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One more element a look with a draft."""
    made: list[int] = []
    look = LatticeNetworks.second_look

    def counted(self: LatticeNetworks, *arguments: object) -> Tensor:
        made.append(len(made))
        return look(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(LatticeNetworks, "second_look", counted)
    return made


@pytest.fixture
def leaving(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Drafts that leave so much doubt, whatever they are."""
    solve = LatticeNetworks.solve

    def leave(doubt: float) -> None:
        def doubting(self: LatticeNetworks, *arguments: object, **options: object) -> Draft:
            solution = solve(self, *arguments, **options)  # type: ignore[arg-type]
            return replace(solution, doubt=torch.tensor([doubt]), open=torch.tensor([doubt]))

        monkeypatch.setattr(LatticeNetworks, "solve", doubting)

    return leave


@pytest.mark.usefixtures("noise_stays")
def test_further_looks_find_what_the_first_ones_missed(
    engine: Imuge, suspect: Pixels8, monkeypatch: pytest.MonkeyPatch
) -> None:
    further = engine.verify(Picture(pixels=suspect))
    monkeypatch.setattr(model, "MISSED", 9.0)
    at_first = engine.verify(Picture(pixels=suspect))
    assert confusion(at_first.mask, TRUTH).f1 < 0.75 and confusion(further.mask, TRUTH).f1 > 0.9


@pytest.mark.parametrize(("doubt", "least", "most"), [(0.029, 2, 2), (0.031, 3, 3), (0.119, 3, 3), (0.2, 4, 17)])
def test_only_doubt_makes_v_look_further(
    doubt: float,
    least: int,
    most: int,
    engine: Imuge,
    sent: Pixels8,
    looks: list[int],
    leaving: Callable[[float], None],
) -> None:
    leaving(doubt)
    result = engine.verify(Picture(pixels=sent))
    assert result.verdict == "intact"
    # One look with a draft is always made, a second where anything was seen at all, a third where that leaves doubt;
    # then up to six, and eight.
    assert least <= len(looks) <= most


def test_the_third_look_is_at_a_longer_draft_without_what_v_wavers_over(
    engine: Imuge, suspect: Pixels8, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve, asked = LatticeNetworks.solve, []

    def told(self: LatticeNetworks, *arguments: Any, **options: Any) -> Draft:
        asked.append((arguments[2], arguments[3]))
        return replace(solve(self, *arguments, **options), doubt=torch.tensor([0.1]))

    monkeypatch.setattr(LatticeNetworks, "solve", told)
    engine.verify(Picture(pixels=suspect))
    assert [effort for _, effort in asked[:3]] == [QUICK, QUICK, THOROUGH]
    wavering, third = ((shown > 0) & (shown <= 0.25) for shown, _ in asked[1:3])
    assert bool(wavering.any()) and not bool(third.any()) and bool((asked[2][0] > 0.9).any())


@pytest.mark.parametrize(("short", "longer", "calmest"), [(0.05, 0.1, 0.05), (0.1, 0.05, 0.05), (0.05, 0.2, 0.05)])
def test_symbols_are_held_against_the_draft_that_leaves_less_doubt(
    short: float, longer: float, calmest: float, engine: Imuge, suspect: Pixels8, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve, further, held = LatticeNetworks.solve, [], []

    def told(self: LatticeNetworks, *arguments: Any, **options: Any) -> Draft:
        doubt = longer if arguments[3] is THOROUGH else short
        return replace(solve(self, *arguments, **options), doubt=torch.tensor([doubt]))

    def nothing_further(*arguments: Any) -> tuple[Tensor, Draft]:
        further.append(arguments[4])
        return torch.zeros_like(arguments[3]), arguments[4]

    def unchanged(*arguments: Any) -> Tensor:
        held.append(float(arguments[4].doubt))
        return torch.as_tensor(arguments[3])

    monkeypatch.setattr(LatticeNetworks, "solve", told)
    monkeypatch.setattr(model, "look_further", nothing_further)
    monkeypatch.setattr(model, "contradicted", unchanged)
    engine.verify(Picture(pixels=suspect))
    assert held == pytest.approx([calmest])
    # Whether V looks further is told by the last one.
    assert bool(further) == (longer > model.MISSED)


def test_what_contradicts_what_was_sent_is_not_called_intact(
    engine: Imuge, sent: Pixels8, leaving: Callable[[float], None]
) -> None:
    leaving(0.5)
    result = engine.verify(Picture(pixels=sent))
    assert result.verdict == "not-found" and not result.mask.any() and result.synchronisation is not None
    assert result.contradicted
    with pytest.raises(NotImmunizedError, match="without a mask"):
        engine.recover(Picture(pixels=sent), verification=result)
    # Who knows where, gets it back.
    recovered = engine.recover(Picture(pixels=sent), mask=TRUTH, verification=result)
    assert np.any(recovered.picture.as_uint8()[SQUARE] != sent[SQUARE])
    # Of a crop too little is left to say so.
    assert engine.verify(Picture(pixels=sent[:, 64:])).verdict == "intact"


@pytest.mark.parametrize(("height", "width"), [(256, 256), (100, 500), (70, 64), (600, 333)])
def test_what_drafts_are_not_shown_in_turn_is_the_whole_picture(height: int, width: int) -> None:
    carrier = make_carrier(Secret.default(), height, width, torch.device("cpu"))
    parts = looking._parts(carrier)
    assert torch.equal(sum(part.int() for part in parts), torch.ones(1, 1, height, width, dtype=torch.int32))
    assert len(parts) == min(2, carrier.grid.rows) * min(2, carrier.grid.columns)
    # None hides so much that the rest could not tell it.
    assert all(float(part.float().mean()) <= 1 / len(parts) + 0.25 for part in parts)


class Networks:
    """Drafts leave one doubt after the other; V calls tampered with what the draft was not shown."""

    def __init__(self, *doubts: float) -> None:
        self.doubts, self.shown = list(doubts), list[Tensor]()

    def solve(self, carrier: Carrier, reception: object, probability: Tensor, effort: object, *, before: object) -> Any:
        self.shown.append(probability)
        return SimpleNamespace(doubt=torch.tensor([self.doubts.pop(0)]), probability=probability)

    def second_look(self, reception: object, solution: Any) -> Tensor:
        return torch.where(solution.probability > 0.9, 4.0, -4.0)


@pytest.mark.parametrize(
    ("known", "before", "credulous", "crossed", "counts"),
    [
        (1.0, 0.6, 0.4, 0.2, True),
        (1.0, 0.6, 0.4, 0.31, False),  # More than half of what there was.
        (1.0, 0.6, 0.27, 0.28, False),  # More than the other way leaves.
        (1.0, 0.6, 0.11, None, False),  # Explained already.
        (0.7, 0.6, 0.4, None, False),  # Crops leave as much.
    ],
)
def test_what_was_hidden_in_turn_counts_where_it_explains_the_doubt(
    known: float, before: float, credulous: float, crossed: float | None, counts: bool
) -> None:
    carrier = make_carrier(Secret.default(), 128, 128, torch.device("cpu"))
    # Nothing changes after the second look; then four parts, and four looks; and the same again if that counts.
    hiding = [] if crossed is None else [0.9] * 7 + [crossed]
    networks = Networks(0.9, credulous, *hiding, *([0.9] * 7 + [0.05] if counts else []))
    reception = SimpleNamespace(known=torch.full((1, 1, 16, 16), known))
    start = SimpleNamespace(doubt=torch.tensor([before]))
    probability = torch.zeros(1, 1, 128, 128)
    found, solution = looking.look_further(networks, carrier, reception, probability, start)  # type: ignore[arg-type]
    assert not networks.doubts
    assert float(solution.doubt) == pytest.approx(0.05 if counts else credulous)
    if crossed is not None:
        hidden = networks.shown[2:6]
        assert all(float(part.mean()) == pytest.approx(0.95 / 4) for part in hidden)
        # Each part by the draft that was not shown it: all of it was called tampered with.
        assert bool((networks.shown[6] > 0.9).all())
    assert bool((found > 0.9).all()) == counts


@pytest.mark.usefixtures("noise_stays")
def test_a_patch_is_found_by_drafts_that_were_not_shown_it(engine: Imuge, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = engine.immunize(Picture(pixels=photograph("coffee", 100, 300)), image_id=1).picture.as_uint8()
    donor = engine.immunize(Picture(pixels=photograph("astronaut", 256, 200)), image_id=4).picture.as_uint8()
    pixels = genuine.copy()
    pixels[SQUARE] = donor[SQUARE]
    noisy = Picture(pixels=apply(parse("noise:7"), pixels, np.random.default_rng(1)).image)
    found = engine.verify(noisy)
    assert found.verdict == "tampered" and confusion(found.mask, TRUTH).f1 > 0.75
    monkeypatch.setattr(looking, "_EXPLAINED", 0.0)
    # By drafts that count what V suspects even a little nothing is.
    assert confusion(engine.verify(noisy).mask, TRUTH).f1 < 0.1


def test_an_untouched_picture_with_as_much_noise_stays_intact(engine: Imuge) -> None:
    genuine = engine.immunize(Picture(pixels=photograph("coffee", 100, 300)), image_id=1).picture.as_uint8()
    noisy = apply(parse("noise:7"), genuine, np.random.default_rng(1)).image
    assert not engine.verify(Picture(pixels=noisy)).mask.any()


def test_a_suspect_lies_apart_from_a_draft_without_its_texture_or_colours_that_were_taken_away() -> None:
    drafted = torch.full((1, 3, 40, 48), 100.0)
    texture = 30.0 * (-1) ** (torch.arange(40)[:, None] + torch.arange(48))
    shown = drafted + texture
    shown[..., 10:30, 12:36] += 20
    draft: Any = SimpleNamespace(picture=drafted)

    def apart(picture: Tensor, ramp: Tensor | None = None) -> Tensor:
        received: Any = SimpleNamespace(picture=picture, ramp=ramp)
        return looking.squared_difference(received, draft)

    squares = apart(shown)
    assert squares.shape == (1, 1, 40, 48)
    torch.testing.assert_close(squares[0, 0, 20, 24], torch.tensor(400.0), rtol=0.05, atol=0)
    # A window of odd size holds one pixel of the texture more of one kind than of the other.
    assert float(squares[0, 0, :5].max()) < 2.0
    # As bright as the draft, in another colour.
    tinted = drafted + torch.tensor([29.9, 0.0, 0.0]).view(1, 3, 1, 1) - 29.9 * 0.299
    assert float(apart(tinted).min()) > 50
    assert float(apart(tinted, torch.zeros(1)).max()) < 0.1
