"""The paper's networks, a few channels wide."""

from __future__ import annotations

import pytest

from imuge_cli.models.imuge.family import ImugeNetworks
from imuge_cli.networks.backbone import Style
from imuge_cli.networks.progressive import ProgressiveDiscriminator
from imuge_cli.training import imuge_run, imuge_state
from imuge_cli.training.imuge_scenes import Figures

SMALL = Style(width=8, convolutions=1, dilations=(1,))


class SmallNetworks(ImugeNetworks):
    def __init__(
        self,
        encoder: Style = SMALL,
        verifier: Style = SMALL,
        recoverer: Style = SMALL,
        shared_levels: tuple[int, ...] = (0, 1),
    ) -> None:
        super().__init__(encoder, verifier, recoverer, shared_levels)


def train_small_ones(patch: pytest.MonkeyPatch, *, measured: bool = False) -> None:
    """Let training make such networks; without validation, which costs more than a run of a few steps."""
    patch.setattr(imuge_run, "ImugeNetworks", SmallNetworks)
    patch.setattr(imuge_state, "ProgressiveDiscriminator", lambda: ProgressiveDiscriminator((4, 4, 8, 8)))
    if not measured:
        patch.setattr(imuge_run, "validate", lambda *_: Figures(33.0, {"none": 0.5}, {"none": 20.0}))
