"""When the paper's mechanisms act: progressive recovery, task decoupling, fading in (P1 section 3), step by step.

A phase is a function of the step alone, so that a resumed run, through every boundary, sees what an uninterrupted one
would have.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from imuge_cli.networks.progressive import STAGES


@dataclass(frozen=True)
class Mechanisms:
    """What the paper adds to a plain encoder and decoder, each of which can be left out (Table 3).

    verifier: V tells R what was tampered with; without it R is given the attacked picture as it is. discriminators:
    D_C and D_S. decoupling: R is given the true mask at first. progressive: R grows. sharing: local feature sharing.
    """

    verifier: bool = True
    discriminators: bool = True
    decoupling: bool = True
    progressive: bool = True
    sharing: bool = True

    def __post_init__(self) -> None:
        if self.decoupling and not self.verifier:
            raise ValueError("task decoupling without a verifier: there is nothing to decouple")


ABLATION = {
    "nothing": Mechanisms(False, False, False, False, False),
    "+ V": Mechanisms(True, False, False, False, False),
    "+ discriminators": Mechanisms(True, True, False, False, False),
    "+ task decoupling": Mechanisms(True, True, True, False, False),
    "+ progressive recovery": Mechanisms(True, True, True, True, False),
    "+ local feature sharing": Mechanisms(True, True, True, True, True),
}
"""The rows of P1 Table 3, each with one mechanism more."""


@dataclass(frozen=True)
class Phase:
    """stage: 1 to 4, of R and D_S. alpha: how far the stage is faded in. true_mask: R is given the true mask, and V
    learns beside it. verifying: V learns (idle until R has its full size)."""

    stage: int
    alpha: float
    true_mask: bool
    verifying: bool


@dataclass(frozen=True)
class Schedule:
    """steps: of the whole training. stage_share: of each of the first three stages (the paper: 20 of 200 epochs).
    decoupled_share: of training under the true mask (100 of 200 epochs). fading_share: of a stage, over which it is
    faded in; the paper does not say."""

    steps: int
    mechanisms: Mechanisms = Mechanisms()
    stage_share: float = 0.1
    decoupled_share: float = 0.5
    fading_share: float = 0.5

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"a training of {self.steps} steps is none")
        for field in fields(self)[2:]:
            if not 0 <= getattr(self, field.name) <= 1:
                raise ValueError(f"{field.name} must lie between 0 and 1, not {getattr(self, field.name):g}")
        if self.stage_share * (STAGES - 1) >= 1:
            raise ValueError("the first three stages leave nothing for the last")

    def phase(self, step: int) -> Phase:
        """What acts at a step, 0 to steps - 1; later ones are as the last."""
        mechanisms = self.mechanisms
        stage, alpha = self._grown(step) if mechanisms.progressive else (STAGES, 1.0)
        full = stage == STAGES
        decoupled = mechanisms.decoupling and step < round(self.steps * self.decoupled_share)
        # Before R has its full size there is no V to be told by.
        return Phase(
            stage=stage,
            alpha=alpha,
            true_mask=mechanisms.verifier and (decoupled or not full),
            verifying=mechanisms.verifier and full,
        )

    def boundaries(self) -> list[int]:
        """The steps at which a phase of another kind begins."""
        kinds = [(p.stage, p.true_mask, p.verifying) for p in map(self.phase, range(self.steps))]
        return [step for step in range(1, self.steps) if kinds[step] != kinds[step - 1]]

    def _grown(self, step: int) -> tuple[int, float]:
        """The stage and how far it is faded in; the last, which is the longest, fades in as fast as the others."""
        length = round(self.steps * self.stage_share)
        if length == 0:
            return STAGES, 1.0
        before = min(STAGES - 1, step // length)
        fading = round(length * self.fading_share)
        alpha = 1.0 if before == 0 or fading == 0 else min(1.0, (step - before * length) / fading)
        return before + 1, alpha
