"""How a picture's slots are shared out: how finely it is quantized, and how much of it each layer survives to lose.

With c bytes of slots in a tile, a layer of r bytes a block comes back while r t / (1 - t) <= c, t being the share of
tiles lost. What one layer is given the others lack, so that somebody has to choose: the exact content comes first (a
fifth of the tiles at best: a tenth of the area in compact shapes, with something to spare, since people tamper with
what is busier than its surroundings), for only that proves itself; then the base, for more than half of the tiles; the
refinement for a third. The finest quantizer is taken for which all three fit. Busy pictures, for which that would leave
a base of poor quality, come back exactly from smaller losses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.blocks import code_of
from imuge_cli.exact.carrier import SEAL_BYTES, SLOT_BYTES, Profile
from imuge_cli.exact.header import STEPS, STREAMS

_BASE_LOSS, _FINE_LOSS = 0.59, 0.34
_EXACT_LOSSES = (0.19, 0.165, 0.14, 0.12, 0.1, 0.08, 0.06, 0.04)
# A base below this PSNR (dB) is not worth the exactness it makes room for.
_POOREST = 27.0
_SAMPLED = 128
# Records are a little longer than estimated, and runs of lost blocks begin and end inside of symbols.
_MARGIN = 1.02
_RAGGED = 6.0
# Of the table's symbols, which hold eight blocks each, more are lost than of the blocks.
_TABLE_RAGGED = 0.35
_HEADER_SHARE = 0.25
_SHARES = 255


@dataclass(frozen=True)
class Budget:
    """step: sixteenths of a grey level. shares: see Header. qualities: expected PSNR, quarters of a decibel."""

    step: int
    shares: tuple[int, ...]
    qualities: tuple[int, int]

    def without(self, layer: int) -> tuple[int, ...]:
        """The shares where this layer and later ones are left out."""
        return tuple(share if number < 2 * layer else 0 for number, share in enumerate(self.shares))


class _Fit:
    """What layers of a picture cost, by step; a sample of its contents is enough."""

    def __init__(self, content: NDArray[np.int64], profile: Profile) -> None:
        self._content, self._profile = content[:: max(1, len(content) // _SAMPLED)], profile
        self._sizes: dict[int, NDArray[np.float64]] = {}

    def wanted(self, step: int, exact_loss: float) -> NDArray[np.float64]:
        """Bytes of slots a tile that each stream needs to survive its loss."""
        if step not in self._sizes:
            self._sizes[step] = code_of(self._profile, step).sizes(self._content).mean(0) / 8 * _MARGIN
        lost = np.array([_BASE_LOSS, _FINE_LOSS, exact_loss])
        table = np.minimum(lost + _TABLE_RAGGED, 1) / (1 - lost)
        sizes = self._sizes[step] + np.array([0, 0, SEAL_BYTES])
        # Losses in a few pieces have runs of some three blocks.
        data = (sizes * lost + _RAGGED * 0.3 * lost * (1 - lost)) / (1 - lost)
        return np.stack([table, data], 1).reshape(STREAMS)

    def finest(self, exact_loss: float, room: float) -> int | None:
        """The finest step with which all fits into so many bytes a tile, by bisection; None where none does."""
        low, high = 0, len(STEPS)
        while low < high:
            middle = (low + high) // 2
            if self.wanted(STEPS[middle], exact_loss).sum() <= room:
                high = middle
            else:
                low = middle + 1
        return STEPS[low] if low < len(STEPS) else None

    def qualities(self, step: int) -> tuple[float, float]:
        """PSNR of base and refinement against the published samples, dB."""
        error = code_of(self._profile, step).distortion(self._content).sum(0) / self._content.size
        scale = 1.0 if self._profile.depth == 8 else 1 / 257
        digits = float(np.mean([(base**2 - 1) / 12 for base in self._profile.bases])) * scale**2
        base, fine = (10 * np.log10(255**2 / (error + digits))).tolist()
        return base, fine


def plan_budget(content: NDArray[np.int64], profile: Profile) -> Budget:
    """The budget for a picture of which n x C x 16 x 16 contents are shown."""
    fit, room = _Fit(content, profile), SLOT_BYTES * (profile.slots - _HEADER_SHARE)
    chosen = STEPS[-1], _EXACT_LOSSES[-1]
    for exact_loss in _EXACT_LOSSES:
        step = fit.finest(exact_loss, room)
        if step is not None:
            chosen = step, exact_loss
            if fit.qualities(step)[0] >= _POOREST:
                break
    wanted = fit.wanted(*chosen)
    shares = np.maximum(np.round(wanted / wanted.sum() * _SHARES), 1).astype(int)
    # A byte each; the largest gives or takes what rounding left.
    shares[shares.argmax()] += _SHARES - shares.sum()
    base, fine = (int(np.clip(np.floor(4 * quality), 0, 255)) for quality in fit.qualities(chosen[0]))
    return Budget(chosen[0], tuple(int(share) for share in shares), (base, fine))
