"""The paper's attack layer A (P1 section 3): tamper first, then one benign attack, each drawn evenly; no parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from imuge_cli.attacks import soft

BENIGN = ("none", "noise", "blur", "scale", "jpeg", "crop")
MALICIOUS = ("replace", "colour", "clone")
_SIGMA = 0.05
_KERNELS = (3, 5)
_SCALES = (0.5, 2.0)
_QUALITIES = (50, 95)
_CROPS = (0.5, 1.0)


@dataclass(frozen=True)
class Attacked:
    """picture: N x 3 x H x W in [0, 1], on 8-bit levels. mask: N x 1 x H x W, 1 = tampered or cut away. benign: what
    came last, of BENIGN. tampered: whether there was any tampering (P1 skips it sometimes; the mask then says 0)."""

    picture: Tensor
    mask: Tensor
    benign: str
    tampered: bool


class AttackLayer(nn.Module):
    """benign: which attacks are drawn from; "none" among them. skipped: how often nothing is tampered with and nothing
    attacked, so that V has to say so."""

    def __init__(self, benign: Sequence[str] = BENIGN, skipped: float = 0.15) -> None:
        super().__init__()
        unknown = set(benign) - set(BENIGN)
        if unknown or not benign:
            raise ValueError(f"benign attacks: any of {', '.join(BENIGN)}; not {', '.join(sorted(unknown)) or 'none'}")
        self.benign, self.skipped = tuple(benign), skipped

    def forward(self, immunized: Tensor, donors: Tensor, masks: Tensor, generator: torch.Generator) -> Attacked:
        """Attack a batch. immunized: N x 3 x H x W in [0, 1]; donors: other pictures, the same shape; masks: where to
        tamper, N x 1 x H x W, 0 or 1. Deterministic given the generator (CPU)."""
        if float(torch.rand((), generator=generator)) < self.skipped:
            return Attacked(soft.saved(immunized), torch.zeros_like(masks), "none", False)
        kind = MALICIOUS[int(torch.randint(0, len(MALICIOUS), (), generator=generator))]
        tampered = tamper(immunized, content(kind, immunized, donors, generator), masks)
        name = self.benign[int(torch.randint(0, len(self.benign), (), generator=generator))]
        picture, gone = self.attack(name, soft.saved(tampered), generator)
        return Attacked(soft.saved(picture), torch.maximum(masks, gone), name, True)

    def attack(self, name: str, picture: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """One benign attack of a strength drawn evenly, and what it cut away (N x 1 x H x W)."""

        def between(low: float, high: float) -> float:
            return low + (high - low) * float(torch.rand((), generator=generator))

        gone = torch.zeros_like(picture[:, :1])
        if name == "noise":
            picture = soft.noise(picture, _SIGMA, generator)
        elif name == "blur":
            picture = soft.blur(picture, _KERNELS[int(torch.randint(0, len(_KERNELS), (), generator=generator))])
        elif name == "scale":
            picture = soft.scale_back(picture, between(*_SCALES))
        elif name == "jpeg":
            low, high = _QUALITIES
            quality = torch.randint(low, high + 1, (len(picture),), generator=generator).to(picture.device)
            picture = soft.jpeg(picture, quality)
        elif name == "crop":
            picture, gone = soft.crop(picture, between(*_CROPS), generator)
        return picture, gone


def tamper(immunized: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """P1 Eq. 1: I_A = I_irr M + I_M (1 - M)."""
    return other * mask + immunized * (1 - mask)


def content(kind: str, immunized: Tensor, donors: Tensor, generator: torch.Generator) -> Tensor:
    """What an attacker puts in, N x 3 x H x W: another picture, one colour, or a shifted copy of the picture itself."""
    if kind == "replace":
        return donors
    count, _, height, width = immunized.shape
    if kind == "colour":
        colours = torch.rand((count, 3, 1, 1), generator=generator, dtype=immunized.dtype).to(immunized.device)
        return colours.expand_as(immunized)
    if kind != "clone":
        raise ValueError(f"{kind!r} is none of {', '.join(MALICIOUS)}")
    # At least an eighth of a side away, or the copy would nearly be the original.
    down, right = (
        int(torch.randint(side // 8, side - side // 8 + 1, (), generator=generator)) for side in (height, width)
    )
    return torch.roll(immunized, (down, right), (-2, -1))
