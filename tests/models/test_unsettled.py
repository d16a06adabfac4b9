"""What recovery does where the decoder does not settle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from photographs import photograph

from imuge_cli import Imuge
from imuge_cli.image.picture import Picture
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.models.lattice.receiver import PERSISTENT, THOROUGH, Draft, Effort


@pytest.mark.parametrize(
    ("doubts", "efforts", "taken"),
    [
        ((0.1,), [THOROUGH], 0),
        ((0.5, 0.3), [THOROUGH, PERSISTENT], 1),
        ((0.5, 0.6), [THOROUGH, PERSISTENT], 0),
    ],
)
def test_the_draft_that_leaves_least_doubt_is_taken(
    doubts: tuple[float, ...], efforts: list[Effort], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Imuge(device="cpu")
    pixels = engine.immunize(Picture(pixels=photograph("coffee", 20, 60, 160, 176)), exact=False).picture.as_uint8()
    suspect = pixels.copy()
    suspect[40:80, 48:96] = 200
    verified = engine.verify(Picture(pixels=suspect))
    solve, asked, given = LatticeNetworks.solve, [], []

    def told(self: LatticeNetworks, *arguments: object, **options: object) -> Draft:
        number = len(asked)
        asked.append(arguments[3] if len(arguments) > 3 else THOROUGH)
        solution = solve(self, *arguments, **options)  # type: ignore[arg-type]
        given.append(replace(solution, doubt=torch.tensor([doubts[number]])))
        return given[-1]

    seen = []
    window = LatticeNetworks.recover_window

    def looked(self: LatticeNetworks, *arguments: object) -> torch.Tensor:
        seen.append(arguments[2])
        return window(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(LatticeNetworks, "solve", told)
    monkeypatch.setattr(LatticeNetworks, "recover_window", looked)
    recovered = engine.recover(Picture(pixels=suspect), verification=verified)
    assert asked == efforts and len(seen) == 1 and seen[0] is given[taken]
    assert np.any(recovered.picture.as_uint8() != suspect)
