from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from fake_engine import MARK, FakeEngine

from imuge_cli.cli import options
from imuge_cli.image.picture import Picture
from imuge_cli.image.write import write_picture

Maker = Callable[..., Path]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests, and an empty working directory."""
    for name in ("KEY_FILE", "MODEL", "STRENGTH", "DEVICE", "WEIGHTS", "FORMAT", "JOBS", "CONFIG", "DEBUG"):
        monkeypatch.delenv(f"IMUGE_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[FakeEngine]:
    """Replaces the engine; the list holds those that commands made."""
    made: list[FakeEngine] = []

    def make(settings: options.EngineSettings) -> Any:
        made.append(FakeEngine(settings))
        return made[-1]

    monkeypatch.setattr(options, "make_engine", make)
    return made


def pixels(seed: int = 0, height: int = 40, width: int = 60) -> NDArray[np.uint8]:
    """A picture without white."""
    return np.random.default_rng(seed).integers(60, 200, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def picture(tmp_path: Path) -> Maker:
    """Writes a picture that was never immunized."""

    def make(name: str = "photo.png", seed: int = 0) -> Path:
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(Picture(pixels=pixels(seed)), path, force=True)
        return Path(name)

    return make


@pytest.fixture
def suspect(tmp_path: Path) -> Maker:
    """Writes a picture that carries the fake engine's mark; box: rows and columns that are tampered with."""

    def make(name: str = "suspect.png", box: tuple[slice, slice] | None = None, seed: int = 0) -> Path:
        content = pixels(seed)
        content[:8, :8] = MARK
        if box is not None:
            content[box] = 255
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(Picture(pixels=content), path, force=True)
        return Path(name)

    return make
