"""Batches as the networks see them: every look's drafts and evidence, prepared once.

Most of a step's time goes into drafts, not into learning; an example may be learned from several times (`replay`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.decoder import Effort
from imuge_cli.models.lattice.family import LatticeNetworks, first_evidence
from imuge_cli.models.lattice.receiver import QUICK, Draft, consistent
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.networks.verifier import block_evidence
from imuge_cli.training.batches import Batch

# R's drafts: within .1 dB of what recovery uses, on average, in two thirds of the time.
_EFFORT = Effort(passes=6, iterations=30, certain=True)


@dataclass(frozen=True)
class Examples:
    """Prepared examples, N of each; pictures uint8, evidence float16, masks bool.

    suspect, original: N x 3 x H x W. mask, known, told: N x 1 x H x W (told: what R is told was lost). first: V's
    evidence without a draft, N x 20 x h x w. drafts, later: N x 2 x ..., the drafts and evidence of V's second and
    third look. recovery_drafts: R's, N x 2 x 3 x H x W, before and after R had its say (`receiver.consistent`). noise,
    doubt: N, of the former.
    """

    suspect: Tensor
    original: Tensor
    mask: Tensor
    known: Tensor
    first: Tensor
    drafts: Tensor
    later: Tensor
    told: Tensor
    recovery_drafts: Tensor
    noise: Tensor
    doubt: Tensor

    def __len__(self) -> int:
        return len(self.suspect)


def join(parts: Iterable[Examples]) -> Examples:
    """Several as one."""
    listed = list(parts)
    return Examples(**{f.name: torch.cat([getattr(part, f.name) for part in listed]) for f in fields(Examples)})


@torch.no_grad()
def prepare(
    networks: LatticeNetworks, carrier: Carrier, batch: Batch, told: Tensor, *, recover: bool
) -> tuple[Examples, Draft]:
    """Every look's evidence for a batch, with the networks as they are; and R's draft as it came.

    told: N x 1 x H x W, what R is told was lost. recover: solve R's drafts, without what was told; else both are V's
    last one, which costs nothing.
    """
    reception = batch.reception
    first = first_evidence(carrier, reception)
    probability = torch.sigmoid(networks.first_look(reception, first).float())
    drafts, later = [], []
    for _ in range(2):
        solution = networks.solve(carrier, reception, probability, QUICK)
        drafts.append(_to_bytes(solution.picture))
        later.append(block_evidence(solution.ratios, reception.errors, reception.known, True).half())
        if len(drafts) == 1 or recover:
            probability = torch.sigmoid(networks.second_look(reception, solution).float())
    if recover:
        solution = networks.solve(carrier, reception, torch.maximum(probability, told), _EFFORT)
        again = held_against_symbols(networks, reception, told, solution)
    else:
        again = solution
    examples = Examples(
        suspect=_to_bytes(reception.picture),
        original=_to_bytes(batch.original),
        mask=batch.mask > 0,
        known=batch.known > 0,
        first=first.half(),
        drafts=torch.stack(drafts, 1),
        later=torch.stack(later, 1),
        told=told > 0,
        recovery_drafts=torch.stack([_to_bytes(solution.picture), _to_bytes(again.picture)], 1),
        noise=solution.noise.mean(1),
        doubt=solution.doubt,
    )
    return examples, solution


def held_against_symbols(networks: LatticeNetworks, reception: Reception, told: Tensor, solution: Draft) -> Draft:
    """What R makes of a draft, held against the symbols. told: see `prepare`."""
    recovered = networks.recover(reception, told, solution) * 255
    return consistent(solution, torch.where(told > 0, recovered, reception.picture))


def _to_bytes(picture: Tensor) -> Tensor:
    return picture.clamp(0, 255).round().byte()
