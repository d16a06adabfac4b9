"""What recovery does where drafts leave doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from photographs import photograph

from imuge_cli import Imuge, VerifyResult
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.benchmark.cases import in_frame
from imuge_cli.image.picture import Picture
from imuge_cli.lattice.roughness import with_neighbours
from imuge_cli.metrics.fidelity import local_psnr
from imuge_cli.models.lattice import model, recovering
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.models.lattice.receiver import PERSISTENT, THOROUGH, Draft, Effort
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.models.protocol import Pixels, Recovered, Verified

ORIGINAL = photograph("coffee", 20, 60, 160, 176)
SQUARE = (slice(40, 80), slice(48, 96))


def as_drawn(self: recovering.Recovery, solution: Draft, recovered: torch.Tensor, box: object) -> torch.Tensor:
    """In place of `_finished`: what the networks drew, as it is."""
    return recovered


@pytest.fixture(scope="module")
def engine() -> Imuge:
    return Imuge(device="cpu")


@pytest.fixture(scope="module")
def suspect(engine: Imuge) -> Picture:
    pixels = engine.immunize(Picture(pixels=ORIGINAL), exact=False).picture.as_uint8().copy()
    pixels[SQUARE] = 200
    return Picture(pixels=pixels)


@pytest.fixture(scope="module")
def verified(engine: Imuge, suspect: Picture) -> VerifyResult:
    return engine.verify(suspect)


@pytest.mark.parametrize(
    ("doubts", "efforts", "taken"),
    [
        ((0.1,), [THOROUGH], 0),
        ((0.5, 0.3), [THOROUGH, PERSISTENT], 1),
        ((0.5, 0.6), [THOROUGH, PERSISTENT], 0),
    ],
)
def test_the_draft_that_leaves_least_doubt_is_taken(
    doubts: tuple[float, ...],
    efforts: list[Effort],
    taken: int,
    engine: Imuge,
    suspect: Picture,
    verified: VerifyResult,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    solve, asked, given = LatticeNetworks.solve, [], []

    def told(self: LatticeNetworks, *arguments: object, **options: object) -> Draft:
        number = len(asked)
        asked.append(arguments[3] if len(arguments) > 3 else THOROUGH)
        solution = solve(self, *arguments, **options)  # type: ignore[arg-type]
        given.append(replace(solution, doubt=torch.tensor([doubts[number]])))
        return given[-1]

    seen = []
    window = LatticeNetworks.recover_window

    def looked(self: LatticeNetworks, *arguments: object, **options: int) -> torch.Tensor:
        seen.append(arguments[2])
        return window(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(LatticeNetworks, "solve", told)
    monkeypatch.setattr(LatticeNetworks, "recover_window", looked)
    recovered = engine.recover(suspect, verification=verified)
    assert asked == efforts and seen[0] is given[taken]
    assert np.any(recovered.picture.as_uint8() != suspect.as_uint8())


@pytest.mark.parametrize(("told", "level", "doubted"), [(False, 0.25, 0.0), (False, 0.3, 0.3), (True, 0.3, 0.0)])
def test_what_v_wavers_over_is_believed(
    told: bool,
    level: float,
    doubted: float,
    engine: Imuge,
    suspect: Picture,
    verified: VerifyResult,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """told: the mask is a person's, not V's. level: V's probability beside its mask. doubted: what of it counts."""
    shown = []
    solve = LatticeNetworks.solve

    def asked(self: LatticeNetworks, *arguments: Any, **options: Any) -> Draft:
        shown.append(arguments[2])
        return solve(self, *arguments, **options)

    recover = model.LatticeModel.recover

    def wavering(
        self: model.LatticeModel, pixels: Pixels, found: Verified, *rest: object, **options: bool
    ) -> Recovered:
        assert isinstance(found.evidence, model._Evidence)
        probability = torch.full_like(found.evidence.probability, level)
        found = replace(found, evidence=replace(found.evidence, probability=probability))
        return recover(self, pixels, found, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(LatticeNetworks, "solve", asked)
    monkeypatch.setattr(model.LatticeModel, "recover", wavering)
    engine.recover(suspect, mask=verified.mask if told else None, verification=verified)
    assert set(shown[0].unique().tolist()) == {np.float32(doubted).item(), 1.0}


@pytest.mark.parametrize(
    ("told", "slow", "doubts", "tried", "taken"),
    [
        (True, False, (0.009,), 0, 0),
        (True, False, (0.02, 0.03), 1, 1),
        (True, False, (0.04, 0.05, 0.02), 2, 2),
        (True, False, (0.1, 0.1, 0.1, 0.1), 3, 3),
        (False, False, (0.009,), 0, 0),
        (False, False, (0.02, 0.029), 1, 1),
        (False, False, (0.02, 0.031), 1, 0),
        (False, False, (0.04, 0.049, 0.058, 0.07), 3, 2),
        (False, False, (0.04, 0.035, 0.05), 2, 1),
        (False, False, (0.1, 0.09, 0.08, 0.07), 3, 3),
        (False, False, (0.6, 0.7), 1, 0),
        (True, True, (0.9, 0.8, 0.8, 0.7, 0.24, 0.195), 5, 5),
        (True, True, (0.9, 0.8, 0.8, 0.24, 0.19, 0.15, 0.13), 6, 6),
        (True, True, (0.9, 0.8, 0.8, 0.7, 0.75, 0.72), 5, 3),
        (True, True, (0.9, 0.8, 0.8, 0.7, 0.75, 0.6, 0.1, 0.09), 7, 7),
        (True, True, (0.9, 0.8, 0.7, 0.6, 0.55, 0.5, 0.45, 0.4, 0.35), 8, 8),
        (False, True, (0.6, 0.7, 0.5, 0.1, 0.09), 4, 4),
        (False, True, (0.6, 0.7, 0.5, 0.1, 0.11), 4, 3),
        (False, True, (0.6, 0.7, 0.65), 2, 0),
        (False, True, (0.04, 0.06), 1, 0),
    ],
)
def test_the_networks_have_their_say_as_long_as_there_is_doubt(
    told: bool,
    slow: bool,
    doubts: tuple[float, ...],
    tried: int,
    taken: int,
    engine: Imuge,
    suspect: Picture,
    verified: VerifyResult,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """told: the mask is a person's, not V's. slow: so much is lost that drafts may take long to settle. doubts: as the
    draft leaves it, and each that follows. tried: how many follow; taken: the number of the one recovered from."""
    solve, redraft, window = LatticeNetworks.solve, recovering.redraft, LatticeNetworks.recover_window
    given: list[Draft] = []
    seen: list[Draft] = []

    def doubted(solution: Draft) -> Draft:
        given.append(replace(solution, doubt=torch.tensor([doubts[len(given)]])))
        return given[-1]

    def drafted(self: LatticeNetworks, *arguments: object, **options: object) -> Draft:
        return doubted(solve(self, *arguments, **options))  # type: ignore[arg-type]

    def drafted_again(before: Draft, denoised: torch.Tensor) -> Draft:
        assert before is given[-1] and before is seen[-1]
        # Where nothing was lost, the picture itself is what the networks make of it.
        where = torch.ones(160, 176)
        where[SQUARE[0].start - 8 : SQUARE[0].stop + 8, SQUARE[1].start - 8 : SQUARE[1].stop + 8] = 0
        assert float(((denoised[0] - torch.from_numpy(suspect.as_uint8()).permute(2, 0, 1)) * where).abs().max()) == 0
        return doubted(redraft(before, denoised))

    def looked(self: LatticeNetworks, *arguments: object, **options: int) -> torch.Tensor:
        seen.append(arguments[2])  # type: ignore[arg-type]
        return window(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(recovering, "_UNSETTLED", 1.0)
    # What is done with those that never settle is asked below.
    monkeypatch.setattr(recovering, "_NEVER_SETTLED", 2.0)
    monkeypatch.setattr(recovering, "_MUCH_LOST", 0.0 if slow else 1.0)
    monkeypatch.setattr(LatticeNetworks, "solve", drafted)
    monkeypatch.setattr(recovering, "redraft", drafted_again)
    monkeypatch.setattr(LatticeNetworks, "recover_window", looked)
    truth = np.zeros(ORIGINAL.shape[:2], bool)
    truth[SQUARE] = True
    engine.recover(suspect, mask=truth if told else None, verification=verified)
    assert len(given) == tried + 1
    looked_at = [draft for draft in seen if any(draft is one for one in given)]
    # The one taken, or one after it that led to none better.
    assert looked_at[-1] is given[max(taken, tried - 1)]
    # Then the networks are given what they made of it once more.
    assert seen[-1].decoder is given[taken].decoder and float(seen[-1].doubt) == pytest.approx(doubts[taken] / 10)


def redrafted_once(monkeypatch: pytest.MonkeyPatch, doubts: tuple[float, float]) -> None:
    """One round, whose drafts before and after it leave these doubts."""
    solve, redraft = LatticeNetworks.solve, recovering.redraft

    def drafted(self: LatticeNetworks, *arguments: object, **options: object) -> Draft:
        return replace(solve(self, *arguments, **options), doubt=torch.tensor(doubts[:1]))  # type: ignore[arg-type]

    def drafted_again(before: Draft, denoised: torch.Tensor) -> Draft:
        return replace(redraft(before, denoised), doubt=torch.tensor(doubts[1:]))

    monkeypatch.setattr(LatticeNetworks, "solve", drafted)
    monkeypatch.setattr(recovering, "redraft", drafted_again)
    monkeypatch.setattr(recovering, "_ROUNDS", 1)


def drawing(level: Callable[[Draft], float]) -> Callable[..., torch.Tensor]:
    """In place of `recover_window`: R draws one level, of 0 to 1, everywhere."""

    def looked(
        self: LatticeNetworks,
        reception: Reception,
        mask: torch.Tensor,
        solution: Draft,
        window: tuple[slice, slice],
        *,
        looks: int = 1,
    ) -> torch.Tensor:
        return torch.full_like(reception.picture[(..., *window)], level(solution))

    return looked


@pytest.mark.parametrize(("doubts", "share"), [((0.1, 0.1), 1 / 3), ((0.3, 0.1), 1 / 7), ((0.02, 0.04), 0.5)])
def test_the_picture_before_counts_by_the_doubt_left(
    doubts: tuple[float, float],
    share: float,
    engine: Imuge,
    suspect: Picture,
    verified: VerifyResult,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    levels = iter([0.8])

    redrafted_once(monkeypatch, doubts)
    monkeypatch.setattr(recovering.Recovery, "_finished", as_drawn)
    monkeypatch.setattr(LatticeNetworks, "recover_window", drawing(lambda solution: next(levels, 0.2)))
    truth = np.zeros(ORIGINAL.shape[:2], bool)
    truth[SQUARE] = True
    recovered = engine.recover(suspect, mask=truth, verification=verified).picture.as_uint8()
    middle = recovered[SQUARE][12:-12, 12:-12]
    assert np.all(np.abs(middle - 255 * (share * 0.8 + (1 - share) * 0.2)) <= 1)


@pytest.mark.parametrize(
    ("much", "doubts", "shares"),
    [
        (True, (0.8, 0.6), (0.5, 0.5)),
        (True, (0.6, 0.8), (1.0, 0.0)),
        (True, (0.8, 0.4), (0.0, 0.0)),
        (False, (0.8, 0.6), (0.0, 0.0)),
    ],
)
def test_what_never_settles_is_the_mean_of_the_first_and_last_drafts_and_not_held_against_symbols(
    much: bool,
    doubts: tuple[float, float],
    shares: tuple[float, float],
    engine: Imuge,
    suspect: Picture,
    verified: VerifyResult,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grey = dict(zip(doubts, (0.8, 0.2), strict=True))

    def held(*arguments: object) -> torch.Tensor:
        return torch.zeros_like(arguments[2])  # type: ignore[call-overload,no-any-return]

    redrafted_once(monkeypatch, doubts)
    monkeypatch.setattr(recovering, "_MOST_ROUNDS", 1)
    monkeypatch.setattr(recovering, "_MUCH_LOST", 0.0 if much else 1.0)
    monkeypatch.setattr(recovering.Recovery, "_finished", held)
    drawn = drawing(lambda solution: grey[round(float(solution.doubt), 3)])
    monkeypatch.setattr(LatticeNetworks, "recover_window", drawn)
    recovered = engine.recover(suspect, verification=verified).picture.as_uint8()
    middle = recovered[SQUARE][12:-12, 12:-12]
    expected = 255 * (shares[0] * 0.8 + shares[1] * 0.2)
    assert np.all(np.abs(middle - expected) <= 1)


@pytest.mark.parametrize(
    ("trusting", "shown", "noise", "told", "taken"),
    [
        (0.1, 0.05, 0.01, False, 0.1),  # settled: nothing has to be shown the way
        (0.4, 0.06, 0.01, False, 0.06),
        (0.4, 0.7, 0.01, False, 0.4),
        (0.7, 0.6, 0.01, False, 0.8),
        (0.9, 0.05, 0.01, False, 0.8),
        (0.1, 0.05, 0.03, False, 0.8),
        (0.1, 0.05, 0.01, True, 0.8),
    ],
)
def test_what_never_settles_may_settle_where_what_is_not_certain_is_trusted(
    trusting: float,
    shown: float,
    noise: float,
    told: bool,
    taken: float,
    engine: Imuge,
    suspect: Picture,
    verified: VerifyResult,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The draft under V's mask leaves .8; one that trusts more, and one to which that shows the way, leave these."""
    solve, redraft, asked = LatticeNetworks.solve, recovering.redraft, []

    def drafted(self: LatticeNetworks, *arguments: object, **options: object) -> Draft:
        asked.append(arguments[2])
        solution = solve(self, *arguments, **options)  # type: ignore[arg-type]
        left = 0.8 if len(asked) <= 2 else trusting
        return replace(solution, doubt=torch.tensor([left]), noise=torch.full_like(solution.noise, noise))

    def drafted_again(before: Draft, denoised: torch.Tensor) -> Draft:
        assert float(before.doubt) == pytest.approx(0.8)
        return replace(redraft(before, denoised), doubt=torch.tensor([shown]))

    monkeypatch.setattr(recovering, "_MUCH_LOST", 0.0)
    monkeypatch.setattr(LatticeNetworks, "solve", drafted)
    monkeypatch.setattr(recovering, "redraft", drafted_again)
    monkeypatch.setattr(recovering.Recovery, "_improved", lambda self, solution: (solution, []))
    monkeypatch.setattr(recovering.Recovery, "_finished", as_drawn)
    monkeypatch.setattr(LatticeNetworks, "recover_window", drawing(lambda solution: float(solution.doubt)))
    truth = np.zeros(ORIGINAL.shape[:2], bool)
    truth[SQUARE] = True
    recovered = engine.recover(suspect, mask=truth if told else None, verification=verified).picture.as_uint8()
    assert np.all(np.abs(recovered[SQUARE][12:-12, 12:-12] - 255 * taken) <= 1)
    if len(asked) > 2:
        doubted, certain = asked[1:3]
        assert isinstance(doubted, torch.Tensor) and isinstance(certain, torch.Tensor)
        assert bool((certain <= (doubted > 0).float()).all()) and 0 < float(certain.sum()) < float((doubted > 0).sum())


@pytest.mark.parametrize(("little", "looks"), [(2**16, 8), (0, 4)])
def test_the_networks_look_the_more_ways_the_less_there_is_to_see(
    little: int, looks: int, engine: Imuge, suspect: Picture, verified: VerifyResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, seen = LatticeNetworks.recover_window, []

    def looked(self: LatticeNetworks, *arguments: object, **options: int) -> torch.Tensor:
        result = window(self, *arguments, **options)  # type: ignore[arg-type]
        seen[:] = [(self, arguments, result)]
        return result

    monkeypatch.setattr(recovering, "_LITTLE", little)
    monkeypatch.setattr(LatticeNetworks, "recover_window", looked)
    engine.recover(suspect, verification=verified)
    networks, (reception, mask, solution, box), result = seen[0]
    place = (..., *box)
    everything = (slice(None), slice(None))

    def seen_as(*mirrored: int, transposed: bool = False) -> torch.Tensor:
        def exchanged(picture: torch.Tensor) -> torch.Tensor:
            return picture.transpose(-2, -1) if transposed else picture

        def cut(picture: torch.Tensor) -> torch.Tensor:
            return exchanged(picture[place].flip(mirrored))

        parts = replace(reception, picture=cut(reception.picture)), cut(mask)
        told = window(networks, *parts, replace(solution, picture=cut(solution.picture)), everything)
        return exchanged(told).flip(mirrored)

    ways = [seen_as(), seen_as(-2, -1), seen_as(-1), seen_as(-2)]
    if looks == 8:
        ways += [seen_as(*axes, transposed=True) for axes in ((), (-2, -1), (-1,), (-2,))]
    assert all(float((way - ways[0]).abs().max()) > 0.004 for way in ways[1:])
    torch.testing.assert_close(result, sum(ways) / looks, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("little", "levels", "expected"), [(2**16, (0.8, 0.5, 0.2), 2.4 / 6), (0, (0.8, 0.5), 1.8 / 3)]
)
def test_what_is_held_against_symbols_is_drawn_again_twice_where_it_is_little(
    little: int,
    levels: tuple[float, ...],
    expected: float,
    engine: Imuge,
    suspect: Picture,
    verified: VerifyResult,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """levels: what R draws each time. expected: the mean, in which each counts the more the later it was drawn."""
    given = iter(levels)

    def held(solution: Draft, picture: torch.Tensor) -> Draft:
        return replace(solution, picture=picture)

    monkeypatch.setattr(recovering, "_LITTLE", little)
    monkeypatch.setattr(recovering, "_ROUNDS", 0)
    monkeypatch.setattr(recovering, "consistent", held)
    monkeypatch.setattr(LatticeNetworks, "recover_window", drawing(lambda solution: next(given)))
    recovered = engine.recover(suspect, verification=verified).picture.as_uint8()
    assert next(given, None) is None
    assert np.all(np.abs(recovered[SQUARE][12:-12, 12:-12] - 255 * expected) <= 1)


def test_recovery_is_told_of_noise_by_neighbours_and_the_verifier_is_not(
    engine: Imuge, suspect: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve, told = LatticeNetworks.solve, []

    def asked(self: LatticeNetworks, *arguments: Any, **options: Any) -> Draft:
        told.append(arguments[1])
        return solve(self, *arguments, **options)

    monkeypatch.setattr(LatticeNetworks, "solve", asked)
    verified = engine.verify(suspect)
    seen = told[-1]
    assert all(torch.equal(reception.roughness, seen.roughness) for reception in told)
    engine.recover(suspect, verification=verified)
    for own, together in ((seen, told[-1]), (seen.fine, told[-1].fine)):
        assert float((together.roughness - own.roughness).abs().max()) > 1
        assert torch.equal(together.roughness, with_neighbours(own.roughness))


def test_wraps_told_by_the_networks_make_better_pictures(engine: Imuge, monkeypatch: pytest.MonkeyPatch) -> None:
    original = photograph("chelsea", 20, 100, 192, 192)
    pixels = engine.immunize(Picture(pixels=original), exact=False, image_id=1).picture.as_uint8().copy()
    lost = np.zeros((192, 192), bool)
    lost[72:120, 72:120] = True
    pixels[lost] = 200
    rounds, gains = recovering._ROUNDS, []
    # What symbols then make of these pictures is asked below: it makes up for a part of what rounds win.
    monkeypatch.setattr(recovering.Recovery, "_finished", as_drawn)
    for seed in (1, 2, 3):
        cropped = apply(parse("crop:0.5+jpeg:90"), pixels, np.random.default_rng(seed))
        suspect, truth = Picture(pixels=cropped.image), cropped.follow(lost)
        reference = in_frame(original, cropped)
        verified = engine.verify(suspect)
        quality = []
        for number in (0, rounds):
            monkeypatch.setattr(recovering, "_ROUNDS", number)
            monkeypatch.setattr(recovering, "_MOST_ROUNDS", number)
            recovered = engine.recover(suspect, mask=truth, verification=verified).picture.as_uint8()
            quality.append(local_psnr(reference, recovered, truth))
        gains.append(quality[1] - quality[0])
    assert np.mean(gains) > 0.3 and min(gains) > 0.1


def test_pictures_held_against_the_symbols_and_drawn_again_are_better(
    engine: Imuge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For three photographs, of which one loses a part besides."""
    gains = []
    for name, attack in (("chelsea", "none"), ("coffee", "jpeg:90"), ("astronaut", "crop:0.7")):
        original = photograph(name, 20, 60, 192, 192)
        pixels = engine.immunize(Picture(pixels=original), exact=False, image_id=1).picture.as_uint8().copy()
        lost = np.zeros((192, 192), bool)
        lost[72:120, 72:120] = True
        pixels[lost] = 200
        attacked = apply(parse(attack), pixels, np.random.default_rng(4))
        suspect, truth = Picture(pixels=attacked.image), attacked.follow(lost)
        reference, verified = in_frame(original, attacked), engine.verify(suspect)
        quality = []
        for plain in (True, False):
            with monkeypatch.context() as patched:
                if plain:
                    patched.setattr(recovering.Recovery, "_finished", as_drawn)
                recovered = engine.recover(suspect, mask=truth, verification=verified).picture.as_uint8()
            quality.append(local_psnr(reference, recovered, truth))
        gains.append(quality[1] - quality[0])
    assert np.mean(gains) > 0.3 and min(gains) > 0.1
