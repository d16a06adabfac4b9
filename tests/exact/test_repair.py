"""Lost tiles come back: bit for bit while they are few, nearly while they are many, honestly in either case."""

from __future__ import annotations

import hashlib
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exact_pictures import DEEP, DEEP_GREY, GREY, RGB, SECRET, STRONG, asked, protected, samples_of

from imuge_cli.exact import carrier
from imuge_cli.exact.answer import ask, changed
from imuge_cli.exact.carrier import Profile
from imuge_cli.exact.header import Header
from imuge_cli.exact.repair import COARSE, FINE, INTACT, LOST, PROVEN
from imuge_cli.image.read import read_picture
from imuge_cli.keys import Secret

_HALVES = {"colour": "f7ef2814a90ab972", "grey": "c6ca853206520b84", "deep": "9a7c44e938a21e35"}
PROFILES = [RGB, GREY, DEEP, DEEP_GREY, STRONG]


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: str(profile.number))
@pytest.mark.parametrize("size", [(192, 208), (150, 197)])
def test_little_comes_back_bit_for_bit(profile: Profile, size: tuple[int, int]) -> None:
    sent = protected(samples_of(profile, height=size[0], width=size[1]), profile).samples
    assert asked(sent).found.exact
    # In the middle, and in the last tiles, which are larger than the others where the sides are no multiples.
    for rows, columns in ((slice(44, 70), slice(60, 95)), (slice(size[0] - 20, None), slice(size[1] - 18, None))):
        suspect = sent.copy()
        suspect[rows, columns] = 7
        answer = asked(suspect)
        assert (answer.restored() == sent).all()
        assert set(np.unique(answer.repaired.fate)) == {INTACT, PROVEN}
        assert (changed(answer) == (suspect != sent).any(2)).all()


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: str(profile.number))
def test_much_comes_back_nearly(profile: Profile) -> None:
    sent = protected(samples_of(profile), profile).samples
    fates, errors = {}, {}
    top = np.iinfo(sent.dtype).max
    for share in (0.25, 0.5, 0.9):
        suspect = sent.copy()
        suspect[: int(share * sent.shape[0])] = top // 3
        answer = ask(suspect, None, SECRET)
        if answer is None:
            assert share == 0.9
            continue
        lost = answer.repaired.fate[~answer.found.valid]
        fates[share] = set(np.unique(lost))
        differing = answer.fate != INTACT
        error = (answer.restored().astype(float) - sent)[differing] * 255 / top
        errors[share] = 10 * np.log10(255**2 / np.maximum((error**2).mean(), 1e-9))
        if fates[share] <= {PROVEN, FINE, COARSE}:
            tiles = answer.tiles
            least = tiles.quality_fine if fates[share] <= {PROVEN, FINE} else tiles.quality_coarse
            assert errors[share] > least - 3
    assert fates[0.25] <= {PROVEN, FINE, COARSE} and fates[0.5] <= {PROVEN, FINE, COARSE}
    assert errors[0.25] > errors[0.5] - 0.5 and errors[0.5] > 25


def test_what_nothing_tells_of_is_lost() -> None:
    sent = protected(samples_of()).samples
    suspect = sent.copy()
    suspect[:128] = 0
    answer = asked(suspect)
    assert (answer.repaired.fate == LOST).sum() > 90
    assert (answer.restored()[answer.fate == LOST] == 0).all()
    assert (changed(answer) >= (answer.fate == LOST)).all()


@pytest.mark.parametrize("origin", [(0, 0), (7, 21), (32, 48)])
def test_crops_are_read_at_any_offset(origin: tuple[int, int]) -> None:
    sent = protected(samples_of()).samples
    crop = sent[origin[0] : origin[0] + 150, origin[1] : origin[1] + 155].copy()
    answer = asked(crop, origin=origin)
    assert not answer.found.exact and not changed(answer).any()
    assert (answer.restored() == crop).all()
    # And what was cut away comes back as far as it reaches.
    error = answer.repaired.samples.astype(float) - sent
    assert 10 * np.log10(255**2 / (error**2).mean()) > 28
    crop[60:90, 70:95] = 0
    answer = asked(crop, origin=origin)
    mask, true = changed(answer), (crop != sent[origin[0] :, origin[1] :][:150, :155]).any(2)
    # Where too much is cut away besides, the mask is that of the tiles.
    assert (mask | ~true).mean() > 0.999 and mask.sum() < 3.5 * true.sum()
    assert ask(crop, None, SECRET, (origin[0] + 1, origin[1])) is None


@pytest.mark.parametrize("side", [1600, 65535])
def test_an_original_that_is_said_to_be_large_costs_little(monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    """A small suspect of a true large original, and one that lies: with the published key anybody can write it."""
    told = Header.to_bytes
    with monkeypatch.context() as lying:
        lying.setattr(Header, "to_bytes", lambda header: told(replace(header, height=side, width=side)))
        sent = protected(samples_of()).samples
    tracemalloc.start()
    suspect = sent.copy()
    suspect[40:70, 60:90] = 0
    answer = asked(suspect)
    mask = changed(answer)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.tiles.total == (side // 16) ** 2 and answer.tiles.proven == 0 and answer.repaired.samples is None
    # A frame of that size would take 12.9 GB, and one number for each of its tiles takes 134 MB.
    assert peak < 1e9 and (answer.restored() == suspect).all()
    assert mask[40:70, 60:90].all() and mask.mean() < 0.1 and not answer.found.whole


def test_lost_tiles_do_not_depend_on_what_lies_over_them() -> None:
    sent = protected(samples_of()).samples
    restored = []
    for filling in (0, 255):
        suspect = sent.copy()
        suspect[:88] = filling
        restored.append(asked(suspect).repaired.samples)
    assert (restored[0] == restored[1]).all()


def test_files_are_written_as_in_the_first_release() -> None:
    """The way out, pinned, so that nobody changes it without noticing. The sender's choices (`budget`) may change; then
    this changes, and the stored files below must still be read."""
    digests = []
    for profile in carrier.PROFILES:
        sent = protected(samples_of(profile), profile, Secret.default(), b"golden!!").samples
        digests.append(hashlib.sha256(sent.tobytes()).hexdigest()[:16])
    assert digests == [
        "bcfd5bbfdb91e5a4",
        "33867c7bcc3200d2",
        "3b1d033390f909c8",
        "0f9d1e175732ee53",
        "1f85a6bfcba85cc8",
        "ba9f44ae63b3a77a",
    ]


@pytest.mark.parametrize("name", ["colour", "grey", "deep"])
def test_files_of_the_first_release_are_read_and_repaired(name: str) -> None:
    """The way in: pictures published once are exact, and restorable, for every later release."""
    picture = read_picture(Path(__file__).parent / f"format-1-{name}.png")
    samples = picture.pixels[..., :1] if name == "grey" else picture.pixels
    answer = asked(samples, Secret.default())
    assert answer.found.exact and answer.image_id == 77
    suspect = samples.copy()
    suspect[40:60, 40:60] = 99
    assert (asked(suspect, Secret.default()).restored() == samples).all()
    half = samples.copy()
    half[:, : half.shape[1] // 2] = 0
    answer = asked(half, Secret.default())
    assert hashlib.sha256(answer.restored().tobytes()).hexdigest()[:16] == _HALVES[name]
