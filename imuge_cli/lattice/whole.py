"""The whole of a small picture, brought to another size that nobody tells: by the pilots.

A small picture has few points of the template (some 150 at 256 x 256), too few where it is busy or tampered with; of
pilots it has a thousand. They bear next to no displacement, but the sizes that a whole picture may have had are whole
numbers, and so few that all can be tried (see docs/geometry.md).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from imuge_cli.keys import Secret
from imuge_cli.lattice.layout import make_layout
from imuge_cli.lattice.placement import UPRIGHT, Orientation, Placement
from imuge_cli.lattice.placing import Placed, exact, read_at
from imuge_cli.lattice.refine import SURE, Candidate
from imuge_cli.lattice.synchronise import pilot_score
from imuge_cli.lattice.transform import BLOCK, analyse
from imuge_cli.lattice.view import Suspect

LARGEST = 640
"""The longer side of what is looked for, pixels: larger pictures have enough of the template."""
_SMALLEST = 64
# By which factor a picture may have been made smaller or larger.
_FACTOR = 4.0
# Of some 10^4 sizes and steps the best reaches 4.2 by chance; a header that tells this very size has to be read there.
_PROMISING, _TRIED = 4.5, 6


def synchronise_whole(
    plane: NDArray[np.float32],
    secret: Secret,
    steps: tuple[float, ...],
    orientations: Sequence[Orientation] = (UPRIGHT,),
) -> Placed | None:
    """The place of a suspect that shows all of a picture of up to LARGEST pixels, or nearly all; None where no header
    is read that says so.

    plane: luma, H x W grey levels. orientations: that are tried.
    """
    suspect = Suspect(plane)
    for score, size, orientation in _promising(plane, secret, steps, orientations):
        placed = _read(suspect, secret, steps, score, size, orientation)
        header = placed.fix.header
        if header is None:
            continue
        told = header.height, header.width
        if told != size:
            # Read a pixel beside its size, or a part of it.
            again = _read(suspect, secret, steps, score, told, orientation)
            if again.fix.header != header or again.fix.z_score < placed.fix.z_score:
                continue
            placed = again
        return _adjusted(suspect, secret, placed)
    return None


def sizes(height: int, width: int) -> Iterator[tuple[int, int]]:
    """All that a picture may have had that became height x width, both of whose sides were changed by one factor and
    rounded."""
    for rows in range(max(_SMALLEST, math.ceil(height / _FACTOR)), min(LARGEST, int(height * _FACTOR)) + 1):
        least, most = (width - 0.5) * rows / (height + 0.5), (width + 0.5) * rows / (height - 0.5)
        for columns in range(max(_SMALLEST, math.ceil(least)), min(LARGEST, int(most)) + 1):
            yield rows, columns


def _promising(
    plane: NDArray[np.float32], secret: Secret, steps: tuple[float, ...], orientations: Sequence[Orientation]
) -> list[tuple[float, tuple[int, int], Orientation]]:
    """The pilots' scores, sizes and orientations where pilots agree beyond chance, the best first."""
    whole = make_layout(secret, LARGEST // BLOCK, LARGEST // BLOCK)
    found = []
    for orientation in orientations:
        upright = orientation.undo(plane)
        for size in sizes(int(upright.shape[0]), int(upright.shape[1])):
            smaller = size[0] < upright.shape[0]
            resized = cv2.resize(upright, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
            coefficients = analyse(torch.from_numpy(resized)[None, None])[0].numpy()
            layout = whole.part(*coefficients.shape[1:])
            score = max(pilot_score(coefficients, layout, step) for step in steps)
            if score >= _PROMISING:
                found.append((score, size, orientation))
    return heapq.nlargest(_TRIED, found, key=lambda one: one[0])


def _read(
    suspect: Suspect,
    secret: Secret,
    steps: tuple[float, ...],
    score: float,
    size: tuple[int, int],
    orientation: Orientation,
) -> Placed:
    """What is read where the suspect shows all of a picture of this size."""
    height, width = suspect.undone(orientation).shape
    placement = Placement(0.0, 0.0, height / size[0], width / size[1], orientation)
    return read_at(suspect.plane, secret, steps, Candidate(score, placement), thorough=True)


def _adjusted(suspect: Suspect, secret: Secret, placed: Placed) -> Placed:
    """The place by the template, where the same header is read there and pilots agree better: it may have lost some
    rows or columns, or been turned by a fraction of a degree."""
    candidate = exact(suspect, Candidate(0.0, placed.placement), secret)
    if candidate.score < SURE:
        return placed
    other = read_at(suspect.plane, secret, (placed.fix.step,), candidate, thorough=True)
    better = other.fix.header == placed.fix.header and other.fix.z_score > placed.fix.z_score
    return other if better else placed
