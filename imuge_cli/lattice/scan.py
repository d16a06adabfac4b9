"""Every place and orientation of the template in a suspect at one scale.

The suspect's response to the template's filter is taken at every working pixel, its phase weighted (where the response
changes fast from pixel to pixel, a phase says nothing before the place is known exactly), and all is folded by the
pattern's period. One correlation of a period's worth then scores every place in all eight orientations.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, irfft2

from imuge_cli.keys import Secret
from imuge_cli.lattice.phases import RADIANS, Complex, phase_weights, smoothed_by
from imuge_cli.lattice.placement import Orientation
from imuge_cli.lattice.template import PERIOD, PITCH, repeats, response_scale, sharper, template_dither
from imuge_cli.lattice.view import Plane, Suspect

Scale = tuple[float, float]
"""A suspect's pixels for each working pixel: of rows, of columns."""

_SPAN = PERIOD * PITCH
# Rows of responses that are looked at together; spans are multiples of it.
_STRIP = 64
# Squared change of a response from one pixel to the next, from which on its phase says little: where places are whole
# pixels apart, and where they are close together.
_STEEP, _STEEP_CLOSE = 100.0, 400.0
_BY_PARITY = (PERIOD // 2, 2, PITCH, PERIOD // 2, 2, PITCH)


@dataclass(frozen=True)
class Place:
    """row, column: the first point's centre modulo the pattern's span, working pixels into the oriented suspect."""

    score: float
    scale: Scale
    orientation: Orientation
    row: float
    column: float


def best_places(
    suspect: Suspect, secret: Secret, scale: Scale, orientations: Sequence[Orientation], *, close: bool
) -> list[Place]:
    """The best place for each orientation.

    close: places between pixels are tried as well, so that phases count that bear less displacement.
    """
    response = _response(suspect, scale)
    best: dict[Orientation, Place] = {}
    for shift, folded in _between(response) if close else _at_centres(response):
        spectrum = _halves(fft2(folded))
        deviations = _deviations(folded)
        for orientation in orientations:
            # Of the correlation only the real part counts, which half a spectrum tells.
            halves = np.einsum("hij,hij->ij", spectrum, reference(secret, orientation))
            scores = irfft2(halves, folded.shape, overwrite_x=True)
            scores.reshape(_BY_PARITY)[:] /= deviations
            row, column = divmod(int(scores.argmax()), _SPAN)
            place = Place(float(scores[row, column]), scale, orientation, row + shift[0], column + shift[1])
            if orientation not in best or place.score > best[orientation].score:
                best[orientation] = place
    return list(best.values())


@dataclass(frozen=True)
class _Response:
    """To the template's filter, at every other working pixel. height, width: of what is shown, working pixels."""

    values: Plane
    height: int
    width: int


def _response(suspect: Suspect, scale: Scale) -> _Response:
    height, width = (math.floor(side / by) for side, by in zip(suspect.shape, scale, strict=True))
    half = suspect.reduced((2 * scale[0], 2 * scale[1]), (height // 2 + 1, width // 2 + 1))
    sigmas = sharper(smoothed_by(math.sqrt(scale[0] * scale[1]), 2))
    narrow, wide = (cv2.GaussianBlur(half, (0, 0), sigma / 2, borderType=cv2.BORDER_REFLECT) for sigma in sigmas)
    return _Response(np.asarray((narrow - wide) * response_scale(), np.float32), height, width)


def _at_centres(response: _Response) -> Iterator[tuple[tuple[float, float], Complex]]:
    """Phases at the centres of working pixels, folded, and how far beside corners they lie."""
    yield (0.5, 0.5), _folded(_enlarged(response, 2), _STEEP, 1)


def _between(response: _Response) -> Iterator[tuple[tuple[float, float], Complex]]:
    """The same at places half a working pixel apart, in four parts."""
    folded = _folded(_enlarged(response, 4), _STEEP_CLOSE, 2)
    for row in (0, 1):
        for column in (0, 1):
            yield (0.25 + row / 2, 0.25 + column / 2), folded[row::2, column::2]


def _enlarged(response: _Response, times: int) -> Plane:
    """So many times as many samples each way, the first half of their distance beside the first corner, and one working
    pixel more than is shown."""
    rows, columns = response.values.shape
    fine = cv2.resize(response.values, (times * columns, times * rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine[: times // 2 * (response.height + 1), : times // 2 * (response.width + 1)], np.float32)


def _folded(responses: NDArray[Any], steep: float, spacing: int) -> Complex:
    """Weighted phases of responses, so many for each working pixel, summed over the pattern's repetitions: span x span,
    as many times as that."""
    rows, columns = (side - spacing for side in responses.shape)
    span = spacing * _SPAN
    real, imaginary = total = np.zeros((2, span, span), np.float32)
    # A strip at a time, which stays near the processor.
    for top in range(0, rows, _STRIP):
        strip = responses[top : min(top + _STRIP, rows) + spacing]
        here = strip[:-spacing, :-spacing]
        down, right = strip[spacing:, :-spacing] - here, strip[:-spacing, spacing:] - here
        parts = cv2.polarToCart(phase_weights(down * down + right * right, steep), here * RADIANS)
        into = slice(top % span, top % span + len(here))
        for left in range(0, columns, span):
            for sums, part in zip(total, parts, strict=True):
                repetition = part[:, left : left + span]
                sums[into, : repetition.shape[1]] += repetition
    return np.asarray(real + 1j * imaginary, np.complex64)


def _deviations(folded: Complex) -> NDArray[np.float32]:
    """The deviation of a sum over a period's points by where its first point is: 1 x 2 x pitch x 1 x 2 x pitch, the
    parity of the row of pitches, the row in it, and so for columns.

    Each dither was drawn once, however often it is used: what sums of equal phases say is one phase.
    """
    power = (folded.real**2 + folded.imag**2).reshape(_BY_PARITY).sum((0, 3))
    # Where the first point is in an odd row of pitches, points of odd rows, which do not repeat in odd columns, are in
    # even ones.
    repeating = power.sum((0, 2))[None, :, None] - power[::-1, :, ::-1]
    return np.asarray(np.sqrt(np.maximum(repeating / 2, 1e-6))[None, :, :, None], np.float32)


@lru_cache(maxsize=32)
def reference(secret: Secret, orientation: Orientation) -> Complex:
    """The conjugate spectrum of the pattern as it lies in a suspect, for the real part of a correlation: `_halves`."""
    pattern = np.where(repeats(PERIOD, PERIOD), np.exp(2j * np.pi * template_dither(secret, PERIOD, PERIOD)), 0)
    # Reversed, point 0 stays where it is: where the suspect's first point lies is what is looked for.
    if orientation.transposed:
        pattern = pattern.T
    if orientation.rows_reversed:
        pattern = np.roll(pattern[::-1], 1, 0)
    if orientation.columns_reversed:
        pattern = np.roll(pattern[:, ::-1], 1, 1)
    spread = np.zeros((_SPAN, _SPAN), np.complex64)
    spread[::PITCH, ::PITCH] = pattern
    return _halves(np.conj(fft2(spread)) / 2)


def _halves(spectrum: Complex) -> Complex:
    """Half of a spectrum, and half of that of the conjugate signal: 2 x span x span / 2 + 1."""
    conjugate = np.roll(spectrum[::-1, ::-1], 1, (0, 1)).conj()
    return np.stack([spectrum[:, : _SPAN // 2 + 1], conjugate[:, : _SPAN // 2 + 1]])
