from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import features

from imuge_cli.attacks.benign import Attack, Chain, apply, parse
from imuge_cli.attacks.mix import TrainingMix
from imuge_cli.errors import UsageError

U8 = NDArray[np.uint8]

EVERY = [
    "none",
    "jpeg:70",
    "webp:80",
    "scale:0.7",
    "scale:1.5:lanczos",
    "scale-back:0.5",
    "crop:0.7",
    "rotate:3",
    "blur:5",
    "noise:5",
    "brightness:1.1",
    "contrast:0.9",
    "saturation:1.1",
    "gamma:0.9",
    "sharpen",
    "jpeg:70+scale-back:0.7",
    "jpeg:80+crop:0.7",
    "crop:0.9+rotate:-2+scale:0.8",
]


def _psnr(a: U8, b: U8) -> float:
    error = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _run(text: str, image: U8, seed: int = 0) -> U8:
    return apply(parse(text), image, np.random.default_rng(seed)).image


@pytest.mark.parametrize("text", EVERY)
def test_shape_type_seed_and_input_kept(text: str, image: U8) -> None:
    before = image.copy()
    chain = parse(text)
    first = apply(chain, image, np.random.default_rng(3))
    again = apply(chain, image, np.random.default_rng(3))
    assert first.image.dtype == np.uint8
    assert first.image.ndim == 3 and first.image.shape[2] == 3
    assert np.array_equal(first.image, again.image)
    assert (first.crop_box, first.scale) == (again.crop_box, again.scale)
    assert np.array_equal(image, before)
    assert not np.shares_memory(first.image, image)
    assert first.image.flags.writeable
    assert (first.image.shape == image.shape) == chain.keeps_size
    if chain.keeps_size:
        assert first.crop_box == (0, 0, 96, 128)
        assert first.scale == (1.0, 1.0)
    if chain.attacks:
        assert first.image.shape != image.shape or _psnr(first.image, image) < 60


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_higher_quality_loses_less(name: str, image: U8) -> None:
    figures = [_psnr(_run(f"{name}:{quality}", image), image) for quality in (20, 50, 70, 90, 98)]
    assert figures == sorted(figures)
    assert figures[-1] - figures[0] > 5


def test_avif_is_lossy_and_ordered_or_refused_by_name(image: U8) -> None:
    if not features.check("avif"):
        with pytest.raises(UsageError, match="avif"):
            _run("avif:60", image)
        return
    assert 15 < _psnr(_run("avif:20", image), image) < _psnr(_run("avif:90", image), image) < 60


def test_codecs_keep_the_colour_channels_apart() -> None:
    red = np.zeros((64, 64, 3), dtype=np.uint8)
    red[..., 0] = 220
    for text in ("jpeg:90", "webp:90", "noise:1", "scale-back:0.5", "saturation:0.9", "sharpen"):
        mean = _run(text, red).reshape(-1, 3).mean(axis=0)
        assert mean[0] > 150 and mean[1] < 40 and mean[2] < 40, text


@pytest.mark.parametrize("sigma", [1.0, 5.0, 12.75])
def test_noise_has_the_sigma_asked_for(sigma: float) -> None:
    grey = np.full((200, 200, 3), 128, dtype=np.uint8)
    out = _run(f"noise:{sigma}", grey).astype(float) - 128
    expected = math.sqrt(sigma**2 + 1 / 12)  # rounding to grey levels adds its own
    assert abs(out.std() - expected) < 0.02 * expected
    assert abs(out.mean()) < 0.1
    assert abs(np.corrcoef(out[..., 0].ravel(), out[..., 1].ravel())[0, 1]) < 0.03
    assert not np.array_equal(_run(f"noise:{sigma}", grey, 1), _run(f"noise:{sigma}", grey, 2))


@pytest.mark.parametrize("share", [0.9, 0.7, 0.5, 0.1])
def test_crop_keeps_the_share_the_aspect_and_the_pixels(share: float, image: U8) -> None:
    places = set()
    for seed in range(12):
        out = apply(parse(f"crop:{share}"), image, np.random.default_rng(seed))
        top, left, height, width = out.crop_box
        assert out.image.shape == (height, width, 3)
        assert np.array_equal(out.image, image[top : top + height, left : left + width])
        assert abs(height * width / (96 * 128) - share) < 0.015
        assert abs(height / width - 96 / 128) < 0.03
        assert out.scale == (1.0, 1.0)
        places.add((top, left))
    assert len(places) > 3


def test_scale_sizes_and_factors(image: U8) -> None:
    out = apply(parse("scale:0.7"), image, np.random.default_rng(0))
    assert out.image.shape == (67, 90, 3)
    assert out.scale == (67 / 96, 90 / 128)
    assert out.crop_box == (0, 0, 96, 128)


def test_scaling_by_half_is_the_mean_of_four_pixels(image: U8) -> None:
    mean = image.reshape(48, 2, 64, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(_run("scale:0.5", image) - mean).max() <= 0.5 + 1e-6


def test_scaling_back_loses_more_the_smaller_and_resamplings_differ(image: U8) -> None:
    figures = [_psnr(_run(f"scale-back:{factor}", image), image) for factor in (0.3, 0.5, 0.7, 1.5)]
    assert figures == sorted(figures)
    outputs = [_run(f"scale-back:0.6:{name}", image) for name in ("area", "linear", "cubic", "bicubic", "lanczos")]
    for index, output in enumerate(outputs):
        assert all(not np.array_equal(output, other) for other in outputs[:index])
        assert abs(output.astype(float).mean() - image.mean()) < 1.5
    assert np.array_equal(_run("scale:1.5", image), _run("scale:1.5:cubic", image))
    assert np.array_equal(_run("scale:0.6", image), _run("scale:0.6:area", image))


def test_blur_equals_the_binomial_kernels_by_hand() -> None:
    image = np.zeros((15, 15, 3), dtype=np.uint8)
    image[7, 7] = 255
    for kernel, taps in ((3, [1, 2, 1]), (5, [1, 4, 6, 4, 1])):
        expected = np.zeros((15, 15))
        half = kernel // 2
        expected[7 - half : 8 + half, 7 - half : 8 + half] = 255 * np.outer(taps, taps) / sum(taps) ** 2
        assert np.abs(_run(f"blur:{kernel}", image)[..., 1] - expected).max() <= 0.5


def test_wider_blurs_lose_more(image: U8) -> None:
    figures = [_psnr(_run(f"blur:{kernel}", image), image) for kernel in (3, 5, 9, 15)]
    assert figures == sorted(figures, reverse=True)


def test_levels_follow_their_formulas(image: U8) -> None:
    x = image.astype(float)
    luma = x @ np.array([0.299, 0.587, 0.114])
    grey = luma[..., None]
    cases = {
        "brightness:1.1": 1.1 * x,
        "brightness:0.9": 0.9 * x,
        "gamma:0.9": 255 * (x / 255) ** 0.9,
        "gamma:1.1": 255 * (x / 255) ** 1.1,
        "contrast:1.1": luma.mean() + 1.1 * (x - luma.mean()),
        "contrast:0.9": luma.mean() + 0.9 * (x - luma.mean()),
        "saturation:1.1": grey + 1.1 * (x - grey),
        "saturation:0.9": grey + 0.9 * (x - grey),
    }
    for text, expected in cases.items():
        assert np.abs(_run(text, image) - np.clip(expected, 0, 255)).max() <= 1.0, text


def test_sharpening_raises_the_slopes(image: U8) -> None:
    def slopes(picture: U8) -> float:
        return float(np.abs(np.diff(picture.astype(float), axis=1)).mean())

    values = [slopes(_run(f"sharpen:{amount}", image)) for amount in (0, 0.5, 1.0, 2.0)]
    assert values == sorted(values)
    assert values[2] > 1.2 * values[0]
    assert np.array_equal(_run("sharpen:0", image), image)


def test_a_chain_is_its_attacks_one_after_the_other(image: U8) -> None:
    rng = np.random.default_rng(4)
    step = apply(parse("noise:5"), image, rng).image
    step = apply(parse("jpeg:70"), step, rng).image
    assert np.array_equal(step, _run("noise:5+jpeg:70", image, 4))
    assert not np.array_equal(step, _run("jpeg:70+noise:5", image, 4))


@settings(max_examples=60)
@given(
    steps=st.lists(st.sampled_from(["crop:0.6", "crop:0.9", "scale:0.7", "scale:1.6"]), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
)
def test_the_frame_says_where_every_pixel_came_from(steps: list[str], seed: int) -> None:
    """Red is the row and green the column: the output shows where it came from."""
    rows, cols = np.meshgrid(np.arange(150), np.arange(220), indexing="ij")
    image = np.stack([rows, cols, rows], axis=2).astype(np.uint8)
    out = apply(parse("+".join(steps)), image, np.random.default_rng(seed))
    top, left, height, width = out.crop_box
    assert top >= 0 and top + height <= 150 and left >= 0 and left + width <= 220
    y, x = out.image.shape[0] // 2, out.image.shape[1] // 2
    red, green = (float(level) for level in out.image[y, x, :2])
    # in the input's pixels: half a grey level, half a pixel of the rounded box, and the resampling's ripple
    assert abs(red + 0.5 - top - (y + 0.5) / out.scale[0]) < 1.3
    assert abs(green + 0.5 - left - (x + 0.5) / out.scale[1]) < 1.3
    assert abs(out.image.shape[0] / height - out.scale[0]) < 0.05


def test_a_mask_follows_the_attack(image: U8) -> None:
    mask = np.zeros((96, 128), dtype=bool)
    mask[30:60, 40:80] = True
    marked = np.where(mask[..., None], np.uint8(255), np.uint8(0)).repeat(3, axis=2)
    for text in ("none", "crop:0.7", "scale:0.5", "scale:1.5", "crop:0.8+scale:0.7", "scale:0.7+crop:0.8"):
        out = apply(parse(text), marked, np.random.default_rng(1))
        followed = out.follow(mask)
        assert followed.shape == out.image.shape[:2]
        assert (followed != (out.image[..., 0] > 127)).mean() < 0.03, text
    with pytest.raises(ValueError, match="mask"):
        apply(parse("none"), image, np.random.default_rng(0)).follow(mask[:50])


def test_wrong_pictures_are_refused(image: U8) -> None:
    for wrong in (image[..., 0], image.astype(np.float32), image[..., :2]):
        with pytest.raises(ValueError, match="uint8"):
            apply(parse("blur:3"), wrong, np.random.default_rng(0))  # type: ignore[arg-type]


def test_views_and_foreign_strides_are_welcome(image: U8) -> None:
    flipped = image[:, ::-1]
    for text in EVERY:
        expected = apply(parse(text), flipped.copy(), np.random.default_rng(1)).image
        assert np.array_equal(apply(parse(text), flipped, np.random.default_rng(1)).image, expected), text


def test_threads_do_not_disturb_each_other(image: U8) -> None:
    mix = TrainingMix()

    def work(seed: int) -> U8:
        rng = np.random.default_rng(seed)
        return apply(mix.draw(rng), image, rng).image

    alone = [work(seed) for seed in range(40)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, range(40)))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_attack_none_does_nothing(image: U8) -> None:
    out = apply(Chain((Attack("none"),)), image, np.random.default_rng(0))
    assert np.array_equal(out.image, image)
