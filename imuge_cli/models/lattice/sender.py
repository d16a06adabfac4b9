"""The sender: picture to symbols to lattice."""

from __future__ import annotations

import torch
from torch import Tensor

from imuge_cli.lattice.gates import FINE_CALM, activity, gates
from imuge_cli.lattice.layout import DATA_SLOTS
from imuge_cli.lattice.modulation import embed
from imuge_cli.lattice.template import template_residual
from imuge_cli.lattice.transform import FINE_SLOTS, SLOTS, luma
from imuge_cli.models.lattice.carrier import (
    FINE_GAIN,
    FINE_STEP,
    LEVEL_OCTAVES,
    LEVELS,
    MIDDLE_LEVEL,
    Carrier,
    scale_of,
)
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
    """The symbols of working pictures N x 3 x H x W (grey levels), N x outputs, in the model's standard deviations;
    those of fine slots last."""
    coefficients = coefficients_of(carrier, rgb, encoder)
    if carrier.fine is not None:
        return carrier.fine.mixing.forward(coefficients) / carrier.fine.amplitude
    return carrier.mixing.forward(coefficients) / carrier.amplitude


def power_levels(symbols: Tensor) -> Tensor:
    """The power level of each row of symbols, N x outputs: N, int64, see `carrier.scale_of`."""
    deviation = symbols.square().mean(1).sqrt().clamp_min(1e-6)
    return torch.round(torch.log2(deviation) / LEVEL_OCTAVES + MIDDLE_LEVEL).clamp(0, LEVELS - 1).long()


def immunize_working(
    carrier: Carrier, rgb: Tensor, code: Tensor, symbols: Tensor, levels: Tensor, step: float
) -> Tensor:
    """Immunized working pictures, N x 3 x H x W in grey levels, not yet rounded.

    rgb: grey levels. code: N x 264 header code bits. symbols: N x outputs, from `describe`. levels: N, from
    `power_levels`. step: the lattice step in grey levels.
    """
    chips = carrier.chip_phases(code)
    planes = symbols.view(len(rgb), -1, carrier.rows, carrier.columns) / scale_of(levels).view(-1, 1, 1, 1)
    data, fine = planes[:, :DATA_SLOTS], planes[:, DATA_SLOTS:]
    phases = torch.cat([torch.zeros_like(chips), chips, data * carrier.gains], 1)
    wanted = carrier.by_slot(phases) + carrier.dither
    active = activity(luma(rgb))
    # What finds the lattice and shows tampering is pulled all the way, in calm blocks too.
    whole = torch.ones_like(phases[:, :2])
    gate = carrier.by_slot(torch.cat([whole, gates(active).expand(-1, DATA_SLOTS, -1, -1)], 1))
    steps, slots = torch.full((len(SLOTS), 1, 1), step, device=rgb.device), SLOTS
    if carrier.fine is not None:
        wanted = torch.cat([wanted, fine * FINE_GAIN + carrier.fine.dither], 1)
        gate = torch.cat([gate, gates(active, FINE_CALM).expand(-1, len(FINE_SLOTS), -1, -1)], 1)
        steps = torch.cat([steps, torch.full((len(FINE_SLOTS), 1, 1), step * FINE_STEP, device=rgb.device)])
        slots = SLOTS + FINE_SLOTS
    # The template is fitted to what the lattice will have changed, and keeps out of its slots (but the fine ones); so
    # the lattice goes where it would have gone without.
    template = template_residual(luma(embed(rgb, wanted, steps, gate, slots)), carrier.template)
    return embed(rgb + template, wanted, steps, gate, slots)


def send(
    carrier: Carrier, rgb: Tensor, code: Tensor, step: float, encoder: Encoder | None = None
) -> tuple[Tensor, Tensor]:
    """Describe and immunize pictures under a code that does not tell their power levels: the pictures, and the levels.

    Shapes as in `immunize_working`.
    """
    symbols = describe(carrier, rgb, encoder)
    levels = power_levels(symbols)
    return immunize_working(carrier, rgb, code, symbols, levels, step), levels
