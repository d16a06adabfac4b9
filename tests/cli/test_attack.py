from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from running import run

from imuge_cli.image.read import read_mask, read_picture

Maker = Callable[..., Path]


def test_tampers_inside_the_true_mask_only(picture: Maker) -> None:
    ran = run("attack", picture(), "out.png", "--tamper", "splice", "--share", "0.2", "--mask-shape", "box")
    assert ran.code == 0 and "out.truth.png" in ran.out
    truth = read_mask(Path("out.truth.png"))
    before, after = read_picture(Path("photo.png")).pixels, read_picture(Path("out.png")).pixels
    assert 0.18 <= truth.mean() <= 0.22
    assert np.array_equal(before[~truth], after[~truth])
    assert (before[truth] != after[truth]).any(axis=1).mean() > 0.9


def test_the_same_seed_gives_the_same_files(picture: Maker) -> None:
    for name, seed in (("a.png", 3), ("b.png", 3), ("c.png", 4)):
        run("attack", picture(), name, "--tamper", "paste", "--noise", "5", "--seed", seed, "--force")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert Path("a.truth.png").read_bytes() == Path("b.truth.png").read_bytes()
    assert Path("a.png").read_bytes() != Path("c.png").read_bytes()


def test_a_final_jpeg_is_what_is_written_not_compressed_again(picture: Maker) -> None:
    assert run("attack", picture(), "out.jpg", "--jpeg", "40").code == 0
    bgr = cv2.cvtColor(read_picture(Path("photo.png")).pixels, cv2.COLOR_RGB2BGR)
    assert Path("out.jpg").read_bytes() == cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 40])[1].tobytes()
    assert run("attack", "photo.png", "decoded.png", "--jpeg", "40").code == 0
    decoded = cv2.cvtColor(cv2.imread("out.jpg"), cv2.COLOR_BGR2RGB)
    assert np.array_equal(read_picture(Path("decoded.png")).pixels, decoded)


def test_a_jpeg_without_that_attack_has_quality_95(picture: Maker) -> None:
    assert run("attack", picture(), "out.jpg").code == 0
    bgr = cv2.cvtColor(read_picture(Path("photo.png")).pixels, cv2.COLOR_RGB2BGR)
    assert Path("out.jpg").read_bytes() == cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    assert not read_mask(Path("out.truth.png")).any()


def test_a_final_webp_is_what_is_written(picture: Maker) -> None:
    assert run("attack", picture(), "out.webp", "--webp", "50").code == 0
    assert run("attack", "photo.png", "decoded.png", "--webp", "50").code == 0
    assert np.array_equal(read_picture(Path("out.webp")).pixels, read_picture(Path("decoded.png")).pixels)
    assert Path("out.webp").stat().st_size < Path("decoded.png").stat().st_size / 2


def test_options_come_in_their_order_and_the_chain_last(picture: Maker) -> None:
    ran = run(
        "attack",
        picture(),
        "out.png",
        "--jpeg",
        "80",
        "--crop",
        "0.5",
        "--scale",
        "2",
        "--chain",
        "blur:3",
        "--json",
    )
    (told,) = ran.objects
    assert told["chain"] == "crop:0.5+scale:2+jpeg:80+blur:3"
    assert told["schema"] == "imuge.attack/1"
    assert abs(told["height"] * told["width"] / (40 * 60 * 0.5 * 4) - 1) < 0.1
    assert read_mask(Path("out.truth.png")).shape == (told["height"], told["width"])


def test_the_truth_follows_a_crop(picture: Maker) -> None:
    run("attack", picture(), "whole.png", "--tamper", "colour", "--seed", "5")
    run("attack", "photo.png", "part.png", "--tamper", "colour", "--seed", "5", "--chain", "crop:0.5")
    whole, part = read_picture(Path("whole.png")).pixels, read_picture(Path("part.png")).pixels
    truth, part_truth = read_mask(Path("whole.truth.png")), read_mask(Path("part.truth.png"))
    height, width = part.shape[:2]
    places = [
        (top, left)
        for top in range(41 - height)
        for left in range(61 - width)
        if np.array_equal(whole[top : top + height, left : left + width], part)
    ]
    assert len(places) == 1
    top, left = places[0]
    assert np.array_equal(truth[top : top + height, left : left + width], part_truth)


def test_the_donor_is_what_splicing_takes_from(picture: Maker) -> None:
    picture("donor.png", 9)
    run("attack", picture(), "out.png", "--tamper", "splice", "--donor", "donor.png")
    truth = read_mask(Path("out.truth.png"))
    assert np.array_equal(read_picture(Path("out.png")).pixels[truth], read_picture(Path("donor.png")).pixels[truth])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("out.png", "--tamper", "magic"), "splice"),
        (("out.xyz",), "out.xyz"),
        (("photo.png", "--force"), "three different"),
        (("out.png", "--mask-out", "out.png"), "three different"),
        (("out.png", "--chain", "fog:3"), "fog"),
        (("out.png", "--blur", "4"), "odd"),
        (("out.png", "--donor", "missing.png", "--tamper", "splice"), "missing.png"),
        (("-", "--json"), "--json"),
    ],
)
def test_mistakes_are_found_and_nothing_is_written(picture: Maker, arguments: tuple[str, ...], words: str) -> None:
    before = picture().read_bytes()
    ran = run("attack", "photo.png", *arguments)
    assert ran.code == 2 and words in ran.err
    assert [path.name for path in Path().iterdir()] == ["photo.png"]
    assert Path("photo.png").read_bytes() == before


def test_existing_files_are_kept_without_force(picture: Maker) -> None:
    Path("out.truth.png").write_bytes(b"precious")
    assert run("attack", picture(), "out.png").code == 2
    assert not Path("out.png").exists()
    assert run("attack", "photo.png", "out.png", "--force").code == 0


def test_stdin_to_stdout_is_a_png(picture: Maker) -> None:
    ran = run("attack", "-", "-", "--tamper", "colour", "--mask-out", "m.png", stdin=picture().read_bytes())
    assert ran.code == 0
    after = read_picture(BytesIO(ran.raw))
    truth = read_mask(Path("m.png"))
    assert after.source_format == "png"
    assert np.array_equal(after.pixels[~truth], read_picture(Path("photo.png")).pixels[~truth])
