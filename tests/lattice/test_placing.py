"""Places by the template, and what happens where a header is read beside the true one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from photographs import photograph

from imuge_cli import Imuge
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.image.picture import Picture
from imuge_cli.image.working_size import luma
from imuge_cli.keys import Secret
from imuge_cli.lattice import placing
from imuge_cli.lattice.header import Header
from imuge_cli.lattice.placing import Placed, synchronise_anywhere, synchronise_elsewhere
from imuge_cli.lattice.refine import Candidate
from imuge_cli.lattice.synchronise import Fix, agreement_undone, pilot_agreement, synchronise_direct
from imuge_cli.models.lattice.carrier import STEPS

SECRET, STEP = Secret.default(), (STEPS["balanced"],)
DEGREES = 1.0


@pytest.fixture(scope="module")
def suspect() -> NDArray[np.float32]:
    """Luma of an immunized picture that was turned."""
    picture = Picture(pixels=photograph("astronaut", 0, 0, 512, 512))
    sent = Imuge(exact=False).immunize(picture, image_id=5).picture.as_uint8()
    return luma(apply(parse(f"rotate:{DEGREES}+jpeg:85"), sent, np.random.default_rng(0)).image)


@pytest.fixture(scope="module")
def header(suspect: NDArray[np.float32]) -> Header:
    found = synchronise_anywhere(suspect, SECRET, STEP)
    assert found is not None and found.fix.header is not None
    return found.fix.header


def believed(header: Header | None, z_score: float) -> Fix:
    """Where only a corner lies as it is taken to."""
    return Fix(2, 6, z_score, STEP[0], header, np.zeros(264, np.uint8))


@pytest.mark.parametrize("read", [True, False])
def test_a_place_where_pilots_agree_much_better_is_found(
    suspect: NDArray[np.float32], header: Header, read: bool
) -> None:
    plane = torch.from_numpy(suspect)[None, None]
    better = synchronise_elsewhere(plane, SECRET, STEP, believed(header if read else None, 11.0))
    assert better is not None and better.fix.header == header
    assert better.placement.turn is not None and better.placement.turn.degrees == pytest.approx(DEGREES, abs=0.02)
    assert better.fix.z_score > 40


def test_a_place_that_is_hardly_better_is_not_worth_it(suspect: NDArray[np.float32], header: Header) -> None:
    plane = torch.from_numpy(suspect)[None, None]
    best = synchronise_elsewhere(plane, SECRET, STEP, believed(header, 11.0))
    assert best is not None
    assert synchronise_elsewhere(plane, SECRET, STEP, believed(header, best.fix.z_score / 1.4)) is None


def test_a_blurred_suspect_is_compared_as_it_was_before_and_not_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header is read without undoing the blur, and pilots agree little so; elsewhere they are read with it."""
    picture = Picture(pixels=photograph("astronaut", 0, 0, 256, 256))
    sent = Imuge(exact=False).immunize(picture, image_id=5).picture.as_uint8()
    plane = torch.from_numpy(luma(apply(parse("blur:5"), sent, np.random.default_rng(0)).image))[None, None]
    fix = synchronise_direct(plane, SECRET, STEP)
    assert fix is not None and fix.header is not None and fix.header.image_id == 5
    assert pilot_agreement(fix, (256, 256)) < placing.DOUBTFUL
    assert agreement_undone(plane, SECRET, fix) > 2 * fix.z_score

    def searched(*given: object, **how: object) -> object:
        raise AssertionError("searched for elsewhere")

    monkeypatch.setattr(placing, "promising", searched)
    assert synchronise_elsewhere(plane, SECRET, STEP, fix) is None


def test_another_picture_is_none_of_it(suspect: NDArray[np.float32], header: Header) -> None:
    plane = torch.from_numpy(suspect)[None, None]
    other = replace(header, image_id=header.image_id + 1)
    assert synchronise_elsewhere(plane, SECRET, STEP, believed(other, 11.0)) is None


@pytest.mark.parametrize(("score", "z_score", "at_once"), [(9.0, 9.0, False), (16.0, 20.0, False), (9.0, 40.0, True)])
def test_a_header_that_pilots_hardly_bear_out_does_not_end_the_search(
    suspect: NDArray[np.float32],
    header: Header,
    monkeypatch: pytest.MonkeyPatch,
    score: float,
    z_score: float,
    at_once: bool,
) -> None:
    """A part of a turned picture may agree with a place that is wrong for the rest."""
    read, first = placing.read_at, []

    def partly(
        plane: NDArray[np.float32], secret: Secret, steps: tuple[float, ...], candidate: Candidate, **how: bool
    ) -> Placed:
        placed = read(plane, secret, steps, candidate, **how)
        if first:
            return placed
        first.append(Placed(believed(header, z_score), placed.placement))
        return first[0]

    monkeypatch.setattr(placing, "read_at", partly)
    monkeypatch.setattr(placing, "converged", lambda suspect, candidate, secret: candidate)
    monkeypatch.setattr(placing, "_levelled", lambda suspect, candidate, secret: candidate)
    found = placing.promising

    def raised(*given: object, **how: object) -> object:
        candidates = found(*given, **how)  # type: ignore[arg-type]
        yield replace(next(candidates), score=score)
        yield from candidates

    monkeypatch.setattr(placing, "promising", raised)
    placed = synchronise_anywhere(suspect, SECRET, STEP)
    assert placed is not None and first
    assert (placed is first[0]) == at_once
    if not at_once:
        assert placed.fix.header == header and placed.fix.z_score > 40
