"""The sender: picture to symbols to lattice."""

from __future__ import annotations

import torch
from torch import Tensor

from imuge_cli.lattice.modulation import embed
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.payload.source import analyse_source, sender_scale, to_grid


def describe(carrier: Carrier, rgb: Tensor) -> Tensor:
    """The symbols of working pictures N x 3 x H x W (grey levels), N x outputs, in standard deviations."""
    coefficients = analyse_source(to_grid(rgb, carrier.grid))
    return carrier.mixing.forward((coefficients / sender_scale(rgb.device)).flatten(1)) / carrier.amplitude


def immunize_working(carrier: Carrier, rgb: Tensor, code: Tensor, step: float) -> Tensor:
    """Immunized working pictures, N x 3 x H x W in grey levels, not yet rounded.

    rgb: grey levels. code: N x 264 header code bits. step: the lattice step in grey levels.
    """
    count = rgb.shape[0]
    symbols = describe(carrier, rgb).view(count, -1, carrier.rows, carrier.columns)
    pilots = rgb.new_zeros(count, 1, carrier.rows, carrier.columns)
    phases = torch.cat([pilots, carrier.chip_phases(code), symbols * carrier.gains], 1)
    wanted = carrier.by_slot(phases) + carrier.dither
    return embed(rgb, wanted, torch.tensor(step, device=rgb.device))
