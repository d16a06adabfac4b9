"""`--model imuge` on the command line: networks a few channels wide and untrained, through files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from photographs import photograph
from PIL import Image
from running import run

from imuge_cli.checkpoints import save_weights
from imuge_cli.models.imuge.family import ImugeNetworks
from imuge_cli.networks.backbone import Style

SMALL = Style(width=8, convolutions=1, dilations=(1,))


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photograph, and weights for both models where the program looks for them."""
    torch.manual_seed(0)
    networks = ImugeNetworks(SMALL, SMALL, SMALL)
    # An untrained V that calls everything untouched.
    assert networks.verifier.leave.bias is not None
    torch.nn.init.constant_(networks.verifier.leave.bias, -4.0)
    save_weights(tmp_path / "weights", "imuge", networks.state_dict(), networks.config, {})
    monkeypatch.setenv("IMUGE_WEIGHTS", str(tmp_path / "weights"))
    path = tmp_path / "photo.png"
    Image.fromarray(photograph("astronaut", 0, 0, 200, 280)).save(path)
    return path


def test_a_file_is_immunized_verified_and_recovered(photo: Path, tmp_path: Path) -> None:
    ran = run("immunize", "--model", "imuge", "--json", photo)
    assert ran.code == 0, ran.err
    sent = photo.with_name("photo.immunized.bmp")
    # Bit for bit as published: the file itself says which model lies beneath, and no network is needed.
    ran = run("verify", "--json", sent)
    assert ran.code == 0, ran.err
    assert (ran.objects[0]["model"]["name"], ran.objects[0]["verification"]["verdict"]) == ("imuge", "exact")
    saved = tmp_path / "suspect.jpg"
    with Image.open(sent) as picture:
        picture.save(saved, quality=80)
    ran = run("verify", "--model", "imuge", saved)
    assert ran.code == 0 and "intact" in ran.out and "taken for immunized" in ran.out
    ran = run("verify", "--model", "imuge", "--json", saved)
    assert ran.objects[0]["verification"]["layer"] == "networks"
    mask = np.zeros((200, 280), np.uint8)
    mask[60:120, 90:190] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    ran = run("recover", "--model", "imuge", "--mask", tmp_path / "mask.png", saved)
    assert ran.code == 0, ran.err
    back = np.asarray(Image.open(tmp_path / "suspect.recovered.bmp"))
    before = np.asarray(Image.open(saved))
    assert (back[mask == 0] == before[mask == 0]).all() and (back[mask > 0] != before[mask > 0]).any()


def test_without_weights_the_model_is_refused_with_a_reason(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_weights(tmp_path / "others", "lattice", {"some": torch.zeros(1)}, {}, {})
    monkeypatch.setenv("IMUGE_WEIGHTS", str(tmp_path / "others"))
    ran = run("immunize", "--model", "imuge", photo)
    assert ran.code == 2 and "no weights for 'imuge'" in ran.err
    assert not photo.with_name("photo.immunized.bmp").exists()
    ran = run("verify", "--model", "imuge3", photo)
    assert ran.code == 2 and "imuge3" in ran.err
