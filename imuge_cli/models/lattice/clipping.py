"""What levels that were stretched and cut off at white or black do to the lattice, and what must not be laid to it.

Nothing is left of the lattice where highlights were clipped, as where they were painted over. Which of the two it was
the draft tells: clipped is what would lie beyond the limit. What was painted white over something darker does not, and
neither does what was painted red.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.transform import BLOCK

# JPEG leaves what was cut off a few grey levels around the limit.
_NEAR_LIMIT = 2
# Blur and noise are sometimes answered by a gain, too; only more than this counts as a change of levels.
STRETCHED = 0.03
# Grey levels by which white or black must have been moved outwards for anything to be cut off.
_BEYOND = 4.0
# So far, in grey levels, drafts lie off, and pictures of which levels were stretched from their drafts.
_MARGIN = 30
# Of a block with a part clipped all phases suffer: what is left of them falls faster than the part, by this power.
_HARM = 3
# A block tells by how much levels were stretched unless more than such a part of it was cut off.
_CUT = 0.05


def at_limits(picture: Tensor) -> Tensor:
    """1 where a value of a picture N x 3 x H x W (grey levels) is white, -1 where it is black, else 0: the same shape,
    int8."""
    white, black = picture >= 255 - _NEAR_LIMIT, picture <= _NEAR_LIMIT
    return white.to(torch.int8) - black.to(torch.int8)


def stretched(gain: Tensor) -> Tensor:
    """Whether levels were changed by a gain, N of bool. gain: N x 3, by what channels were multiplied."""
    return ((gain - 1).abs() > STRETCHED).any(1)


def cut_off(limits: Tensor, gain: Tensor, offset: Tensor | None = None) -> Tensor:
    """Of values at a limit (`at_limits`), those that were beyond it once and were cut off there: the same, else 0.

    gain: N x 3, by what channels were multiplied. offset: N x 3, grey levels to be added to a suspect's levels, divided
    by their gain, for the original's; None where it is not known, and a gain counts as cutting off at both ends. Where
    levels were not changed nothing counts as cut off: what was white or black when a picture was immunized stays so,
    and the sender took it into account.
    """
    if offset is None:
        return limits * (gain > 1 + STRETCHED)[..., None, None]
    white, black = 255 / gain + offset < 255 - _BEYOND, offset > _BEYOND
    return torch.where(limits > 0, white[..., None, None], black[..., None, None]) * limits


def uncut_blocks(limits: Tensor) -> Tensor:
    """Which whole blocks are hardly white or black anywhere, whatever made them so: N x 1 x rows x columns of bool."""
    return functional.avg_pool2d((limits != 0).any(1, keepdim=True).float(), BLOCK) <= _CUT


def legible_share(clipped: Tensor) -> Tensor:
    """How far what blocks carry is to be believed, in [0, 1]: N x 1 x rows x columns of whole blocks."""
    return _harm(clipped.any(1, keepdim=True))


def unsuspicious_ratios(ratios: Tensor, clipped: Tensor, picture: Tensor, draft: Tensor) -> Tensor:
    """Log likelihood ratios of `overwritten`, N x K x rows x columns, less what clipping explains of them.

    picture, draft: N x 3 x H x W, grey levels, the picture with its levels back in place.
    """
    if not bool(clipped.any()):
        return ratios
    off = draft - picture
    # Where a channel is cut off the others must be what the draft says: paint may be pure red.
    agreed = torch.where(clipped == 0, off.abs() < _MARGIN, off * clipped > -_MARGIN)
    explained = clipped.any(1, keepdim=True) & agreed.all(1, keepdim=True)
    # Clipping destroys; it makes nothing agree.
    return torch.where(ratios > 0, ratios * _harm(explained), ratios)


def _harm(pixels: Tensor) -> Tensor:
    return (1 - functional.avg_pool2d(pixels.float(), BLOCK)) ** _HARM
