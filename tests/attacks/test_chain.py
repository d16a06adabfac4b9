from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imuge_cli.attacks.chain import KINDS, RESAMPLINGS, Attack, Chain, parse
from imuge_cli.errors import UsageError


def test_parse_reads_names_strengths_and_order() -> None:
    chain = parse(" jpeg:70 + scale-back:.7:lanczos+sharpen")
    assert chain.attacks == (
        Attack("jpeg", 70.0),
        Attack("scale-back", 0.7, "lanczos"),
        Attack("sharpen", 1.0),
    )
    assert str(chain) == "jpeg:70+scale-back:0.7:lanczos+sharpen:1"


@pytest.mark.parametrize("text", ["", "none", " none ", "none+none"])
def test_nothing_is_the_empty_chain(text: str) -> None:
    assert parse(text) == Chain()
    assert str(parse(text)) == "none"


def test_none_inside_a_chain_is_dropped() -> None:
    assert parse("none+blur:3") == Chain((Attack("blur", 3.0),))


@pytest.mark.parametrize("text", ["jepg:70", "jpeg:70+tilt:3", "jpeg:70+", "+"])
def test_unknown_names_are_answered_with_the_valid_ones(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    for name in KINDS:
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("jpeg:0", "from 1 to 100"),
        ("jpeg:101", "from 1 to 100"),
        ("jpeg:70.5", "a whole number"),
        ("jpeg", "needs a strength"),
        ("jpeg:high", "'high'"),
        ("blur:4", "an odd number"),
        ("crop:1.2", "share of the area"),
        ("noise:nan", "sigma in grey levels"),
        ("noise:-1", "from 0 to 100"),
        ("scale:0.5:magic", "lanczos"),
        ("jpeg:70:lanczos", "only scale and scale-back"),
        ("scale:0.5:area:3", "too many parts"),
    ],
)
def test_wrong_strengths_are_answered_with_the_range(text: str, told: str) -> None:
    with pytest.raises(UsageError, match="attack") as caught:
        parse(text)
    assert told in str(caught.value)


def test_attacks_and_chains_are_frozen_and_hashable() -> None:
    attack = Attack("blur", 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        attack.strength = 5  # type: ignore[misc]
    assert len({parse("jpeg:70"), parse("jpeg:70.0"), parse("jpeg:71")}) == 2


@pytest.mark.parametrize("name", list(KINDS))
def test_only_scalings_crops_and_turns_change_the_size(name: str) -> None:
    kind = KINDS[name]
    strength = kind.high if kind.default is None else kind.default
    assert Chain((Attack("none"), Attack(name, strength))).keeps_size == (name not in ("scale", "crop", "rotate"))


@st.composite
def attacks(draw: st.DrawFn) -> Attack:
    name = draw(st.sampled_from([name for name in KINDS if name != "none"]))
    kind = KINDS[name]
    if kind.whole:
        strength = float(draw(st.integers(int(kind.low), int(kind.high)).filter(kind.fits)))
    else:
        strength = round(draw(st.floats(kind.low, kind.high)), 3)
        strength = min(max(strength, kind.low), kind.high)
    resampling = draw(st.sampled_from(RESAMPLINGS)) if kind.resamples else "auto"
    return Attack(name, strength, resampling)


@given(st.lists(attacks(), max_size=4))
def test_every_chain_is_read_back_from_its_text(drawn: list[Attack]) -> None:
    chain = Chain(tuple(drawn))
    assert parse(str(chain)) == chain


def test_names_can_be_checked_without_loading_codecs() -> None:
    loaded = "any(name in sys.modules for name in ('cv2', 'numpy', 'PIL'))"
    code = f"import sys, imuge_cli.attacks.chain; sys.exit({loaded})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
