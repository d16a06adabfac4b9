"""What an attack did to the frequencies, found out from known phases and undone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from photographs import Pixels8, photograph, to_pixels, to_tensor
from sending import sent_picture
from torch import Tensor

from imuge_cli.attacks.benign import apply
from imuge_cli.attacks.chain import parse
from imuge_cli.keys import Secret
from imuge_cli.lattice.equalizer import Response, fit, undo
from imuge_cli.lattice.header import Header, encode_header
from imuge_cli.lattice.synchronise import synchronise_direct, synchronise_search
from imuge_cli.lattice.transform import analyse, luma
from imuge_cli.models.lattice.carrier import STEPS, Carrier, make_carrier
from imuge_cli.models.lattice.equalized import equalized

SECRET = Secret(b"s" * 32)
STEP = STEPS["balanced"]
HEADER = Header(2, 0, list(STEPS).index("balanced"), 448, 512, 77)
CODE = torch.from_numpy(encode_header(HEADER))[None]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def carrier() -> Carrier:
    return make_carrier(SECRET, 448, 512, CPU)


@pytest.fixture(scope="module")
def sent(carrier: Carrier) -> Pixels8:
    return to_pixels(sent_picture(carrier, to_tensor(photograph("astronaut", 0, 0, 448, 512)), CODE, STEP))


def attacked(picture: Pixels8, attack: str) -> Pixels8:
    return apply(parse(attack), picture, np.random.default_rng(1)).image


def agreement(carrier: Carrier, plane: Tensor) -> float:
    """Mean cosine of what pilots and header chips lie off: 1 = exactly on the lattice, 0 = chance."""
    phases = carrier.by_order(analyse(plane) / STEP - carrier.dither)[:, :2]
    phases[:, 1:] -= carrier.chip_phases(CODE)
    return float(torch.cos(2 * torch.pi * phases).mean())


def found(carrier: Carrier, plane: Tensor) -> Response:
    return fit(plane, carrier.order[0, :1], carrier.by_order(carrier.dither)[0, :1], (STEP,)).response


def test_the_inverse_of_a_response_undoes_it() -> None:
    generator = torch.Generator().manual_seed(1)
    smooth = torch.nn.functional.interpolate(
        torch.rand(2, 3, 9, 11, generator=generator) * 255, (72, 88), mode="bicubic"
    )
    for response in (Response(gain=0.8), Response(gain=1.1, blur=0.5, noise=1e-6), Response(blur=-0.3, noise=1e-6)):
        opposite = Response(1 / response.gain, -response.blur, -response.shape, response.noise)
        twice = undo(undo(smooth, response), opposite)
        assert float((twice - smooth)[..., 8:-8, 8:-8].abs().max()) < 1.0
        torch.testing.assert_close(undo(smooth, response).mean((-2, -1)), smooth.mean((-2, -1)), rtol=0, atol=1.0)
        assert float((undo(smooth, response) - smooth).abs().max()) > 3
    assert undo(smooth, Response()) is smooth


@pytest.mark.parametrize(
    ("attack", "before", "after"),
    [
        ("blur:3", 0.6, 0.8),
        ("blur:5", 0.4, 0.6),
        ("sharpen:1", 0.5, 0.6),
        ("contrast:0.9", 0.8, 0.89),
        ("brightness:0.9", 0.8, 0.89),
        ("blur:5+jpeg:90", 0.4, 0.5),
    ],
)
def test_what_was_done_to_the_frequencies_is_undone(
    carrier: Carrier, sent: Pixels8, attack: str, before: float, after: float
) -> None:
    plane = luma(to_tensor(attacked(sent, attack)))
    response = found(carrier, plane)
    assert not response.is_plain
    assert agreement(carrier, plane) < before
    assert agreement(carrier, undo(plane, response)) > after


def test_blocks_that_were_cut_off_have_no_say_in_a_gain(carrier: Carrier, sent: Pixels8) -> None:
    plane = luma(to_tensor(attacked(sent, "brightness:1.1"))).clone()
    # As where highlights were cut off: nearly everywhere, and nothing of the lattice is left.
    plane[..., :352, :] = 255
    legible = torch.zeros(448 // 8, 512 // 8, dtype=torch.bool)
    legible[352 // 8 :] = True
    order, phases = carrier.order[0, :1], carrier.by_order(carrier.dither)[0, :1]
    part = fit(plane, order, phases, (STEP,), legible)
    assert part.response.gain == pytest.approx(1.1) and part.response.blur == 0
    assert 0 < part.count <= legible.sum() and part.score > 0.8 * part.count


@pytest.mark.parametrize("attack", ["none", "jpeg:90", "jpeg:50", "noise:5"])
def test_what_has_no_response_is_left_alone(carrier: Carrier, sent: Pixels8, attack: str) -> None:
    picture = to_tensor(attacked(sent, attack))
    assert found(carrier, luma(picture)).is_plain
    inside = torch.ones(1, 1, 448, 512)
    torch.testing.assert_close(equalized(carrier, picture, CODE, inside, STEP).pictures, picture, rtol=0, atol=0)


@pytest.mark.parametrize("secret", [bytes([i]) * 32 for i in range(6)])
def test_another_key_finds_no_response(sent: Pixels8, secret: bytes) -> None:
    plane = luma(to_tensor(attacked(sent, "blur:5")))
    other = make_carrier(Secret(secret), 448, 512, CPU)
    assert fit(plane, other.order[0, :1], other.by_order(other.dither)[0, :1], (STEP,)).response.is_plain
    assert synchronise_direct(plane, Secret(secret), tuple(STEPS.values())) is None


def test_tampering_in_one_place_does_not_decide(carrier: Carrier, sent: Pixels8) -> None:
    tampered = sent.copy()
    tampered[100:350, 120:400] = photograph("coffee", 0, 0, 250, 280)
    plane = luma(to_tensor(attacked(tampered, "blur:5")))
    assert 0.8 < found(carrier, plane).blur < 1.4


def test_a_frame_is_equalized_and_its_surroundings_are_not_looked_at(carrier: Carrier, sent: Pixels8) -> None:
    canvas, inside = torch.full((1, 3, 448, 512), 128.0), torch.zeros(1, 1, 448, 512)
    frame = (..., slice(51, 300), slice(30, 401))
    blurred = attacked(np.ascontiguousarray(sent[51:300, 30:401]), "blur:5")
    canvas[frame], inside[frame] = to_tensor(blurred), 1
    result = equalized(carrier, canvas, CODE, inside, STEP).pictures
    assert bool((result == 128)[(inside == 0).expand_as(result)].all())
    whole = luma(result)[..., 56:296, 32:400]
    order, phases = (t[..., 7:37, 4:50] for t in (carrier.order[:, :1], carrier.by_order(carrier.dither)[:, :1]))
    off = torch.gather(analyse(whole), 1, order) / STEP - phases
    assert float(torch.cos(2 * torch.pi * off).mean()) > 0.6
    narrow = torch.zeros_like(inside)
    narrow[..., 51:70, :] = 1
    assert equalized(carrier, canvas, CODE, narrow, STEP).pictures.equal(canvas)


def small_picture() -> tuple[Pixels8, Header]:
    header = Header(2, 0, list(STEPS).index("balanced"), 160, 168, 5)
    code = torch.from_numpy(encode_header(header))[None]
    sent = sent_picture(
        make_carrier(SECRET, 160, 168, CPU), to_tensor(photograph("coffee", 40, 150, 160, 168)), code, STEP
    )
    return to_pixels(sent), header


@pytest.mark.parametrize("attack", ["blur:5", "sharpen:1", "contrast:0.85"])
def test_the_header_is_read_through_it(attack: str) -> None:
    picture, header = small_picture()
    fix = synchronise_direct(luma(to_tensor(attacked(picture, attack))), SECRET, tuple(STEPS.values()))
    assert fix is not None
    # Not the step: what is weakened by a sixth looks like another strength's lattice until the header is read.
    assert (fix.header, fix.top, fix.left) == (header, 0, 0)


@pytest.mark.parametrize("attack", ["blur:3", "contrast:0.75", "sharpen:0.5"])
def test_the_header_of_a_crop_is_read_through_it(attack: str) -> None:
    picture, header = small_picture()
    crop = attacked(np.ascontiguousarray(picture[3:, 6:]), attack)
    fix = synchronise_search(luma(to_tensor(crop)), SECRET, tuple(STEPS.values()), limit=256)
    assert fix is not None
    assert (fix.header, fix.top, fix.left) == (header, 3, 6)
