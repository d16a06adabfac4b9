"""Suspects that were made brighter or darker as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from photographs import photograph
from PIL import Image, ImageOps

from imuge_cli import Imuge
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.image.picture import Picture
from imuge_cli.lattice.transform import luma
from imuge_cli.models.protocol import Verified
from imuge_cli.results import VerifyResult

Pixels8 = NDArray[np.uint8]


@pytest.fixture(scope="module")
def engine() -> Imuge:
    return Imuge(device="cpu", exact=False)


@pytest.fixture(scope="module")
def sent(engine: Imuge) -> Pixels8:
    # A white suit, deep shadow and a bright background.
    return engine.immunize(Picture(pixels=photograph("astronaut", 0, 128)), image_id=1).picture.as_uint8()


def changed(picture: Pixels8, how: str) -> Pixels8:
    """how: an attack, grey levels to be added, `auto` for levels stretched to black and white, `auto-each` for each
    channel by itself, or three gains with colons between them."""
    if how[0].isdigit():
        return np.clip(picture * np.array([float(gain) for gain in how.split(":")]) + 0.5, 0, 255).astype(np.uint8)
    if how == "auto-each":
        return np.array(ImageOps.autocontrast(Image.fromarray(picture), cutoff=1))
    if how[0] in "+-":
        return np.clip(picture.astype(int) + int(how), 0, 255).astype(np.uint8)
    if how == "auto":
        return np.array(ImageOps.autocontrast(Image.fromarray(picture), cutoff=1, preserve_tone=True))
    return apply(parse(how), picture, np.random.default_rng(1)).image


def received(found: VerifyResult) -> torch.Tensor:
    """The picture that V was shown."""
    assert isinstance(found.found, Verified)
    return found.found.evidence.reception.picture  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    "how",
    [
        *("brightness:0.85", "brightness:1.15", "contrast:1.15", "contrast:0.85", "+25", "-25", "gamma:0.9", "auto"),
        *("1.12:1:0.88", "0.8:1:1.2", "0.95:1.1:0.9", "auto-each"),
    ],
)
def test_levels_that_were_changed_are_no_tampering(engine: Imuge, sent: Pixels8, how: str) -> None:
    assert engine.verify(Picture(pixels=changed(sent, how))).verdict == "intact"


@pytest.mark.parametrize("how", ["brightness:0.9", "brightness:1.1", "contrast:1.1", "+20", "-20"])
def test_levels_are_put_back_where_they_were(engine: Imuge, sent: Pixels8, how: str) -> None:
    suspect = changed(sent, how)
    before = torch.from_numpy(sent).permute(2, 0, 1)[None].float()
    middle = ((suspect > 20) & (suspect < 235)).all(2)
    off = (luma(received(engine.verify(Picture(pixels=suspect)))) - luma(before))[0, 0].numpy()[middle]
    assert abs(off.mean()) < 1 and np.abs(off).mean() < 1.5


@pytest.mark.parametrize(
    ("how", "contrast", "brightness"),
    [
        ("brightness:0.85", 0.85, 0),
        ("brightness:1.2", 1.2, 0),
        ("+20", 1, 20),
        ("-20", 1, -20),
        ("contrast:0.8", 0.8, None),
    ],
)
def test_how_levels_were_changed_is_told(
    engine: Imuge, sent: Pixels8, how: str, contrast: float, brightness: float | None
) -> None:
    tone = engine.verify(Picture(pixels=changed(sent, how))).tone
    assert tone is not None and tone.contrast == pytest.approx(contrast, abs=0.011)
    if brightness is not None:
        assert tone.brightness == pytest.approx(brightness, abs=2)


@pytest.mark.parametrize("gains", [(1.12, 1.0, 0.88), (0.9, 1.0, 1.1), (1.0, 0.9, 1.0)])
@pytest.mark.parametrize("jpeg", [False, True])
def test_channels_are_put_back_where_they_were_each_by_itself(
    engine: Imuge, sent: Pixels8, gains: tuple[float, float, float], jpeg: bool
) -> None:
    suspect = changed(sent, ":".join(map(str, gains)))
    suspect = changed(suspect, "jpeg:85") if jpeg else suspect
    found = engine.verify(Picture(pixels=suspect))
    assert found.verdict == "intact"
    if not jpeg:
        assert found.tone is not None and found.tone.channels == pytest.approx(gains, abs=0.03)
    middle = ((suspect > 20) & (suspect < 235)).all(2)
    off = (received(found)[0].permute(1, 2, 0).numpy() - sent)[middle]
    assert np.abs(off.mean(0)).max() < 2


@pytest.mark.parametrize("how", ["1.12:1:0.88", "auto-each"])
def test_a_patch_is_found_where_channels_were_changed_each_by_itself(engine: Imuge, sent: Pixels8, how: str) -> None:
    tampered = sent.copy()
    tampered[60:130, 60:150] = photograph("coffee", 60, 200)[60:130, 60:150]
    mask = engine.verify(Picture(pixels=changed(tampered, how))).mask
    assert mask[64:126, 64:146].mean() > 0.97 and mask.mean() < 0.12


@pytest.mark.parametrize("how", ["none", "1.12:1:0.88", "0.9:1:1.1"])
def test_the_colour_of_a_large_patch_does_not_pass_for_that_of_the_whole(
    engine: Imuge, sent: Pixels8, how: str
) -> None:
    tampered = sent.copy()
    tampered[20:150, 60:220] = (200, 120, 60)
    suspect = changed(tampered, how)
    found = engine.verify(Picture(pixels=suspect))
    assert found.mask[24:146, 64:216].mean() > 0.97 and found.mask[170:].mean() < 0.01
    middle = ((suspect > 20) & (suspect < 235)).all(2)[170:]
    off = (received(found)[0].permute(1, 2, 0).numpy() - sent)[170:][middle]
    # The patch is off by 50 to 100.
    assert np.abs(off.mean(0)).max() < 4


@pytest.mark.parametrize("how", ["none", "jpeg:70", "jpeg:50", "blur:5", "crop:0.7", "noise:5", "scale-back:0.5"])
def test_of_levels_that_were_left_alone_nothing_is_told(engine: Imuge, sent: Pixels8, how: str) -> None:
    found = engine.verify(Picture(pixels=changed(sent, how)))
    assert found.verdict == "intact" and found.tone is None


@pytest.mark.parametrize("how", ["none", "jpeg:70", "+20"])
def test_a_large_patch_does_not_pass_for_other_levels(engine: Imuge, sent: Pixels8, how: str) -> None:
    tampered = sent.copy()
    tampered[20:150, 60:220] = 200
    suspect = changed(tampered, how)
    found = engine.verify(Picture(pixels=suspect))
    assert found.mask[24:146, 64:216].mean() > 0.97
    away = received(found)[..., 170:, :] - torch.from_numpy(sent).permute(2, 0, 1)[None, :, 170:].float()
    assert abs(float(away.mean())) < 2


@pytest.mark.parametrize("white", [True, False])
@pytest.mark.parametrize("how", ["brightness:1.1", "+15", "-15", "contrast:1.1"])
def test_what_was_painted_white_or_black_is_found_where_levels_are_cut_off(
    engine: Imuge, sent: Pixels8, how: str, white: bool
) -> None:
    suspect = changed(sent, how)
    # Over a face, which is neither.
    suspect[30:78, 84:132] = 255 if white else 0
    mask = engine.verify(Picture(pixels=suspect)).mask
    assert mask[34:74, 88:128].mean() > 0.97 and mask.mean() < 0.06


def test_what_is_white_nearly_everywhere_is_judged_by_what_is_not(engine: Imuge) -> None:
    original = np.clip(photograph("astronaut", 0, 128).astype(int) // 2 + 128, 0, 250).astype(np.uint8)
    sent = engine.immunize(Picture(pixels=original), image_id=1).picture.as_uint8()
    suspect = changed(sent, "+30")
    assert (suspect == 255).any(2).mean() > 0.3
    assert engine.verify(Picture(pixels=suspect)).verdict == "intact"
    suspect[30:78, 84:132] = 255
    assert engine.verify(Picture(pixels=suspect)).mask[34:74, 88:128].mean() > 0.9


@pytest.mark.parametrize("how", ["brightness:0.85", "+20", "-20"])
def test_what_is_drawn_anew_has_the_levels_of_what_is_around(engine: Imuge, sent: Pixels8, how: str) -> None:
    tampered = sent.copy()
    tampered[60:120, 60:130] = 200
    wanted = changed(sent, how)[60:120, 60:130].astype(float)
    drawn = engine.recover(Picture(pixels=changed(tampered, how))).picture.as_uint8()[60:120, 60:130]
    off = drawn - wanted
    assert abs(off.mean()) < 3 and np.square(off).mean() < 14**2


def test_levels_stretched_to_black_and_white_are_no_tampering(engine: Imuge) -> None:
    # A grey day: what a program makes of it is half as much contrast again.
    hazy = (photograph("astronaut", 0, 128).astype(int) * 5 // 8 + 50).astype(np.uint8)
    suspect = changed(engine.immunize(Picture(pixels=hazy)).picture.as_uint8(), "auto")
    found = engine.verify(Picture(pixels=suspect))
    assert found.verdict == "intact" and found.tone is not None and found.tone.contrast > 1.3
    suspect[30:78, 84:132] = 128
    mask = engine.verify(Picture(pixels=suspect)).mask
    assert mask[34:74, 88:128].mean() > 0.97 and mask.mean() < 0.06
