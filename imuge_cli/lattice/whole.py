"""The whole of a small picture, brought to another size that nobody tells: by the pilots.

A small picture has few points of the template (some 150 at 256 x 256), too few where it is busy or tampered with; of
pilots it has a thousand. They bear next to no displacement, but the sizes that a whole picture may have had are whole
numbers, and so few that all can be tried (see docs/geometry.md).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from imuge_cli.keys import Secret
from imuge_cli.lattice.layout import ROBUST_SLOTS, make_layout
from imuge_cli.lattice.placement import UPRIGHT, Orientation, Placement
from imuge_cli.lattice.placing import Placed, exact, read_at
from imuge_cli.lattice.refine import SURE, Candidate
from imuge_cli.lattice.synchronise import standardized
from imuge_cli.lattice.transform import BLOCK, slot_basis
from imuge_cli.lattice.view import Suspect

# The longer side of what is looked for, pixels: larger pictures have enough of the template. And where they may have
# been mirrored or turned, which is less probable, and takes seven times as long.
_LARGEST, _LARGEST_TURNED = 640, 384
_SMALLEST = 64
# By which factor a picture may have been made smaller or larger.
_FACTOR = 4.0
# Of some 10^4 sizes and steps the best reaches 3.9 by chance; a header that tells this very size has to be read there.
_PROMISING, _TRIED = 4.5, 6


def synchronise_whole(
    plane: NDArray[np.float32],
    secret: Secret,
    steps: tuple[float, ...],
    orientations: Sequence[Orientation] = (UPRIGHT,),
) -> Placed | None:
    """The place of a suspect that shows all of a small picture, or nearly all; None where no header says so.

    plane: luma, H x W grey levels. orientations: that are tried.
    """
    suspect = Suspect(plane)
    for score, size, orientation in _promising(plane, secret, steps, orientations):
        placed = _read(suspect, secret, steps, score, size, orientation)
        header = placed.fix.header
        if header is None:
            continue
        told = header.height, header.width
        if max(told) > _LARGEST:
            continue
        if told != size:
            # Read a pixel beside its size, or a part of it.
            again = _read(suspect, secret, steps, score, told, orientation)
            if again.fix.header != header or again.fix.z_score < placed.fix.z_score:
                continue
            placed = again
        return _adjusted(suspect, secret, placed)
    return None


def sizes(height: int, width: int, largest: int = _LARGEST) -> Iterator[tuple[int, int]]:
    """All that a picture of up to largest x largest may have had that became height x width, both of whose sides were
    changed by one factor and rounded."""
    for rows in range(max(_SMALLEST, math.ceil(height / _FACTOR)), min(largest, int(height * _FACTOR)) + 1):
        least, most = (width - 0.5) * rows / (height + 0.5), (width + 0.5) * rows / (height - 0.5)
        for columns in range(max(_SMALLEST, math.ceil(least)), min(largest, int(most)) + 1):
            yield rows, columns


def _promising(
    plane: NDArray[np.float32], secret: Secret, steps: tuple[float, ...], orientations: Sequence[Orientation]
) -> list[tuple[float, tuple[int, int], Orientation]]:
    """The pilots' scores, sizes and orientations where pilots agree beyond chance, the best first."""
    pilots = _Pilots(secret)
    tried = []
    for orientation in orientations:
        upright = orientation.undo(plane)
        height, width = (int(side) for side in upright.shape)
        largest = _LARGEST if orientation == UPRIGHT else _LARGEST_TURNED
        tried += [(upright, size, orientation) for size in sizes(height, width, largest)]
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        scores = pool.map(lambda one: pilots.score(_resized(*one[:2]), steps), tried)
    found = [(score, *one[1:]) for score, one in zip(scores, tried, strict=True) if score >= _PROMISING]
    return heapq.nlargest(_TRIED, found, key=lambda one: one[0])


class _Pilots:
    """Those of all blocks that a small picture can have."""

    def __init__(self, secret: Secret) -> None:
        layout = make_layout(secret, _LARGEST // BLOCK, _LARGEST // BLOCK)
        self._slots = layout.order[:1]
        self._dither = np.take_along_axis(layout.dither, self._slots, 0)[0]
        self._basis = slot_basis(torch.device("cpu"))[:ROBUST_SLOTS].view(-1, 1, BLOCK, BLOCK)

    def score(self, plane: NDArray[np.float32], steps: tuple[float, ...]) -> float:
        """Their agreement under the best step, standard deviations. plane: luma, H x W grey levels."""
        coefficients = functional.conv2d(torch.from_numpy(plane)[None, None], self._basis, stride=BLOCK)[0].numpy()
        rows, columns = coefficients.shape[1:]
        values = np.take_along_axis(coefficients, self._slots[:, :rows, :columns], 0)[0]
        return max(standardized(values / np.float32(step) - self._dither[:rows, :columns]) for step in steps)


def _resized(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    method = cv2.INTER_AREA if size[0] < plane.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=method), np.float32)


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
