"""Immunized working pictures for tests."""

from __future__ import annotations

from torch import Tensor

from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.sender import describe, immunize_working, power_levels
from imuge_cli.networks.encoder import Encoder


def sent_with_levels(
    carrier: Carrier, rgb: Tensor, code: Tensor, step: float, encoder: Encoder | None = None
) -> tuple[Tensor, Tensor]:
    """The immunized pictures, not yet rounded, and their power levels."""
    symbols = describe(carrier, rgb, encoder)
    levels = power_levels(symbols)
    return immunize_working(carrier, rgb, code, symbols, levels, step), levels


def sent_picture(carrier: Carrier, rgb: Tensor, code: Tensor, step: float, encoder: Encoder | None = None) -> Tensor:
    """The immunized pictures alone."""
    return sent_with_levels(carrier, rgb, code, step, encoder)[0]
