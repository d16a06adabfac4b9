"""The bundled weights of the paper's system do what their model card says, little as that is."""

from __future__ import annotations

import numpy as np
import pytest
from photographs import photograph

from imuge_cli import Imuge
from imuge_cli.image.picture import Picture
from imuge_cli.metrics.fidelity import local_psnr, psnr
from imuge_cli.metrics.localization import confusion

SQUARE = (slice(64, 144), slice(80, 160))


@pytest.fixture(scope="module")
def engine() -> Imuge:
    return Imuge(model="imuge", device="cpu", exact=False)


def test_immunizing_is_as_visible_as_the_paper_says(engine: Imuge) -> None:
    for name, top, left in (("astronaut", 0, 128), ("coffee", 60, 200), ("chelsea", 20, 100)):
        original = photograph(name, top, left)
        sent = engine.immunize(Picture(pixels=original)).picture.as_uint8()
        assert 33 < psnr(original, sent) < 45


def test_foreign_content_is_found_and_something_nearer_put_in_its_place(engine: Imuge) -> None:
    original = photograph("astronaut", 0, 128)
    suspect = engine.immunize(Picture(pixels=original)).picture.as_uint8()
    suspect[SQUARE] = photograph("coffee", 60, 200)[SQUARE]
    truth = np.zeros((256, 256), bool)
    truth[SQUARE] = True
    found = engine.verify(Picture(pixels=suspect))
    assert (found.verdict, found.layer) == ("tampered", "networks")
    assert confusion(found.mask, truth).f1 > 0.5
    back = engine.recover(Picture(pixels=suspect), mask=truth).picture.as_uint8()
    assert local_psnr(original, back, truth) > local_psnr(original, suspect, truth) + 1
