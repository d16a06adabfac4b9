"""What V sees of a suspect: without a draft, and at drafts, each of which leaves out what the look before it saw."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from imuge_cli.models.lattice.boxes import Box, bounding_box, widened
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.evidence import agreement_if_tampered
from imuge_cli.models.lattice.family import LatticeNetworks, first_evidence
from imuge_cli.models.lattice.levels import levelled
from imuge_cli.models.lattice.looking import look_behind_white, shows_nearly_all
from imuge_cli.models.lattice.receiver import QUICK, THOROUGH, Draft
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.networks.verifier import MULTIPLE
from imuge_cli.payload.source import SOURCE_BLOCK

MARGIN = 48
"""Pixels around a place that a network has to see to judge it."""
# Where V's probability stays below, there is nothing to look at again.
_SUSPICION = 0.05
# Where V's draft leaves more doubt than this, V looks once more, at one that takes longer (docs/experiments.md).
_OPEN = 0.03
# What V gives no more than this says next to nothing of a place, but over a whole picture it takes away more of the
# symbols than V missed (docs/experiments.md).
_WAVERING = 0.25
# A header is read where single blocks say next to nothing. V then flags what is untouched, or calls intact what is not,
# where phases agree less than this (docs/experiments.md), unless symbols and draft fit all the same, as after JPEG.
_LEAST_AGREEMENT, _LITTLE_DOUBT = 0.2, 0.1
# Where drafts leave so much before and after further looks something was changed, even if V does not see what; but what
# is left of the symbols in a crop leaves as much, and so do strips narrower than a source block.
_UNEXPLAINED = 0.4


@dataclass(frozen=True)
class Seen:
    """What V saw: the reception, its probability without a draft and with drafts (1 x 1 x H x W), and the last one or
    two of those."""

    reception: Reception
    first: Tensor
    probability: Tensor
    drafts: tuple[Draft, ...]

    @property
    def draft(self) -> Draft:
        """The last one."""
        return self.drafts[-1]

    @property
    def calmest(self) -> Draft:
        """The one that leaves less doubt: one that takes longer trusts pixels further, too far where they were damaged
        more than pilots tell."""
        return min(self.drafts, key=lambda draft: float(draft.doubt))


def see(networks: LatticeNetworks, carrier: Carrier, reception: Reception, *, described: bool) -> Seen:
    """What V sees once levels are where they were (N = 1). described: whether symbols describe the picture in a way
    that is known."""
    first = torch.sigmoid(networks.first_look(reception, first_evidence(carrier, reception)))
    if described:
        received, reception = reception, levelled(carrier, reception, first)
        if reception.errors is not received.errors:
            first = torch.sigmoid(networks.first_look(reception, first_evidence(carrier, reception)))
    probability, drafts = _looked(networks, carrier, reception, first)
    behind = look_behind_white(networks, carrier, reception, first, probability, drafts[-1]) if described else None
    if behind is not None:
        first = behind
        probability, drafts = _looked(networks, carrier, reception, first, drafts[-1])
    return Seen(reception, first, probability, drafts)


def _looked(
    networks: LatticeNetworks, carrier: Carrier, reception: Reception, first: Tensor, before: Draft | None = None
) -> tuple[Tensor, tuple[Draft, ...]]:
    """V's probability with drafts, 1 x 1 x H x W, and the last one or two of them. first: V's probability without
    one."""
    solution = networks.solve(carrier, reception, first, QUICK, before=before)
    probability = torch.sigmoid(networks.second_look(reception, solution))
    # Each look sharpens the draft that the next one compares with; another still pays, and where that leaves doubt
    # one more, at a draft that takes longer and does not hold what V wavers over against all of the picture.
    box = to_look_at(probability)
    if box is None:
        return probability, (solution,)
    solution = networks.solve(carrier, reception, probability, QUICK, before=solution)
    probability[(..., *box)] = torch.sigmoid(networks.second_look(reception, solution, box))
    if float(solution.doubt) > _OPEN:
        longer = networks.solve(carrier, reception, suspicion(probability), THOROUGH, before=solution)
        probability[(..., *box)] = torch.sigmoid(networks.second_look(reception, longer, box))
        return probability, (solution, longer)
    return probability, (solution,)


def to_look_at(probability: Tensor) -> Box | None:
    """The rows and columns, multiples of V's own, where anything is suspected (N = 1); None where nothing is."""
    box = bounding_box((probability[0, 0] > _SUSPICION).float(), MARGIN)
    return None if box is None else widened(box, (probability.shape[-2], probability.shape[-1]), MULTIPLE)


def suspicion(probability: Tensor) -> Tensor:
    """V's probability where it says something of a place, and nothing where it only wavers."""
    return torch.where(probability > _WAVERING, probability, 0)


def tells(carrier: Carrier, seen: Seen) -> bool:
    """Whether what is left of the lattice tells tampered blocks from others, where a header can still be read."""
    agreed = agreement_if_tampered(carrier, seen.reception, seen.first)
    return bool(agreed >= _LEAST_AGREEMENT) or bool(seen.draft.doubt <= _LITTLE_DOUBT)


def unexplained(carrier: Carrier, reception: Reception, doubt: float) -> bool:
    """Whether so much doubt can only mean that something was changed."""
    whole = shows_nearly_all(reception) and min(carrier.height, carrier.width) >= SOURCE_BLOCK
    return whole and doubt > _UNEXPLAINED
