"""How well symbols agree with a picture's levels, and by how much and of what colour these are off, on the whole and by
source block."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.transform import BLOCK
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.evidence import block_probability, block_weight, guess
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.payload.source import SOURCE_BLOCK, analyse_source, sender_scale

# Red, green and blue.
Colour = tuple[float, float, float]
GREY: Colour = (1.0, 1.0, 1.0)
# Grey levels: as far, and as finely, as an offset is looked for.
_FARTHEST, COARSE = 64.0, 2.0
# Where symbols agree by less (mean cosine) they tell nothing.
LEAST_COSINE = 0.1
# As many symbols tell it as well as all do.
_ENOUGH = 1 << 15
# Offsets that are tried together: more take megabytes.
_TOGETHER = 8


@dataclass(frozen=True)
class Offset:
    """offset: what to add to the picture for symbols to fit best, grey levels. agreement: how well they do then, and
    better: by how much better than with means where they are, standard deviations."""

    offset: float
    agreement: float
    better: float


class Symbols:
    """What symbols say of the levels of one picture (N = 1).

    Symbols are linear in levels: of a picture that is moved by as much everywhere nothing has to be worked out anew.
    """

    def __init__(self, carrier: Carrier, reception: Reception, probability: Tensor, more: Tensor) -> None:
        """probability: 1 x 1 x H x W, that a pixel was tampered with. more: see `channels_more`."""
        trust, _, described = _described(carrier, reception, probability)
        chosen = slice(None, None, -(-carrier.mixing.outputs // _ENOUGH))
        off, self._weight = (t.expand_as(described).flatten(1)[:, chosen] for t in (reception.data - described, trust))
        self._off, self._more = off, more / reception.scale
        self._deviation = math.sqrt(max(float(self._weight.square().sum()) / 2, 1.0))

    def agreement(self, shifts: Tensor) -> Tensor:
        """How well symbols agree with the picture, moved by each of some shifts (M x 3, grey levels by channel): M,
        standard deviations."""
        total = torch.cat(
            [
                (torch.cos(2 * math.pi * (self._off - some @ self._more)) * self._weight).sum(1)
                for some in torch.split(shifts, _TOGETHER)
            ]
        )
        return total / self._deviation


def channels_more(carrier: Carrier) -> Tensor:
    """By how much the symbols that are enough to tell grow with one grey level more of each channel: 3 x symbols, in
    cells, of a picture of scale 1."""
    chosen = slice(None, None, -(-carrier.mixing.outputs // _ENOUGH))
    more = []
    for colour in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
        grown = carrier.mixing.forward(_one_more(carrier, colour)) / carrier.amplitude
        more.append((grown.view_as(carrier.gains) * carrier.gains).flatten(1)[:, chosen])
    return torch.cat(more)


def best_offset(symbols: Symbols, kept: float, start: Tensor) -> Offset:
    """What to add to all channels for symbols to fit best, from a shift on (3, grey levels). kept: what to add for the
    mean to be where it is."""
    tried = torch.arange(-_FARTHEST, _FARTHEST + COARSE, COARSE, device=start.device) + kept
    scores = symbols.agreement(start + tried[:, None])
    place = int(scores.argmax())
    best = float(scores[place])
    return Offset(float(tried[place]), best, best - float(scores[len(tried) // 2]))


def off_by_block(
    carrier: Carrier, reception: Reception, probability: Tensor, colours: tuple[Colour, ...]
) -> tuple[Tensor, Tensor, float]:
    """By how much source blocks lack a colour that symbols tell of, grey levels: colours x blocks; the share of each
    block that is shown; and the mean cosine of what symbols are off."""
    trust, weight, described = _described(carrier, reception, probability)
    turns = 2 * math.pi * (reception.data - described)
    cosine = float((torch.cos(turns) * trust).sum() / trust.expand_as(turns).sum().clamp_min(1e-6))
    # What symbols say beyond the picture, brought back through the mixing: as in `contradiction.disagreement`.
    cells = torch.sin(turns) / (2 * math.pi * max(cosine, LEAST_COSINE))
    back = carrier.mixing.transposed((cells * carrier.gains * trust).flatten(1))
    missing = back * carrier.amplitude * reception.scale / (carrier.gains**2 * trust).mean().clamp_min(1e-6)
    blocks = carrier.grid.rows * carrier.grid.columns
    more = torch.cat([_one_more(carrier, colour) for colour in colours]).view(len(colours), blocks, -1)
    off = (missing.view(1, blocks, -1) * more).sum(2) / more.square().sum(2)
    return off, functional.avg_pool2d(weight, SOURCE_BLOCK // BLOCK).flatten(), cosine


def _described(carrier: Carrier, reception: Reception, probability: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How far blocks are trusted, how far their pixels count, and the symbols of what the pixels show: N x 12 x rows x
    columns, cells."""
    trust = (1 - block_probability(probability, carrier)).clamp(0, 1) * reception.known
    weight = block_weight(carrier, reception, trust)
    symbols = carrier.mixing.forward(guess(carrier, reception, weight)) / (carrier.amplitude * reception.scale)
    return trust, weight, symbols.view_as(reception.data) * carrier.gains


def _one_more(carrier: Carrier, colour: Colour) -> Tensor:
    """By how much coefficients grow, 1 x grid.size in the sender's units, with a colour added everywhere."""
    black = torch.zeros(1, 3, carrier.grid.height, carrier.grid.width, device=carrier.device)
    grown = analyse_source(black + black.new_tensor(colour).view(1, 3, 1, 1)) - analyse_source(black)
    return (grown / sender_scale(carrier.device)).flatten(1)
