"""The fixed validation line: the same pictures, tampers and attacks in every run."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from imuge_cli.attacks.chain import parse
from imuge_cli.attacks.mix import TrainingMix
from imuge_cli.models.lattice.family import LatticeNetworks, first_evidence
from imuge_cli.models.lattice.receiver import QUICK
from imuge_cli.training.batches import Recipe, carrier_of, fixed_batch
from imuge_cli.training.examples import held_against_symbols
from imuge_cli.training.objectives import draft_quality, local_psnr

CASES = (("splice", "none"), ("clone", "jpeg:70"), ("inpaint", "jpeg:90"), ("splice", "jpeg:50"))


@dataclass(frozen=True)
class Case:
    """Means over the validation pictures: dB of the draft and of both of R's pictures, each held against the symbols,
    and F1 at probability .5 of both looks."""

    name: str
    draft: float
    first: float
    recovered: float
    first_f1: float
    second_f1: float


@dataclass(frozen=True)
class Validation:
    """All cases."""

    cases: tuple[Case, ...]

    def line(self) -> str:
        """One line for the log."""
        parts = [
            f"{c.name} {c.draft:.2f}->{c.first:.2f}->{c.recovered:.2f} dB F1 {c.first_f1:.3f}/{c.second_f1:.3f}"
            for c in self.cases
        ]
        return "validation: " + "; ".join(parts)

    def figures(self) -> dict[str, float]:
        """Flat, for the manifest."""
        flat = {}
        for case in self.cases:
            flat[f"l_psnr {case.name}"] = case.recovered
            flat[f"f1 {case.name}"] = case.second_f1
        return flat


@torch.no_grad()
def validate(networks: LatticeNetworks, originals: Tensor) -> Validation:
    """Measure on pictures N x 3 x 256 x 256 (grey levels): 10 % tampered, recovery with the true mask."""
    networks.eval()
    carrier = carrier_of(Recipe(seed=7, batch=1, mix=TrainingMix()), 0, originals.device)
    cases = []
    for tamper, attack in CASES:
        batch = fixed_batch(originals, tamper, 0.1, parse(attack), seed=7, encoder=networks.encoder)
        first = torch.sigmoid(networks.first_look(batch.reception, first_evidence(carrier, batch.reception)))
        solution = networks.solve(carrier, batch.reception, first, QUICK)
        second = torch.sigmoid(networks.second_look(batch.reception, solution))
        truth = networks.solve(carrier, batch.reception, batch.mask, QUICK)
        once = held_against_symbols(networks, batch.reception, batch.mask, truth)
        twice = held_against_symbols(networks, batch.reception, batch.mask, once)
        cases.append(
            Case(
                name=f"{tamper} {attack}",
                draft=draft_quality(truth, batch),
                first=float(local_psnr(once.picture, batch.original, batch.mask).mean()),
                recovered=float(local_psnr(twice.picture, batch.original, batch.mask).mean()),
                first_f1=_f1(first, batch.mask),
                second_f1=_f1(second, batch.mask),
            )
        )
    networks.train()
    return Validation(tuple(cases))


def _f1(probability: Tensor, truth: Tensor) -> float:
    predicted = (probability > 0.5).float()
    both = (predicted * truth).sum((1, 2, 3))
    return float((2 * both / (predicted.sum((1, 2, 3)) + truth.sum((1, 2, 3))).clamp_min(1)).mean())
