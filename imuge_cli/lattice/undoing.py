"""What was done to a picture's frequencies, by a filter or by resampling, found out from known phases and undone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from imuge_cli.lattice.equalizer import Response, fit, undo
from imuge_cli.lattice.resampling import Resampling, fit_resampling, undo_resampling
from imuge_cli.lattice.transform import BLOCK

# Phases must agree better by so much, on average, for a resampling to be believed rather than a filter.
_BETTER = 0.01
# Where not even so many standard deviations speak for the lattice there is no use in looking for sizes.
_WORTH_A_LOOK = 2.0
# Pixels squared, see `Response`: less is within what stretched levels that were rounded and cut off pass for.
_SHARPENED = -0.15
# Fewer rows or columns of blocks tell little of frequencies, and filters reach beyond them.
_FEWEST = 4


@dataclass(frozen=True)
class Undoing:
    """What is to be undone: a resampling, or else a filter's response. step: of the lattice, grey levels.

    perhaps: where it is a filter's, a resampling that is hardly less probable, if there is one.
    """

    step: float
    response: Response
    resampling: Resampling | None
    perhaps: Resampling | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is to be undone."""
        return self.resampling is None and self.response.is_plain

    @property
    def gain(self) -> float:
        """By what levels were stretched; 1 where the picture was resampled or sharpened, which a gain is a part of."""
        return self.response.gain if self.resampling is None and self.response.blur > _SHARPENED else 1.0

    def undo(self, planes: Tensor) -> Tensor:
        """Planes N x C x H x W, of the frame that was looked at, as they were before."""
        return undo(planes, self.response) if self.resampling is None else undo_resampling(planes, self.resampling)


def find_undoing(
    plane: Tensor,
    origin: tuple[int, int],
    order: Tensor,
    phases: Tensor,
    steps: tuple[float, ...],
    legible: Tensor | None = None,
) -> Undoing:
    """What must be undone for known phases to agree best.

    plane: luma of a frame, 1 x 1 x H x W, grey levels. origin: row and column of its first whole block, pixels.
    order, phases, steps: see `equalizer.fit`. legible: rows x columns of bool, blocks of which nothing was cut off at
    white or black; None: all of them. Where levels were stretched only these tell by how much.
    """
    rows, columns = order.shape[-2:]
    if min(rows, columns) < _FEWEST:
        return Undoing(steps[0], Response(), None)
    top, left = origin
    whole = plane[..., top : top + rows * BLOCK, left : left + columns * BLOCK]
    filtered = fit(whole, order, phases, steps)
    if filtered.is_good_enough:
        return Undoing(filtered.step, filtered.response, None)
    perhaps = None
    if filtered.score >= _WORTH_A_LOOK * (filtered.count / 2) ** 0.5:
        resampling, score = fit_resampling(plane[0, 0], origin, order, phases, filtered.step, filtered.score)
        if score > filtered.score + _BETTER * filtered.count:
            return Undoing(filtered.step, filtered.response, resampling)
        perhaps = resampling if score > filtered.score - _BETTER * filtered.count else None
    if filtered.response.blur == filtered.response.shape == 0 and _tell_more(legible):
        told = fit(whole, order, phases, steps, legible)
        filtered = filtered if told.response.is_plain else told
    return Undoing(filtered.step, filtered.response, None, perhaps)


def _tell_more(legible: Tensor | None) -> bool:
    """Whether some blocks tell more than all."""
    return legible is not None and _FEWEST**2 <= int(legible.sum()) < legible.numel()
