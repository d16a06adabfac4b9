"""Pictures made smaller and brought back: the smaller size seen, the interpolations found, and both undone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from photographs import Pixels8, photograph, to_pixels, to_tensor
from sending import sent_picture
from torch import Tensor

from imuge_cli.attacks.benign import apply
from imuge_cli.attacks.chain import parse
from imuge_cli.attacks.resample import resize
from imuge_cli.keys import Secret
from imuge_cli.lattice.equalizer import fit, undo
from imuge_cli.lattice.header import Header, encode_header
from imuge_cli.lattice.resampling import (
    DOWN,
    UP,
    Resampling,
    fit_resampling,
    left_open,
    resample,
    traces,
    undo_resampling,
)
from imuge_cli.lattice.transform import analyse, luma
from imuge_cli.models.lattice.carrier import STEPS, Carrier, make_carrier
from imuge_cli.models.lattice.equalized import equalized

SECRET = Secret(b"s" * 32)
STEP = STEPS["balanced"]
HEIGHT, WIDTH = 224, 256
CODE = torch.from_numpy(encode_header(Header(2, 0, list(STEPS).index("balanced"), HEIGHT, WIDTH, 77)))[None]


@pytest.fixture(scope="module")
def carrier() -> Carrier:
    return make_carrier(SECRET, HEIGHT, WIDTH, torch.device("cpu"))


@pytest.fixture(scope="module")
def sent(carrier: Carrier) -> Pixels8:
    return to_pixels(sent_picture(carrier, to_tensor(photograph("astronaut", 0, 100, HEIGHT, WIDTH)), CODE, STEP))


def attacked(picture: Pixels8, attack: str) -> Pixels8:
    return apply(parse(attack), picture, np.random.default_rng(1)).image


def phases_of(carrier: Carrier) -> tuple[Tensor, Tensor]:
    """Slots and phases of pilots and header chips."""
    phases = carrier.by_order(carrier.dither)[0, :2].clone()
    phases[1:] += carrier.chip_phases(CODE)[0]
    return carrier.order[0, :2], phases


def agreement(carrier: Carrier, picture: Tensor) -> float:
    """Mean cosine of what pilots and header chips lie off: 1 = exactly on the lattice, 0 = chance."""
    slots, phases = phases_of(carrier)
    off = torch.gather(analyse(luma(picture))[0], 0, slots) / STEP - phases
    return float(torch.cos(2 * torch.pi * off).mean())


@pytest.mark.parametrize(
    ("attack", "expected", "before", "after"),
    [
        ("scale-back:0.7", Resampling(157, 179, "area", "cubic"), 0.81, 0.83),
        ("scale-back:0.5", Resampling(112, 128, "area", "cubic"), 0.82, 0.8),
        ("scale-back:0.8:bicubic", Resampling(179, 205, "bicubic", "bicubic"), 0.82, 0.86),
        ("scale-back:0.63:lanczos", Resampling(141, 161, "lanczos", "lanczos"), 0.76, 0.76),
        ("scale-back:0.7:linear", Resampling(157, 179, "linear", "linear"), 0.66, 0.7),
    ],
)
def test_size_and_interpolations_are_found_and_undone(
    carrier: Carrier, sent: Pixels8, attack: str, expected: Resampling, before: float, after: float
) -> None:
    picture = to_tensor(attacked(sent, attack))
    plane = luma(picture)
    filtered = fit(plane, *phases_of(carrier), (STEP,))
    assert agreement(carrier, undo(picture, filtered.response)) < before
    found, score = fit_resampling(plane[0, 0], (0, 0), *phases_of(carrier), STEP, filtered.score)
    assert found == expected
    assert agreement(carrier, undo_resampling(picture, found)) == pytest.approx(score / filtered.count, abs=0.002)
    assert agreement(carrier, equalized(carrier, picture, CODE, torch.ones(1, 1, HEIGHT, WIDTH), STEP).pictures) > after


@pytest.mark.parametrize("attack", ["none", "jpeg:70", "jpeg:50", "blur:5", "noise:5", "sharpen:1"])
def test_what_was_not_resampled_is_not_taken_for_it(carrier: Carrier, sent: Pixels8, attack: str) -> None:
    plane = luma(to_tensor(attacked(sent, attack)))
    filtered = fit(plane, *phases_of(carrier), (STEP,))
    assert fit_resampling(plane[0, 0], (0, 0), *phases_of(carrier), STEP, filtered.score)[1] < filtered.score


def test_a_trace_shows_the_smaller_size_on_both_axes(sent: Pixels8) -> None:
    for height, width in ((150, 171), (199, 228), (90, 103)):
        scaled = np.clip(resize(resize(sent, height, width), HEIGHT, WIDTH), 0, 255)
        assert (height, width) in traces(luma(to_tensor(scaled))[0, 0])


def test_undoing_keeps_what_smooth_pictures_and_means_are() -> None:
    flat = torch.full((1, 3, 40, 56), 77.0)
    ramp = torch.linspace(20, 220, 56).expand(1, 1, 40, 56)
    for down in DOWN:
        for up in UP:
            resampling = Resampling(28, 39, down, up)
            torch.testing.assert_close(undo_resampling(flat, resampling), flat, rtol=0, atol=1e-3)
            assert float((undo_resampling(ramp, resampling) - ramp)[..., 8:-8].abs().max()) < 4


@pytest.mark.parametrize(("down", "up"), [("area", "cubic"), ("bicubic", "bicubic"), ("lanczos", "linear")])
def test_resampling_is_what_programs_do(sent: Pixels8, down: str, up: str) -> None:
    size = (112, 150)
    small = np.clip(np.rint(resize(sent, *size, down)), 0, 255).astype(np.uint8)
    expected = np.clip(np.rint(resize(small, HEIGHT, WIDTH, up)), 0, 255)
    found = to_pixels(resample(to_tensor(sent), Resampling(*size, down, up)))
    # Programs compute with fewer digits.
    assert float(np.abs(found - expected).max()) <= 2
    assert float(np.abs(found - expected).mean()) < 0.15


def test_what_is_left_open_follows_the_scale_and_the_old_samples() -> None:
    resampling = Resampling(56, 192, "area", "cubic")
    rows, columns = left_open((112, 256), resampling)
    assert rows.shape == (112,)
    assert columns.shape == (256,)
    assert all(bool((t > 0).all()) and bool((t < 0.1).all()) for t in (rows, columns))
    # More is left of an axis that was made less small; half the size treats all pixels alike, three quarters do not.
    assert float(columns[8:-8].mean()) < float(rows[8:-8].mean())
    torch.testing.assert_close(rows[8:-8], rows[8:-8].mean().expand(96), rtol=0.02, atol=0)
    torch.testing.assert_close(columns[20:100], columns[24:104], rtol=0.02, atol=0)
    assert float(columns[20:24].max()) > 1.2 * float(columns[20:24].min())


def test_a_frame_in_a_larger_picture_is_undone_by_its_own_grid(carrier: Carrier, sent: Pixels8) -> None:
    frame = (slice(13, 213), slice(30, 250))
    canvas, inside = torch.full((1, 3, HEIGHT, WIDTH), 128.0), torch.zeros(1, 1, HEIGHT, WIDTH)
    canvas[(..., *frame)] = to_tensor(attacked(np.ascontiguousarray(sent[frame]), "scale-back:0.7"))
    inside[(..., *frame)] = 1
    result = equalized(carrier, canvas, CODE, inside, STEP).pictures
    assert bool((result == 128)[(inside == 0).expand_as(result)].all())
    slots, phases = phases_of(carrier)
    blocks = (..., slice(2, 26), slice(4, 31))
    before, after = (
        torch.cos(2 * torch.pi * (torch.gather(analyse(luma(p))[0], 0, slots) / STEP - phases))[blocks].mean()
        for p in (canvas, result)
    )
    assert float(after) > float(before) + 0.15


def test_large_pictures_are_looked_at_in_tiles() -> None:
    big = make_carrier(SECRET, 512, 512, torch.device("cpu"))
    picture = to_pixels(sent_picture(big, to_tensor(photograph("astronaut", 0, 0, 512, 512)), CODE, STEP))
    plane = luma(to_tensor(attacked(picture, "scale-back:0.7")))[0, 0]
    found, _ = fit_resampling(plane, (0, 0), *phases_of(big), STEP, 0.0)
    assert found == Resampling(358, 358, "area", "cubic")
