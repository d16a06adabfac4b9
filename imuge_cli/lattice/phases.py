"""Phases of the template's responses, weighted by how much they say."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imuge_cli.lattice.template import STEP
from imuge_cli.lattice.view import Plane, smoothing

Complex = NDArray[np.complexfloating[Any, Any]]

# What a grey level of a response turns its phase by.
RADIANS = np.float32(2 * math.pi / STEP)
# Squared change of a response from one pixel to the next, below which there is no template: even flat areas of
# immunized pictures change by more.
_STILL = 0.3


def phasors(weights: Plane, angles: Plane) -> Complex:
    """Complex numbers of such weights and angles, radians."""
    return cv2.merge(cv2.polarToCart(weights, angles)).view(np.complex64)[..., 0]


def phase_weights(steepness: Plane, steep: float) -> Plane:
    """Of phases, by the squared change of their responses from one pixel to the next.

    steep: of that, from which on a phase says little.
    """
    return np.asarray(steepness / (steepness + _STILL) / (1 + steepness / steep), np.float32)


def smoothed_by(scale: float, spacing: int) -> float:
    """The standard deviation, working pixels, of what samples so many working pixels apart have been smoothed by."""
    return smoothing(scale * spacing) / scale
