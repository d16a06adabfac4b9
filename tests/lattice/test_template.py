"""The synchronization template: what embedding does to a picture, and what it leaves alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from photographs import photograph, to_tensor

from imuge_cli.keys import Secret
from imuge_cli.lattice.template import (
    MARGIN,
    PERIOD,
    PITCH,
    PULL,
    STEP,
    repeats,
    respond,
    response_scale,
    responses_within,
    template_dither,
    template_filter,
    template_residual,
)
from imuge_cli.lattice.transform import analyse, luma

SECRET = Secret.default()
FILTER = template_filter(torch.device("cpu"))


def plane() -> torch.Tensor:
    return luma(to_tensor(photograph("astronaut", 0, 0, 246, 310)))


def answers(picture: np.ndarray, spacing: int = 1, smoothed: float = 0.0) -> np.ndarray:
    """Responses and slopes of all points."""
    return responses_within(np.pad(picture, MARGIN // spacing, mode="reflect"), spacing, smoothed)


def test_responses_go_most_of_the_way_to_their_dither() -> None:
    before = plane()
    dither = torch.from_numpy(template_dither(SECRET, 246 // PITCH, 310 // PITCH))
    after = before + template_residual(before, dither)
    ways = []
    for picture in (before, after):
        phases = respond(picture, FILTER)[0, 0] / STEP - dither
        ways.append((phases - phases.round()).abs())
    assert ways[1].numpy() == pytest.approx((1 - PULL) * ways[0].numpy(), abs=0.02)


def test_the_residual_keeps_out_of_the_slots_and_is_small() -> None:
    residual = template_residual(plane(), torch.from_numpy(template_dither(SECRET, 12, 15)))
    assert float(analyse(residual).abs().max()) < 1e-3
    assert 0.05 < float(residual.square().mean()) < 0.3
    assert float(residual.abs().max()) < 3


def test_the_filter_is_the_same_in_all_directions_and_sees_no_slopes() -> None:
    kernel = FILTER[0, 0]
    assert torch.allclose(kernel, kernel.T) and torch.allclose(kernel, kernel.flip(0))
    assert float(kernel.square().sum()) == pytest.approx(1, abs=1e-3)
    slope = torch.arange(200.0).expand(1, 1, 160, 200)
    assert float(respond(slope, FILTER)[..., 2:-2, 2:-2].abs().max()) < 0.05
    assert response_scale() == pytest.approx(24.5, abs=0.5)


def test_slopes_say_how_a_response_changes() -> None:
    picture = plane()[0, 0].numpy()
    for axis in (0, 1):
        before, after = (answers(image)[:, 3:-3, 3:-3] for image in (picture, np.roll(picture, 1, axis)))
        change, middle = after[0] - before[0], (after[1 + axis] + before[1 + axis]) / 2
        assert change == pytest.approx(-middle, abs=4)
        assert abs(change).max() > 10


def test_a_search_sees_what_embedding_did() -> None:
    picture = plane()
    embedded = respond(picture, FILTER)[0, 0].numpy()
    searched = answers(picture[0, 0].numpy())[0, : embedded.shape[0], : embedded.shape[1]]
    assert searched == pytest.approx(embedded, abs=0.01)


def test_samples_further_apart_respond_alike() -> None:
    picture = torch.nn.functional.avg_pool2d(plane(), 3, 1, 1)
    half = torch.nn.functional.avg_pool2d(picture, 2)[0, 0].numpy()
    fine = answers(picture[0, 0].numpy())[:, 2:-2, 2:-2]
    coarse = answers(half, 2)[:, 2:-2, 2:-2][:, : fine.shape[1], : fine.shape[2]]
    assert (abs(fine - coarse).mean((1, 2)) < 0.05 * abs(fine).mean((1, 2))).all()


def test_a_smoothed_picture_responds_as_before_to_a_sharper_filter() -> None:
    picture = plane()[0, 0].numpy()
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.5, borderType=cv2.BORDER_REFLECT)
    wanted, sharper, blunt = (
        answers(image, 1, smoothed)[:, 2:-2, 2:-2] for image, smoothed in ((picture, 0.0), (smooth, 1.5), (smooth, 0.0))
    )
    for which in range(3):
        assert abs(sharper - wanted)[which].max() < 0.02 * wanted[which].std()
        assert abs(blunt - wanted)[which].max() > 0.1 * wanted[which].std()


def test_three_points_of_four_repeat() -> None:
    dither = template_dither(SECRET, 40, 40)
    again = repeats(40, 40)
    assert again.mean() == 0.75
    assert (dither[PERIOD:] == dither[:-PERIOD])[again[PERIOD:]].all()
    assert (dither[PERIOD:] == dither[:-PERIOD])[~again[PERIOD:]].mean() < 0.01
    assert (template_dither(SECRET, 7, 9) == dither[:7, :9]).all()
    assert not np.array_equal(template_dither(Secret(b"x" * 32), 40, 40), dither)
