"""The networks of the paper's own system, as they are stored and used together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from imuge_cli.errors import WeightsError
from imuge_cli.networks.backbone import DEFAULT_STYLE, Backbone, Style
from imuge_cli.networks.progressive import STAGES, ProgressiveRecoverer

FAMILY = "imuge"
SIDE = 256
"""The paper's pictures have 256 x 256 pixels."""


class ImugeNetworks(nn.Module):
    """E, V and R (P1 section 3). Pictures are N x 3 x H x W in [-1, 1], masks N x 1 x H x W, 1 = tampered; H and W
    multiples of 16."""

    def __init__(
        self,
        encoder: Style = DEFAULT_STYLE,
        verifier: Style = DEFAULT_STYLE,
        recoverer: Style = DEFAULT_STYLE,
        shared_levels: tuple[int, ...] = (0, 1),
    ) -> None:
        super().__init__()
        self.config: dict[str, object] = {
            "encoder": _plain(encoder),
            "verifier": _plain(verifier),
            "recoverer": _plain(recoverer),
            "shared_levels": list(shared_levels),
        }
        self.encoder = Backbone(3, 3, encoder, quiet=True)
        self.verifier = Backbone(3, 1, verifier)
        self.recoverer = ProgressiveRecoverer(recoverer, shared_levels=shared_levels)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], config: Mapping[str, object]) -> ImugeNetworks:
        """The networks in a weights file. Raises WeightsError where tensors and configuration do not fit."""
        try:
            styles = [_style(config[name]) for name in ("encoder", "verifier", "recoverer")]
            networks = cls(styles[0], styles[1], styles[2], tuple(config["shared_levels"]))  # type: ignore[arg-type]
            networks.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(f"the weights do not fit this version's networks ({reason}); reinstall imuge") from error
        return networks

    def immunize(self, picture: Tensor) -> Tensor:
        """I_M = I + E(I), within [-1, 1]."""
        # What would leave the range is cut off going forward and minded going back, or saturated areas learn nothing.
        raised = picture + self.encoder(picture)
        sent: Tensor = raised + (raised.clamp(-1, 1) - raised).detach()
        return sent

    def judge(self, picture: Tensor) -> Tensor:
        """V's answer before tanh, N x 1 x H x W; the probability of having been tampered with is sigmoid(2 x)."""
        result: Tensor = self.verifier.raw(picture)
        return result

    def recover(self, picture: Tensor, mask: Tensor, stage: int = STAGES, alpha: float = 1.0) -> Tensor:
        """R on the rectified picture I_V (tampered pixels removed), at a stage's resolution."""
        result: Tensor = self.recoverer(picture * (1 - mask), mask, stage, alpha)
        return result


def probability(raw: Tensor) -> Tensor:
    """V's mask: (tanh(x) + 1) / 2."""
    return torch.sigmoid(2 * raw)


def _plain(style: Style) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(style).items()}


def _style(stored: object) -> Style:
    if not isinstance(stored, Mapping):
        raise TypeError("a network's style is missing")
    known: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
    return Style(**known)
