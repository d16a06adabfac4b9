from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from imuge_cli.image.picture import Picture
from imuge_cli.image.write import write_picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three pictures of 48 x 64 and 64 x 48 pixels with nothing in common."""
    folder = tmp_path / "photos"
    for number in range(3):
        size = (48, 64, 3) if number else (64, 48, 3)
        pixels = np.random.default_rng(number).integers(20, 230, size, dtype=np.uint8)
        write_picture(Picture(pixels=pixels), folder / f"photo{number}.png")
    return folder
