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

import cv2
import numpy as np
from scipy.fft import irfft2, rfft2

from imuge_cli.keys import Secret
from imuge_cli.lattice.phases import RADIANS, Complex, phase_weights, smoothed_by
from imuge_cli.lattice.placement import Orientation
from imuge_cli.lattice.template import PERIOD, PITCH, repeats, response_scale, sharper, template_dither
from imuge_cli.lattice.view import Plane, Suspect

Scale = tuple[float, float]
"""A suspect's pixels for each working pixel: of rows, of columns."""

_SPAN = PERIOD * PITCH
# Responses are taken at every other working pixel: there is nothing finer in them.
_APART = 2
# Rows of them that are looked at together, which stay near the processor so, and by how many more on either side what
# lies between is told.
_STRIP, _BESIDE = 16, 2
# Squared change of a response from one pixel to the next, from which on its phase says little: where places are whole
# pixels apart, and where they are close together.
_STEEP, _STEEP_CLOSE = 100.0, 400.0
_PARITIES = 2
# A span's rows and columns: pairs of points, which one of the pair, and where in its cell.
_BY_PARITY = (PERIOD // _PARITIES, _PARITIES, PITCH, PERIOD // _PARITIES, _PARITIES, PITCH)


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
    response = _response(suspect, scale, _STEEP_CLOSE if close else _STEEP)
    best: dict[Orientation, Place] = {}
    for shift, folded in _between(response) if close else _at_centres(response):
        # A period's points are correlated by their numbers, for every place in a cell on its own.
        spectra = rfft2(folded.reshape(2, PERIOD, PITCH, PERIOD, PITCH), axes=(1, 3))
        deviations = _deviations(folded)
        for orientation in orientations:
            real, imaginary = reference(secret, orientation)
            correlated = spectra[0] * real + spectra[1] * imaginary
            scores = irfft2(correlated, (PERIOD, PERIOD), axes=(0, 2), overwrite_x=True).reshape(_SPAN, _SPAN)
            scores.reshape(_BY_PARITY)[:] /= deviations
            row, column = divmod(int(scores.argmax()), _SPAN)
            place = Place(float(scores[row, column]), scale, orientation, row + shift[0], column + shift[1])
            if orientation not in best or place.score > best[orientation].score:
                best[orientation] = place
    return list(best.values())


@dataclass(frozen=True)
class _Response:
    """To the template's filter, and how much its phases say, at every other working pixel. height, width: of what is
    shown, working pixels."""

    values: Plane
    weights: Plane
    height: int
    width: int


def _response(suspect: Suspect, scale: Scale, steep: float) -> _Response:
    height, width = (math.floor(side / by) for side, by in zip(suspect.shape, scale, strict=True))
    size = height // _APART + 1, width // _APART + 1
    half = suspect.reduced((_APART * scale[0], _APART * scale[1]), size)
    sigmas = sharper(smoothed_by(math.sqrt(scale[0] * scale[1]), _APART))
    narrow, wide = (cv2.GaussianBlur(half, (0, 0), sigma / _APART, borderType=cv2.BORDER_REFLECT) for sigma in sigmas)
    values = np.asarray((narrow - wide) * response_scale(), np.float32)
    right, down = (
        cv2.Sobel(values, cv2.CV_32F, *way, ksize=1, scale=0.5 / _APART, borderType=cv2.BORDER_REPLICATE)
        for way in ((1, 0), (0, 1))
    )
    return _Response(values, phase_weights(down * down + right * right, steep), height, width)


def _at_centres(response: _Response) -> Iterator[tuple[tuple[float, float], Plane]]:
    """Phases at the centres of working pixels, folded, and how far beside corners they lie."""
    yield (0.5, 0.5), _folded(response, 1)


def _between(response: _Response) -> Iterator[tuple[tuple[float, float], Plane]]:
    """The same at places half a working pixel apart, in four parts."""
    folded = _folded(response, 2)
    for row in (0, 1):
        for column in (0, 1):
            yield (0.25 + row / 2, 0.25 + column / 2), folded[:, row::2, column::2]


def _folded(response: _Response, fineness: int) -> Plane:
    """Weighted phases at so many places for each working pixel both ways, summed over the pattern's repetitions: real
    and imaginary part, span x span as many times as that."""
    span = fineness * _SPAN
    height, width = fineness * response.height, fineness * response.width
    total = np.zeros((2, span, span), np.float32)
    times = _APART * fineness
    for strip in range(0, math.ceil(response.height / _APART), _STRIP):
        top = times * strip
        angles = _enlarged(response.values, strip, times, cv2.INTER_CUBIC)[: height - top, :width]
        weights = _enlarged(response.weights, strip, times, cv2.INTER_LINEAR)[: height - top, :width]
        parts = cv2.polarToCart(weights, angles * RADIANS)
        into = slice(top % span, top % span + len(angles))
        for left in range(0, width, span):
            for sums, part in zip(total, parts, strict=True):
                repetition = part[:, left : left + span]
                sums[into, : repetition.shape[1]] += repetition
    return total


def _enlarged(plane: Plane, top: int, times: int, interpolation: int) -> Plane:
    """A strip from row `top` on, with so many times as many samples each way, the first half of their distance beside
    the first corner."""
    first = max(0, top - _BESIDE)
    fine = cv2.resize(plane[first : top + _STRIP + _BESIDE], None, fx=times, fy=times, interpolation=interpolation)
    begin = times * (top - first)
    return np.asarray(fine[begin : begin + times * _STRIP], np.float32)


def _deviations(folded: Plane) -> Plane:
    """The deviation of a sum over a period's points by where its first point is: 1 x 2 x pitch x 1 x 2 x pitch, the
    parity of the row of pitches, the row in it, and so for columns.

    Each dither was drawn once, however often it is used: what sums of equal phases say is one phase.
    """
    pair = _PARITIES * PITCH
    squares = folded[0] * folded[0] + folded[1] * folded[1]
    power = squares.reshape(-1, pair, _SPAN).sum(0).reshape(pair, -1, pair).sum(1)
    power = power.reshape(_PARITIES, PITCH, _PARITIES, PITCH)
    # Where the first point is in an odd row of pitches, points of odd rows, which do not repeat in odd columns, are in
    # even ones.
    repeating = power.sum((0, 2))[None, :, None] - power[::-1, :, ::-1]
    return np.asarray(np.sqrt(np.maximum(repeating / 2, 1e-6))[None, :, :, None], np.float32)


@lru_cache(maxsize=32)
def reference(secret: Secret, orientation: Orientation) -> tuple[Complex, Complex]:
    """Conjugate spectra of the pattern's real and imaginary part as it lies in a suspect, half of each: period x 1 x
    period / 2 + 1 x 1."""
    pattern = np.where(repeats(PERIOD, PERIOD), np.exp(2j * np.pi * template_dither(secret, PERIOD, PERIOD)), 0)
    # Reversed, point 0 stays where it is: where the suspect's first point lies is what is looked for.
    if orientation.transposed:
        pattern = pattern.T
    if orientation.rows_reversed:
        pattern = np.roll(pattern[::-1], 1, 0)
    if orientation.columns_reversed:
        pattern = np.roll(pattern[:, ::-1], 1, 1)
    real, imaginary = (
        np.conj(rfft2(part)).astype(np.complex64)[:, None, :, None] for part in (pattern.real, pattern.imag)
    )
    return real, imaginary
