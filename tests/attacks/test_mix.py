from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from imuge_cli.attacks.benign import apply
from imuge_cli.attacks.chain import parse
from imuge_cli.attacks.mix import DEFAULT_ENTRIES, TrainingMix
from imuge_cli.errors import UsageError


def test_every_draw_keeps_the_size_and_can_be_written_down(image: NDArray[np.uint8]) -> None:
    mix, rng = TrainingMix(), np.random.default_rng(0)
    for _ in range(80):
        chain = mix.draw(rng)
        assert chain.keeps_size
        assert apply(chain, image, rng).image.shape == image.shape
        assert [attack.name for attack in parse(str(chain)).attacks] == [a.name for a in chain.attacks]


def test_the_seed_decides() -> None:
    mix = TrainingMix()
    first = [mix.draw(np.random.default_rng(seed)) for seed in range(20)]
    again = [mix.draw(np.random.default_rng(seed)) for seed in range(20)]
    assert first == again
    assert len(set(first)) > 5


def test_draws_follow_the_weights() -> None:
    mix = TrainingMix((("none", 1), ("jpeg:70", 3), ("blur:3", 0), ("webp:80+jpeg:50", 4)))
    rng = np.random.default_rng(1)
    counts = Counter(str(mix.draw(rng)) for _ in range(4000))
    assert set(counts) == {"none", "jpeg:70", "webp:80+jpeg:50"}
    assert abs(counts["none"] / 4000 - 1 / 8) < 0.03
    assert abs(counts["jpeg:70"] / 4000 - 3 / 8) < 0.03


def test_ranges_are_drawn_whole_odd_or_smooth() -> None:
    rng = np.random.default_rng(2)
    qualities = {TrainingMix((("jpeg:45..97", 1),)).draw(rng).attacks[0].strength for _ in range(1500)}
    assert qualities == set(range(45, 98))
    kernels = {TrainingMix((("blur:3..7", 1),)).draw(rng).attacks[0].strength for _ in range(60)}
    assert kernels == {3, 5, 7}
    sigmas = [TrainingMix((("noise:1..13", 1),)).draw(rng).attacks[0].strength for _ in range(400)]
    assert min(sigmas) >= 1 and max(sigmas) <= 13 and min(sigmas) < 1.5 and max(sigmas) > 12.5
    resamplings = {TrainingMix((("scale-back:0.7:any", 1),)).draw(rng).attacks[0].resampling for _ in range(80)}
    assert {"area", "cubic", "lanczos"} <= resamplings
    assert TrainingMix((("scale-back:0.7:lanczos", 1),)).draw(rng) == parse("scale-back:0.7:lanczos")


def test_the_default_mix_holds_the_benchmark() -> None:
    mix = TrainingMix()
    wanted = {"none", "webp:80", "scale-back:0.5", "scale-back:0.7", "scale-back:1.5", "blur:3", "blur:5"}
    wanted |= {f"jpeg:{quality}" for quality in (95, 90, 80, 70, 60, 50)} | {"noise:5", "noise:12.75"}
    assert wanted <= set(mix.names)
    share = dict(DEFAULT_ENTRIES)["none"] / sum(mix.weights)
    assert 0.02 < share < 0.2


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ((), "at least one"),
        ((("jpeg:70", -1.0),), "weights"),
        ((("jpeg:70", 0.0),), "weights"),
        ((("crop:0.7", 1.0),), "size"),
        ((("jpeg:70+scale:0.7", 1.0),), "size"),
        ((("jpeg:97..45", 1.0),), "backwards"),
        ((("jpeg:70..", 1.0),), "needs a strength"),
        ((("jpeg:70:any", 1.0),), "does not resample"),
        ((("jepg:70", 1.0),), "valid: none, jpeg"),
        ((("jpeg:45..101", 1.0),), "from 1 to 100"),
    ],
)
def test_a_wrong_mix_is_refused_when_it_is_built(entries: tuple[tuple[str, float], ...], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        TrainingMix(entries)
