"""Immunized working pictures for tests."""

from __future__ import annotations

from torch import Tensor

from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.sender import send
from imuge_cli.networks.encoder import Encoder


def sent_picture(carrier: Carrier, rgb: Tensor, code: Tensor, step: float, encoder: Encoder | None = None) -> Tensor:
    """The immunized pictures alone."""
    return send(carrier, rgb, code, step, encoder)[0]
