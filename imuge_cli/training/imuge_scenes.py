"""What the paper's system is trained and validated on: photographs, other photographs, and where to tamper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from imuge_cli.attacks import soft
from imuge_cli.attacks.layer import tamper
from imuge_cli.attacks.masks import random_mask
from imuge_cli.attacks.mix import TrainingMix
from imuge_cli.models.imuge.family import SIDE, ImugeNetworks, probability
from imuge_cli.training.batches import Recipe, draw_originals
from imuge_cli.training.imuge_step import Scene
from imuge_cli.training.objectives import local_psnr

_SHARES = (0.02, 0.5)
_VALIDATED = 8
_QUALITY = 70


def draw_scene(pictures: Tensor, seed: int, batch: int, step: int, device: torch.device, side: int = SIDE) -> Scene:
    """The scene of a step. pictures: N x 3 x 320 x 320 uint8. side: of the window that is shown, pixels, at most 256.

    A function of its arguments alone.
    """
    recipe = Recipe(seed=seed, batch=batch, mix=TrainingMix())
    original = draw_originals(pictures, recipe, step, device) / 127.5 - 1
    begin = (SIDE - side) // 2
    original = original[..., begin : begin + side, begin : begin + side].contiguous()
    rng = np.random.default_rng([seed, step, 11])
    low, high = np.log(_SHARES)
    shares = np.exp(rng.uniform(low, high, batch))
    masks = np.stack([random_mask(side, side, float(share), rng) for share in shares])
    # Its neighbours' content, mirrored: another picture's, and somewhere else.
    donors = original.roll(1, 0).flip(-1)
    return Scene(original, donors, torch.from_numpy(masks)[:, None].float().to(device))


@dataclass(frozen=True)
class Figures:
    """Means over the validation pictures. psnr: of immunized pictures, dB. f1: of V's mask at probability .5, l_psnr:
    of what R made of it, dB, by attack."""

    psnr: float
    f1: dict[str, float]
    l_psnr: dict[str, float]

    def line(self) -> str:
        """One line for the log."""
        parts = [f"{name} {self.l_psnr[name]:.2f} dB F1 {self.f1[name]:.3f}" for name in self.f1]
        return f"validation: immunized {self.psnr:.2f} dB; " + "; ".join(parts)

    def flat(self) -> dict[str, float]:
        """For the manifest."""
        return {
            "psnr": self.psnr,
            **{f"l_psnr {name}": value for name, value in self.l_psnr.items()},
            **{f"f1 {name}": value for name, value in self.f1.items()},
        }


@torch.no_grad()
def validate(networks: ImugeNetworks, pictures: Tensor, device: torch.device, verifying: bool = True) -> Figures:
    """The held-out pictures, a tenth of each replaced: without attack and at JPEG 70. The whole chain, V's own mask.

    verifying: False where there is no V: R is given the suspect as it is, and all that it makes of it is taken.
    """
    networks.eval()
    drawn = draw_scene(pictures, 12345, _VALIDATED, 0, device)
    rng = np.random.default_rng(7)
    mask = np.stack([random_mask(SIDE, SIDE, 0.1, rng, "object") for _ in range(_VALIDATED)])
    masks = torch.from_numpy(mask)[:, None].float().to(device)
    immunized = networks.immunize(drawn.original)
    saved = soft.saved((immunized + 1) / 2)
    error = ((saved - (drawn.original + 1) / 2) ** 2).mean((1, 2, 3))
    tampered = tamper(saved, (drawn.donors + 1) / 2, masks)
    quality = torch.full((_VALIDATED,), _QUALITY, device=device)
    f1, recovered = {}, {}
    for name, suspect in (("none", tampered), (f"jpeg:{_QUALITY}", soft.jpeg(tampered, quality))):
        told = torch.zeros_like(masks)
        if verifying:
            told = (probability(networks.judge(suspect * 2 - 1)) > 0.5).float()
        result = networks.recover(suspect * 2 - 1, told)
        # Where there is a V, only what it says was tampered with is ever replaced.
        whole = tamper(suspect, (result + 1) / 2, told if verifying else torch.ones_like(masks))
        both = (told * masks).sum((1, 2, 3))
        f1[name] = float((2 * both / (told.sum((1, 2, 3)) + masks.sum((1, 2, 3)))).mean())
        recovered[name] = float(local_psnr(whole * 255, (drawn.original + 1) * 127.5, masks).mean())
    networks.train()
    return Figures(float((-10 * torch.log10(error)).mean()), f1, recovered)
