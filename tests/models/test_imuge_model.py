"""The paper's system behind the protocol: sizes, depths, and that only the mask's pixels change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from photographs import photograph

from imuge_cli import Imuge
from imuge_cli.checkpoints import save_weights
from imuge_cli.errors import InputError, UsageError, WeightsError
from imuge_cli.image.picture import Picture
from imuge_cli.models.imuge.family import ImugeNetworks
from imuge_cli.models.imuge.model import ImugeModel, equivalent_size
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.networks.backbone import Style

SMALL = Style(width=8, convolutions=1, dilations=(1,))


def networks() -> ImugeNetworks:
    torch.manual_seed(0)
    made = ImugeNetworks(SMALL, SMALL, SMALL)
    torch.nn.init.normal_(made.encoder.leave.weight, std=0.02)
    return made


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    made = networks()
    save_weights(folder, "imuge", made.state_dict(), made.config, {})
    return folder


@pytest.fixture(scope="module")
def engine(weights: Path) -> Imuge:
    return Imuge(model="imuge", weights=weights, device="cpu", exact=False)


def test_large_pictures_are_seen_as_256_pixels_squared() -> None:
    assert equivalent_size(256, 256) == (256, 256)
    assert equivalent_size(131, 210) == (131, 210)
    for height, width in ((512, 512), (512, 768), (3000, 4000), (400, 3000)):
        rows, columns = equivalent_size(height, width)
        assert rows % 16 == columns % 16 == 0
        assert rows * columns == pytest.approx(256 * 256, rel=0.15)
        assert rows / columns == pytest.approx(height / width, rel=0.15)


@pytest.mark.parametrize("shape", [(256, 256), (131, 210), (300, 500)])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_immunized_pictures_have_e_s_residual_at_every_size(shape: tuple[int, int], depth: type) -> None:
    pixels = photograph("astronaut", 0, 0, *shape).astype(depth) * (257 if depth is np.uint16 else 1)
    model = ImugeModel(networks(), torch.device("cpu"), None)
    sent = model.immunize(pixels, None)  # type: ignore[arg-type]
    assert sent.pixels.dtype == depth and sent.pixels.shape == pixels.shape
    assert sent.working_size == equivalent_size(*shape)
    moved = (sent.pixels.astype(float) - pixels) / (257 if depth is np.uint16 else 1)
    assert 0.2 < np.abs(moved).mean() < 12
    with pytest.raises(InputError, match="128"):
        model.immunize(pixels[:100], None)  # type: ignore[arg-type]


def test_verify_gives_a_verdict_and_says_that_nothing_was_found(engine: Imuge) -> None:
    suspect = Picture(pixels=photograph("coffee", 0, 0, 300, 420))
    found = engine.verify(suspect)
    assert found.verdict in ("intact", "tampered")
    assert found.model == "imuge" and found.synchronisation is None and found.image_id is None
    assert found.probability.shape == found.mask.shape == (300, 420)
    assert found.probability.min() >= 0 and found.probability.max() <= 1


def test_recover_replaces_the_mask_and_nothing_else(engine: Imuge) -> None:
    suspect = Picture(pixels=photograph("coffee", 0, 0, 300, 420))
    mask = np.zeros((300, 420), bool)
    mask[50:120, 200:300] = True
    result = engine.recover(suspect, mask=mask)
    back = result.picture.as_uint8()
    assert (back[~mask] == suspect.pixels[~mask]).all()
    assert (back[mask] != suspect.pixels[mask]).mean() > 0.9
    assert result.information is None


def test_what_was_replaced_has_no_part_in_what_comes_back(engine: Imuge) -> None:
    pixels = photograph("astronaut", 0, 0, 256, 256)
    mask = np.zeros((256, 256), bool)
    mask[64:128, 64:160] = True
    painted = pixels.copy()
    painted[mask] = 7
    one, two = (engine.recover(Picture(pixels=p), mask=mask).picture.as_uint8() for p in (pixels, painted))
    np.testing.assert_array_equal(one, two)


def test_a_file_names_the_model_it_was_immunized_with(
    weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An exact layer over the paper's model: another engine finds which it was, and lets its R draw what is lost."""
    for file in weights.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    lattice = LatticeNetworks((8, 12, 16), (8, 8, 12, 16))
    save_weights(tmp_path, "lattice", lattice.state_dict(), lattice.config, {})
    monkeypatch.setenv("IMUGE_WEIGHTS", str(tmp_path))
    sender = Imuge(model="imuge", device="cpu")
    sent = sender.immunize(Picture(pixels=photograph("astronaut", 0, 0, 256, 256)), image_id=9).picture.pixels
    receiver = Imuge(device="cpu")
    found = receiver.verify(Picture(pixels=sent))
    assert (found.verdict, found.model, found.image_id, found.layer) == ("exact", "imuge", 9, "exact")
    assert found.weights_sha256 is None
    changed = sent.copy()
    changed[:200] = photograph("coffee", 0, 0, 200, 256)
    found = receiver.verify(Picture(pixels=changed))
    assert (found.verdict, found.model, found.layer) == ("tampered", "imuge", "exact")
    assert found.tiles is not None and found.tiles.lost > 0
    result = receiver.recover(Picture(pixels=changed), verification=found)
    again = sender.recover(Picture(pixels=changed))
    np.testing.assert_array_equal(result.picture.pixels, again.picture.pixels)


def test_models_and_weights_that_are_not_there_are_named(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(UsageError, match="lattice, imuge"):
        Imuge(model="imuge_plus", device="cpu")
    with pytest.raises(UsageError, match="only model 'lattice' has strengths"):
        Imuge(model="imuge", weights=weights, strength="strong")
    with pytest.raises(WeightsError, match="no weights for 'lattice'"):
        Imuge(model="lattice", weights=weights, device="cpu")
