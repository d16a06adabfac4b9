"""The paper's own system behind the protocol of `models`.

It carries no header and no pilots: V answers for any picture, and nothing tells one that was never immunized. What is
verified is therefore assumed to be immunized, and the caller says so by choosing this model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imuge_cli.errors import RecoveryError
from imuge_cli.image.working_size import resize_plane, to_working
from imuge_cli.lattice.header import Header
from imuge_cli.models.imuge.family import FAMILY, SIDE, ImugeNetworks, probability
from imuge_cli.models.protocol import Frame, Immunized, Mask, Pixels, Recovered, Verified, require_size
from imuge_cli.networks.backbone import MULTIPLE
from imuge_cli.networks.padding import pad_to
from imuge_cli.networks.precision import short_floats

# A working pixel of which so much is masked is given to R as lost.
_LOST = 0.01


@dataclass(frozen=True)
class _Evidence:
    """The suspect's working picture, 1 x 3 x h x w in [-1, 1]."""

    working: Tensor


def equivalent_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) that the networks see: up to 256 x 256 pixels as they are, beyond that scaled to about as many,
    in whole multiples of 16."""
    if height * width <= SIDE * SIDE:
        return height, width
    factor = SIDE / math.sqrt(height * width)
    rows, columns = (max(MULTIPLE, round(side * factor / MULTIPLE) * MULTIPLE) for side in (height, width))
    return rows, columns


class ImugeModel:
    """E, V and R as in the paper; the key has no part in it."""

    name = FAMILY

    def __init__(self, networks: ImugeNetworks, device: torch.device, weights_sha256: str | None) -> None:
        placed: ImugeNetworks = networks.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._networks = placed.eval().requires_grad_(False)
        self._device = device
        self.weights_sha256 = weights_sha256

    @torch.no_grad()
    def immunize(self, pixels: Pixels, header: Header) -> Immunized:
        """See Model.immunize. Nothing of the header is written: there is nowhere to write it."""
        height, width = pixels.shape[:2]
        require_size(height, width)
        size = equivalent_size(height, width)
        working = self._working(pixels, size)
        with short_floats(self._device):
            sent = self._networks.immunize(pad_to(working, MULTIPLE))[..., : size[0], : size[1]].float()
        return Immunized(pixels=_moved(pixels, (sent - working)[0] * 127.5), working_size=size)

    @torch.no_grad()
    def verify(self, pixels: Pixels) -> Verified:
        """See Model.verify."""
        height, width = pixels.shape[:2]
        if min(height, width) < MULTIPLE:
            return Verified(frame=None, header=None, probability=np.zeros((height, width), np.float32))
        size = equivalent_size(height, width)
        working = self._working(pixels, size)
        with short_floats(self._device):
            raw = self._networks.judge(pad_to(working, MULTIPLE))[..., : size[0], : size[1]].float()
        likely = probability(raw)[0, 0].cpu().numpy()
        frame = Frame(0, 0, *size, size, math.sqrt(height * width / (size[0] * size[1])), 0.0)
        shown = np.clip(resize_plane(likely, (height, width)), 0, 1)
        return Verified(frame, None, shown, evidence=_Evidence(working), assumed=True)

    def confirmed(self, verified: Verified, suspected: Mask) -> Mask:
        """See Model.confirmed. There is nothing but V to ask."""
        return np.zeros_like(suspected)

    @torch.no_grad()
    def recover(
        self, pixels: Pixels, verified: Verified, mask: Mask, *, doubted: Mask | None, restore_canvas: bool
    ) -> Recovered:
        """See Model.recover. What was cut away cannot be restored: nothing says where it was."""
        evidence, frame = verified.evidence, verified.frame
        if not isinstance(evidence, _Evidence) or frame is None:
            raise RecoveryError("nothing to recover from: this picture is too small")
        size = (frame.height, frame.width)
        lost = torch.from_numpy((resize_plane(mask.astype(np.float32), size) > _LOST).astype(np.float32))
        told = pad_to(lost[None, None].to(self._device), MULTIPLE)
        with short_floats(self._device):
            recovered = self._networks.recover(pad_to(evidence.working, MULTIPLE), told)
        whole = ((recovered[..., : size[0], : size[1]].float() + 1) * 127.5)[0].cpu().numpy()
        result, top = pixels.copy(), np.iinfo(pixels.dtype).max
        for channel in range(3):  # one at a time: at full size a plane of floats is larger than the picture
            plane = resize_plane(np.ascontiguousarray(whole[channel]), mask.shape)[mask]
            result[..., channel][mask] = np.clip(np.rint(plane * (top / 255)), 0, top)
        return Recovered(result)

    def _working(self, pixels: Pixels, size: tuple[int, int]) -> Tensor:
        """H x W x 3 to 1 x 3 x h x w in [-1, 1]."""
        planes = np.clip(to_working(pixels, size), 0, 255).transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(planes))[None].to(self._device) / 127.5 - 1


def _moved(pixels: Pixels, residual: Tensor) -> Pixels:
    """Pixels plus a residual of the working size (3 x h x w, grey levels), enlarged, rounded and clipped."""
    shape, top = (int(pixels.shape[0]), int(pixels.shape[1])), np.iinfo(pixels.dtype).max
    result = np.empty_like(pixels)
    planes: NDArray[np.float32] = residual.cpu().numpy()
    for channel in range(3):
        plane = resize_plane(np.ascontiguousarray(planes[channel]), shape) * np.float32(top / 255)
        result[..., channel] = np.clip(np.rint(pixels[..., channel] + plane), 0, top)
    return result
