"""Suspects that were scaled by an unknown factor, cropped, mirrored, recompressed: what a person gets."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from photographs import photograph

from imuge_cli import Imuge
from imuge_cli.attacks.benign import apply, parse
from imuge_cli.benchmark.cases import in_frame
from imuge_cli.image.picture import Picture
from imuge_cli.lattice.placement import ORIENTATIONS
from imuge_cli.metrics.fidelity import local_psnr

MIRRORED = next(orientation for orientation in ORIENTATIONS if orientation.name == "mirrored")


@pytest.fixture(scope="module")
def engine() -> Imuge:
    return Imuge(device="cpu", exact=False)


@pytest.mark.parametrize(
    ("chain", "orientation"), [("crop:0.7+scale:0.8+jpeg:90", ORIENTATIONS[0]), ("scale:1.5", MIRRORED)], ids=str
)
def test_a_scaled_suspect_is_verified_and_recovered(engine: Imuge, chain: str, orientation: object) -> None:
    original = photograph("astronaut", 0, 0, 512, 512)
    sent = engine.immunize(Picture(pixels=original), image_id=77).picture.as_uint8()
    truth = np.zeros((512, 512), bool)
    truth[150:260, 200:300] = True
    tampered: NDArray[np.uint8] = np.where(truth[..., None], photograph("coffee", 0, 0, 400, 600)[:1, :1], sent)
    done = apply(parse(chain), tampered, np.random.default_rng(5))
    assert orientation in ORIENTATIONS
    turned = ORIENTATIONS[ORIENTATIONS.index(orientation)]
    suspect = Picture(pixels=turned.apply(done.image))
    marked, reference = turned.apply(done.follow(truth)), turned.apply(in_frame(original, done))
    found = engine.verify(suspect)
    assert found.verdict == "tampered" and found.image_id == 77 and found.synchronisation is not None
    place = found.synchronisation
    assert (place.offset_rows, place.offset_cols) == done.crop_box[:2]
    assert place.scale == pytest.approx(done.scale[0], rel=0.003)
    # A suspect of 342 pixels at JPEG 90: V marks more than it should around the true area.
    assert 2 * (found.mask & marked).sum() / (found.mask.sum() + marked.sum()) > 0.75
    assert (found.mask & marked).sum() > 0.95 * marked.sum()
    result = engine.recover(suspect, verification=found)
    back = result.picture.as_uint8()
    assert local_psnr(reference, back, marked) > 20
    assert (back[~result.mask] == suspect.as_uint8()[~result.mask]).all()
    whole = engine.recover(suspect, verification=found, restore_canvas=True).picture.as_uint8()
    assert whole.shape == original.shape
    assert local_psnr(original, whole, truth) > 20
