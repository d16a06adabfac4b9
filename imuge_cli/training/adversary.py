"""The adversarial stage: a discriminator that learns to tell recovered pixels from genuine ones, and R against it.

Least squares (Mao et al. 2017, "Least squares generative adversarial networks"; P1 Eqs. 7 and 9). What R is rewarded
for is looking like a photograph, whatever the picture showed; hence it is off unless asked for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.networks.discriminator import PatchDiscriminator
from imuge_cli.training.examples import Examples


class Adversary:
    """D and its optimizer. weight: of what it objects to, beside R's own loss."""

    def __init__(
        self, weight: float, rate: float, device: torch.device, widths: tuple[int, ...] = (48, 96, 192)
    ) -> None:
        self.weight = weight
        self.network = PatchDiscriminator(widths).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=rate, betas=(0.5, 0.98), weight_decay=1e-4)

    def objection(self, recovered: Tensor, shown: Examples) -> Tensor:
        """R's share of the game, weighted: how far D is from taking what was recovered for genuine."""
        return self.weight * self._distance(_with_surroundings(recovered, shown), shown, 1.0)

    def learn(self, recovered: Tensor, shown: Examples) -> Tensor:
        """D's own loss; its gradients are set, and no others. `advance` takes the step."""
        genuine = _with_surroundings(shown.original.float() / 255, shown)
        self.optimizer.zero_grad(set_to_none=True)
        loss = (
            self._distance(genuine, shown, 1.0)
            + self._distance(_with_surroundings(recovered.detach(), shown), shown, 0.0)
        ) / 2
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def advance(self) -> None:
        """Take the step that the gradients ask for."""
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of state_dict. Raises KeyError, RuntimeError, TypeError, ValueError."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _distance(self, picture: Tensor, shown: Examples, wanted: float) -> Tensor:
        """Mean squared distance of D's answers from an answer, where the picture was recovered."""
        mask = shown.told.float()
        answers = self.network(picture, mask).float()
        weight = functional.adaptive_avg_pool2d(mask, answers.shape[-2:])
        distance: Tensor = ((answers - wanted) ** 2 * weight).sum() / weight.sum().clamp_min(1)
        return distance


def _with_surroundings(picture: Tensor, shown: Examples) -> Tensor:
    """What was recovered as it would be published: in the suspect, so that nothing else tells it from the genuine."""
    told = shown.told.float()
    return picture * told + shown.suspect.float() / 255 * (1 - told)
