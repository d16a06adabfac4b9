"""The data symbols that a decoder goes by: those of all slots, or without the fine ones where these say nothing."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.layout import SLOT_COUNT
from imuge_cli.lattice.transform import FINE_SLOTS
from imuge_cli.models.lattice.carrier import FINE_GAIN, Carrier
from imuge_cli.models.lattice.channel import Noise, with_fine
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.payload.mixing import Mixing, MixingPair


@dataclass(frozen=True)
class DataSymbols:
    """D symbols a block: 12, or with the fine ones 36, of S slots: 14, or 38.

    received, stretch, leak: N x D x rows x columns, see `Reception`. slots: 1 x D x rows x columns, their numbers, and
    gains, the same shape, cells per standard deviation. halves, jitter: N x S. mixing, amplitude: see `Carrier`.
    noise: of S slots.
    """

    received: Tensor
    stretch: Tensor
    leak: Tensor
    slots: Tensor
    gains: Tensor
    halves: Tensor
    jitter: Tensor
    mixing: Mixing | MixingPair
    amplitude: float
    noise: Noise

    @classmethod
    def of(cls, carrier: Carrier, reception: Reception, noise: Noise) -> DataSymbols:
        """What arrived. noise: of the 14 slots."""
        coarse = cls(
            received=reception.data,
            stretch=reception.stretch,
            leak=reception.leak,
            slots=carrier.order[:, 2:],
            gains=carrier.gains,
            halves=reception.halves,
            jitter=reception.jitter,
            mixing=carrier.mixing,
            amplitude=carrier.amplitude,
            noise=noise,
        )
        fine, together = reception.fine, with_fine(noise, reception)
        if carrier.fine is None or fine is None or together is None:
            return coarse
        count = len(FINE_SLOTS)
        numbers = torch.arange(SLOT_COUNT, SLOT_COUNT + count, device=carrier.device).view(1, -1, 1, 1)
        numbers = numbers.expand(-1, -1, carrier.rows, carrier.columns)
        return cls(
            received=torch.cat([coarse.received, fine.data], 1),
            stretch=torch.cat([coarse.stretch, fine.stretch], 1),
            leak=torch.cat([coarse.leak, fine.leak], 1),
            slots=torch.cat([coarse.slots, numbers], 1),
            gains=torch.cat([coarse.gains, torch.full_like(numbers, FINE_GAIN, dtype=coarse.gains.dtype)], 1),
            # Where JPEG rounded so little that fine slots still say something its rounding is noise like any other.
            halves=functional.pad(coarse.halves, (0, count)),
            jitter=functional.pad(coarse.jitter, (0, count)),
            mixing=carrier.fine.mixing,
            amplitude=carrier.fine.amplitude,
            noise=together,
        )
