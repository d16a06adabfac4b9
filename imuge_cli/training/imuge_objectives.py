"""The losses of "From Image to Imuge" (P1 Eqs. 3 to 9).

Pictures are N x 3 x H x W in [-1, 1], masks N x 1 x H x W (1 = tampered). The paper writes squared norms and says not
over what; here they are means over pixels and channels, so that the weights mean the same at every stage's resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Weights:
    """The paper's: alpha of V's loss, beta of the discriminators', gamma of what immunizing changes, theta of D_C's."""

    alpha: float = 0.01
    beta: float = 0.005
    gamma: float = 0.5
    theta: float = 0.5

    def __post_init__(self) -> None:
        if min(self.alpha, self.beta, self.gamma, self.theta) < 0:
            raise ValueError("no loss may have a negative weight")


def recovery_loss(original: Tensor, recovered: Tensor, mask: Tensor) -> Tensor:
    """L_R, Eq. 5: ||I - I_R||^2 + ||(I - I_R) M||^2 / ||M||_1; the second term is 0 where nothing is tampered."""
    squared = (original - recovered) ** 2
    inside = (squared * mask).sum() / (mask.sum() * squared.shape[1]).clamp_min(1)
    result: Tensor = squared.mean() + inside
    return result


def reconstruction_loss(recovery: Tensor, original: Tensor, immunized: Tensor, gamma: float) -> Tensor:
    """L_rec, Eq. 6: L_R + gamma ||I - I_M||^2."""
    result: Tensor = recovery + gamma * ((original - immunized) ** 2).mean()
    return result


def classification_loss(raw: Tensor, mask: Tensor) -> Tensor:
    """L_cls, Eq. 4: the binary cross-entropy of V's mask. raw: V's answer before tanh, whose sigmoid(2 raw) is the
    probability. (The paper prints Eq. 4 with prediction and target exchanged.)"""
    return functional.binary_cross_entropy_with_logits(2 * raw, mask)


def discriminator_loss(genuine: Tensor, made: Tensor) -> Tensor:
    """Least squares, a discriminator's own (Eqs. 7, 8): half of (D(I) - 1)^2 + D(made)^2, of N x 1 x h x w answers."""
    result: Tensor = (((genuine - 1) ** 2).mean() + (made**2).mean()) / 2
    return result


def deception_loss(made: Tensor) -> Tensor:
    """Least squares, what E or R is told by a discriminator: (D(made) - 1)^2."""
    result: Tensor = ((made - 1) ** 2).mean()
    return result


def adversarial_loss(recovered: Tensor, immunized: Tensor | None, theta: float) -> Tensor:
    """L_dis, Eq. 9: L_DR + theta L_DC, of the discriminators' answers. immunized: None where D_C is left out."""
    loss = deception_loss(recovered)
    return loss if immunized is None else loss + theta * deception_loss(immunized)


def total_loss(
    reconstruction: Tensor, classification: Tensor | None, adversarial: Tensor | None, weights: Weights
) -> Tensor:
    """L, Eq. 3: L_rec + alpha L_cls + beta L_dis. None: a part that is switched off or idle."""
    loss = reconstruction
    if classification is not None:
        loss = loss + weights.alpha * classification
    if adversarial is not None:
        loss = loss + weights.beta * adversarial
    return loss
