"""Suspects of which the colours were taken away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from photographs import photograph
from PIL import Image

from imuge_cli import Imuge
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.image.picture import Picture
from imuge_cli.metrics.fidelity import local_psnr
from imuge_cli.metrics.localization import f1
from imuge_cli.models.lattice.pixels import to_tensor
from imuge_cli.models.lattice.toning import is_toned, ramp_of, toned, without_colours

Pixels8 = NDArray[np.uint8]
SQUARE = np.s_[96:160, 64:144]


def grey(picture: Pixels8) -> Pixels8:
    return np.repeat(np.asarray(Image.fromarray(picture).convert("L"))[..., None], 3, 2)


def by_the_green_channel(picture: Pixels8) -> Pixels8:
    return np.repeat(picture[..., 1:2], 3, 2)


def sepia(picture: Pixels8) -> Pixels8:
    return np.rint(grey(picture) * np.array([1.0, 0.88, 0.7])).astype(np.uint8)


def saved(picture: Pixels8, quality: int = 85) -> Pixels8:
    return apply(parse(f"jpeg:{quality}"), picture, np.random.default_rng(1)).image


def planes(picture: Pixels8) -> torch.Tensor:
    return to_tensor(picture.astype(np.float32), torch.device("cpu"))


TONINGS = [grey, by_the_green_channel, sepia]


@pytest.fixture(scope="module")
def engine() -> Imuge:
    return Imuge(device="cpu", exact=False)


@pytest.fixture(scope="module")
def original() -> Pixels8:
    # Red and blue cloth, skin and a flag: of what is left in black and white symbols say that it was colourful.
    return photograph("astronaut", 128, 128)


@pytest.fixture(scope="module")
def sent(engine: Imuge, original: Pixels8) -> Pixels8:
    return engine.immunize(Picture(pixels=original), image_id=7).picture.as_uint8()


@pytest.mark.parametrize("toning", TONINGS)
@pytest.mark.parametrize("quality", [None, 70])
def test_brightness_tells_what_was_toned(
    original: Pixels8, toning: Callable[..., Pixels8], quality: int | None
) -> None:
    suspect = toning(original)
    inside = torch.ones(1, 1, 256, 256)
    assert is_toned(planes(suspect if quality is None else saved(suspect, quality)), inside)
    assert not is_toned(planes(original), inside)
    # In black and white but for a part that is still colourful, or only where something else lies around it.
    suspect = suspect.copy()
    suspect[SQUARE] = original[SQUARE]
    assert not is_toned(planes(suspect), inside)
    inside[..., SQUARE[0], SQUARE[1]] = 0
    assert is_toned(planes(suspect), inside)


def test_nothing_shown_is_not_toned(original: Pixels8) -> None:
    assert not is_toned(planes(original), torch.zeros(1, 1, 256, 256))


def test_a_picture_gets_the_colours_of_a_suspect(original: Pixels8) -> None:
    suspect = sepia(original)
    inside = torch.ones(1, 1, 256, 256)
    inside[..., SQUARE[0], SQUARE[1]] = 0
    light = without_colours(planes(original))
    again = toned(planes(original), ramp_of(light, planes(suspect), inside))
    assert float((again - planes(suspect)).abs().max()) < 3
    # However little of it is shown: every brightness has a colour.
    inside[..., 1:, :] = 0
    assert bool(toned(planes(original), ramp_of(light, planes(suspect), inside)).isfinite().all())


@pytest.mark.parametrize("toning", TONINGS)
@pytest.mark.parametrize("quality", [None, 85])
def test_taking_colours_away_is_no_tampering(
    engine: Imuge, sent: Pixels8, toning: Callable[..., Pixels8], quality: int | None
) -> None:
    suspect = toning(sent)
    found = engine.verify(Picture(pixels=suspect if quality is None else saved(suspect, quality)))
    assert (found.verdict, bool(found.mask.any())) == ("intact", False)
    assert found.tone is not None and found.tone.colourless and found.tone.channels is None


@pytest.mark.parametrize("toning", TONINGS)
def test_what_was_changed_is_found_and_put_back_in_the_colours_of_the_suspect(
    engine: Imuge, original: Pixels8, sent: Pixels8, toning: Callable[..., Pixels8]
) -> None:
    forged = sent.copy()
    forged[SQUARE] = photograph("chelsea", 40, 100)[SQUARE]
    suspect, truth = toning(forged), np.zeros((256, 256), bool)
    truth[SQUARE] = True
    found = engine.verify(Picture(pixels=suspect))
    assert f1(found.mask, truth) > 0.95
    recovered = engine.recover(Picture(pixels=suspect), verification=found).picture.as_uint8()
    assert np.array_equal(recovered[:64], suspect[:64])
    assert local_psnr(toning(original), recovered, truth) > 20 > 15 > local_psnr(toning(original), suspect, truth)
    # As colourless, or as brown, as all else.
    off = recovered.astype(float) - toning(recovered) if toning is not sepia else recovered @ [0.7, 0, -1.0]
    assert float(np.abs(off[SQUARE]).max()) < 4


def test_pictures_that_never_had_colours_are_told_nothing(engine: Imuge, original: Pixels8) -> None:
    sent = engine.immunize(Picture(pixels=grey(original)), image_id=8).picture.as_uint8()
    for suspect in (sent, saved(sent, 50), np.rint(sent * 0.97).astype(np.uint8)):
        found = engine.verify(Picture(pixels=suspect))
        assert (found.verdict, found.tone) == ("intact", None)
