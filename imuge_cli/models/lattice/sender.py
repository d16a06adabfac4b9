"""The sender: picture to symbols to lattice."""

from __future__ import annotations

import torch
from torch import Tensor

from imuge_cli.lattice.modulation import embed
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.networks.encoder import Encoder
from imuge_cli.payload.source import analyse_source, model_variance, sender_scale, to_grid


def coefficients_of(carrier: Carrier, rgb: Tensor, encoder: Encoder | None = None) -> Tensor:
    """What is sent of working pictures N x 3 x H x W (grey levels): N x grid.size, in the sender's units.

    Linear (way A); an encoder, where one was trained, adds its corrections (way C).
    """
    picture = to_grid(rgb, carrier.grid)
    scale = sender_scale(rgb.device)
    units = analyse_source(picture) / scale
    if encoder is not None:
        units = units + encoder(picture / 255) * model_variance(rgb.device).sqrt() / scale
    return units.flatten(1)


def describe(carrier: Carrier, rgb: Tensor, encoder: Encoder | None = None) -> Tensor:
    """The symbols of working pictures N x 3 x H x W (grey levels), N x outputs, in standard deviations."""
    return carrier.mixing.forward(coefficients_of(carrier, rgb, encoder)) / carrier.amplitude


def immunize_working(
    carrier: Carrier, rgb: Tensor, code: Tensor, step: float, encoder: Encoder | None = None
) -> Tensor:
    """Immunized working pictures, N x 3 x H x W in grey levels, not yet rounded.

    rgb: grey levels. code: N x 264 header code bits. step: the lattice step in grey levels.
    """
    count = rgb.shape[0]
    symbols = describe(carrier, rgb, encoder).view(count, -1, carrier.rows, carrier.columns)
    pilots = rgb.new_zeros(count, 1, carrier.rows, carrier.columns)
    phases = torch.cat([pilots, carrier.chip_phases(code), symbols * carrier.gains], 1)
    wanted = carrier.by_slot(phases) + carrier.dither
    return embed(rgb, wanted, torch.tensor(step, device=rgb.device))
