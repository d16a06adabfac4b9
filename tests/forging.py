"""What somebody does who knows the format but not the key."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from imuge_cli.lattice.transform import FINE_SLOTS, SLOTS, analyse, synthesise
from imuge_cli.models.lattice.carrier import FINE_STEP, STEPS

Pixels8 = NDArray[np.uint8]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def with_copied_phases(sent: Pixels8, content: Pixels8, mask: NDArray[np.bool_], rounds: int = 4) -> Pixels8:
    """Other content under the mask (H x W), its coefficients moved to the remainders that were there."""
    wanted = _slots(sent)
    step = STEPS["balanced"] * torch.tensor([1.0] * len(SLOTS) + [FINE_STEP] * len(FINE_SLOTS))[:, None, None]
    forged = np.where(mask[..., None], content, sent).astype(np.float32)
    for _ in range(rounds):
        off = wanted - _slots(np.clip(np.rint(forged), 0, 255))
        off = off - step * torch.round(off / step)
        moved = synthesise(off, *mask.shape, SLOTS + FINE_SLOTS)[0, 0].numpy()
        forged = np.clip(forged + (moved * mask)[..., None], 0, 255)
    return np.rint(forged).astype(np.uint8)


def recoloured(sent: Pixels8, mask: NDArray[np.bool_]) -> Pixels8:
    """The complementary colours under the mask, luma as it was."""
    planes = cv2.cvtColor(sent, cv2.COLOR_RGB2YCrCb)
    planes[mask, 1:] = 255 - planes[mask, 1:]
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB), np.uint8)


def _slots(pixels: NDArray[np.generic]) -> torch.Tensor:
    return analyse(torch.from_numpy(pixels.astype(np.float32) @ LUMA)[None, None], SLOTS + FINE_SLOTS)
