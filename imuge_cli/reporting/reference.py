"""Figures against the pristine original, where somebody has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ReferenceFigures:
    """psnr over the picture and local_psnr inside the mask, in dB; ssim 0..1; None where not measurable."""

    file: str
    psnr: float | None
    ssim: float | None
    local_psnr: float | None
    identical: bool = False
    note: str | None = None


def compare(original: NDArray[Any], picture: NDArray[Any], mask: NDArray[Any] | None, *, file: str) -> ReferenceFigures:
    """PSNR, SSIM and PSNR inside the mask.

    original, picture: H x W x 3 uint8; mask: H x W bool, True = tampered. Pictures of different size cannot
    be compared pixel by pixel: all figures are None then, and the note says so.
    """
    import numpy as np

    from imuge_cli.metrics.fidelity import local_psnr, psnr, ssim

    if original.shape != picture.shape:
        height, width = original.shape[:2]
        other_height, other_width = picture.shape[:2]
        note = f"the reference is {width} x {height}, the picture {other_width} x {other_height}: not compared"
        return ReferenceFigures(file, None, None, None, note=note)
    inside = None
    if mask is not None and mask.shape == original.shape[:2] and bool(mask.any()):
        inside = float(local_psnr(original, picture, mask))
    return ReferenceFigures(
        file,
        psnr=float(psnr(original, picture)),
        ssim=float(ssim(original, picture)),
        local_psnr=inside,
        identical=bool(np.array_equal(original, picture)),
    )
