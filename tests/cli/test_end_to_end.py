"""The command line over the real engine: files in, files out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from skimage import data

import imuge_cli
from imuge_cli.checkpoints import find_weights
from imuge_cli.errors import WeightsError
from imuge_cli.image.picture import Picture
from imuge_cli.image.write import write_picture


def _missing() -> str | None:
    if find_spec("imuge_cli.api") is None:
        return "the engine is not part of this checkout"
    try:
        find_weights()
    except WeightsError as error:
        return str(error)
    return None


pytestmark = [pytest.mark.slow, pytest.mark.skipif(_missing() is not None, reason=str(_missing()))]


def imuge(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(Path(imuge_cli.__file__).parents[1])}
    command = [sys.executable, "-m", "imuge_cli", *(str(argument) for argument in arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert "Traceback" not in finished.stderr
    return finished


def test_the_whole_way_through_files() -> None:
    write_picture(Picture(pixels=data.astronaut()[:256, 100:356]), Path("photo.png"))
    assert imuge("keygen", "owner.key").returncode == 0
    assert imuge("verify", "photo.png").returncode == 3
    made = imuge("immunize", "photo.png", "--key-file", "owner.key", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["immunization"]["psnr"] > 35
    assert imuge("verify", "photo.immunized.bmp", "--key-file", "owner.key").returncode == 0
    assert imuge("verify", "photo.immunized.bmp").returncode == 3
    attacked = imuge(
        "attack",
        "photo.immunized.bmp",
        "bad.jpg",
        "--tamper",
        "splice",
        "--mask-shape",
        "box",
        "--jpeg",
        80,
        "--seed",
        2,
    )
    assert attacked.returncode == 0, attacked.stderr
    found = imuge("verify", "bad.jpg", "--key-file", "owner.key", "--mask-out", "--heatmap-out", "--json")
    assert found.returncode == 1, found.stderr
    report = json.loads(found.stdout)
    assert report["verification"]["verdict"] == "tampered" and report["key"]["kind"] == "secret"
    assert Path("bad.mask.png").exists() and Path("bad.heatmap.png").exists()
    recovered = imuge("recover", "bad.jpg", "--key-file", "owner.key", "--reference", "photo.png", "--json")
    assert recovered.returncode == 0, recovered.stderr
    assert json.loads(recovered.stdout)["reference"]["local_psnr"] > 15
    assert Path("bad.recovered.bmp").exists()


def test_the_demonstration() -> None:
    finished = imuge("demo", "d", "--json")
    assert finished.returncode == 0, finished.stderr
    figures = json.loads(finished.stdout)
    assert figures["verdict"] == "tampered"
    assert figures["mask_f1"] > 0.5
    assert figures["recovered_local_psnr"] > figures["suspect_local_psnr"]
