"""Colour transform and 16 x 16 DCT in integers, the same on every machine.

Both are matrix products of integers held in float64. No partial sum reaches 2^53, so that every product is exact in
whatever order a library adds; what is rounded is rounded by scaling with a power of two, adding a half and `floor`.

Arrays are position by position with the blocks last, (C * 256) x n: neighbours in a block are then rows apart, and
every operation runs along blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.layout import SIDE as SIDE

AREA = SIDE * SIDE
UNIT = 64
"""Samples and coefficients are whole multiples of 1 / UNIT grey levels."""

Integers = NDArray[np.int32]
_Floats = NDArray[np.float64]

_SHIFT = 14
# round(2^14 sqrt(1/8) cos(pi k / 32)) for k = 0 .. 16: written down, since a library's cosine may change.
_COSINES = (5793, 5765, 5681, 5543, 5352, 5109, 4816, 4478, 4096, 3675, 3218, 2731, 2217, 1682, 1130, 568, 0)
# round(2^14 / sqrt(3)), and so on: brightness, red against blue, green against both.
_COLOUR = ((9459, 9459, 9459), (11585, 0, -11585), (6689, -13377, 6689))
_CENTRE = 128 * UNIT
# Coefficients of pictures stay below 2^18; those of damaged records are cut so that the products stay exact.
_LARGEST = 1 << 19


def _cosine(angle: int) -> int:
    """round(2^14 sqrt(1/8) cos(pi angle / 32))."""
    angle %= 64
    if angle > 32:
        angle = 64 - angle
    return _COSINES[angle] if angle <= 16 else -_COSINES[32 - angle]


_DCT: _Floats = np.array(
    [[(1 << 12) if k == 0 else _cosine(k * (2 * x + 1)) for x in range(SIDE)] for k in range(SIDE)], np.float64
)


def cell_centres(content: Integers, bases: Integers, depth: int) -> Integers:
    """The middle of the samples base * u ... base * u + base - 1, in 1 / UNIT grey levels.

    content: (C * 256) x n; bases: (C * 256) x 1 or a number. 16-bit samples count as 1 / 257 grey level.
    """
    doubled = content * (2 * bases) + (bases - 1)
    result: Integers = doubled * (UNIT // 2) if depth == 8 else (doubled * (UNIT // 2) + 128) // 257
    return result


def forward(samples: Integers) -> Integers:
    """Samples in 1 / UNIT grey levels, (C * 256) x n with C of 1 or 3, to coefficients in the same unit and shape.

    Orthonormal but for rounding: a coefficient's square is energy in squared grey levels once divided by UNIT^2.
    """
    centred: _Floats = (samples - _CENTRE).astype(np.float64)
    if len(samples) > AREA:
        centred = _rounded(_mixed(np.array(_COLOUR, np.float64), centred), _SHIFT)
    return _rounded(_both_ways(_DCT, centred), 2 * _SHIFT).astype(np.int32)


def inverse(coefficients: Integers) -> Integers:
    """What `forward` takes, from what it gives; within a twentieth of a grey level. Not clipped to black and white."""
    limited = np.clip(coefficients, -_LARGEST, _LARGEST).astype(np.float64)
    found = _rounded(_both_ways(np.ascontiguousarray(_DCT.T), limited), 2 * _SHIFT)
    if len(coefficients) > AREA:
        found = _rounded(_mixed(np.array(_COLOUR, np.float64).T.copy(), found), _SHIFT)
    return found.astype(np.int32) + _CENTRE


def _mixed(matrix: _Floats, values: _Floats) -> _Floats:
    """matrix (3 x 3) applied across channels."""
    return (matrix @ values.reshape(3, -1)).reshape(values.shape)


def _both_ways(matrix: _Floats, values: _Floats) -> _Floats:
    """matrix X matrix^T for every channel and block."""
    blocks = values.shape[1]
    rows = matrix @ values.reshape(-1, SIDE, SIDE * blocks)
    return (matrix @ rows.reshape(-1, SIDE, blocks)).reshape(values.shape)


def _rounded(values: _Floats, shift: int) -> _Floats:
    """Divided by 2^shift and rounded; in place."""
    values *= 1 / (1 << shift)
    values += 0.5
    return np.floor(values, out=values)
