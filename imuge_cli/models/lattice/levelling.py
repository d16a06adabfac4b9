"""A suspect's pixels as working pixels, with what was lost by turning them made good."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from imuge_cli.keys import Secret
from imuge_cli.lattice.interpolation import INTERPOLATIONS, undo_interpolation
from imuge_cli.lattice.synchronise import Fix, pilots_at
from imuge_cli.lattice.transform import luma
from imuge_cli.models.lattice.framing import fractions, in_frame
from imuge_cli.models.lattice.pixels import to_tensor
from imuge_cli.models.protocol import Frame, Pixels

# By how much a scale may differ from 1 where it does not matter.
_UNSCALED = 5e-3


def levels_in_frame(pixels: Pixels, frame: Frame, fix: Fix, secret: Secret) -> NDArray[np.float32]:
    """The suspect's pixels in the frame's box, height x width x 3 grey levels; what a turn took from them made good.

    fix: where the header was read, whose pilots tell which interpolation the picture was turned with.
    """
    levels, place, header = in_frame(pixels, frame), frame.placement, fix.header
    if place is None or place.turn is None or header is None or frame.canvas != (header.height, header.width):
        return levels
    # Where a picture was immunized at its own size, and not scaled since, its pixels were turned, not smaller ones.
    if max(abs(1 - place.rows_scale), abs(1 - place.columns_scale)) > _UNSCALED:
        return levels
    between = fractions(frame)
    plane = luma(to_tensor(levels, torch.device("cpu")))[0, 0].numpy()

    def agreed(name: str | None) -> float:
        undone = plane if name is None else undo_interpolation(plane, between, name)
        return pilots_at(torch.from_numpy(undone)[None, None], secret, fix.step, frame.top, frame.left)

    best = max((None, *INTERPOLATIONS), key=agreed)
    return levels if best is None else undo_interpolation(levels, between, best)
