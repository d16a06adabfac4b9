"""Fits for the exact layer's tables: weighted sums that say how large a value to expect, and counts of symbols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.contexts import EDGES, Group
from imuge_cli.exact.lossy import SCALE
from imuge_cli.exact.rans import TOTAL

_ROUNDS = 4
_SMALLEST = 0.01
# A context's counts are helped out by its neighbours', and by so many of what all contexts of its family say.
_SHARED, _PRIOR = 0.1, 4.0
# Symbols less likely than this are left to the escape.
_RAREST = 0.6 / TOTAL

Array = NDArray[Any]


def _solved(normal: Array, right: Array) -> NDArray[np.float64]:
    """Least squares from normal equations, slightly held back."""
    trace = np.trace(normal) / len(normal) + 1e-9
    normal = normal + np.diag(1e-3 * np.diag(normal) + 1e-6 * trace)
    found: NDArray[np.float64] = np.linalg.solve(normal, right)
    return found


def fit_magnitudes(
    values: Array, group: Group, target: Array, among: NDArray[np.bool_] | None = None
) -> tuple[Array, Array]:
    """Weights (taps) and bias (k) of the mean of non-negative targets, k x n, that scatter in proportion to it.

    among: which of them count. Iteratively reweighted least squares for a variance of SCALE m + m^2.
    """
    looked = values[group.rows]
    k, taps, n = looked.shape
    own = np.repeat(np.eye(k, dtype=np.float32) * SCALE, n, 0)
    features = np.concatenate([looked.transpose(0, 2, 1).reshape(-1, taps), own], 1)
    wanted = target.reshape(-1).astype(np.float32)
    if among is not None:
        features, wanted = features[among.ravel()], wanted[among.ravel()]
    found = np.zeros(taps + k)
    mean = np.full(len(wanted), max(float(wanted.sum()) / max(1, len(wanted)), _SMALLEST), np.float32)
    for _ in range(_ROUNDS if len(wanted) else 0):
        scaled = features * (1 / (SCALE * mean + mean**2))[:, None]
        found = _solved((scaled.T @ features).astype(np.float64), (scaled.T @ wanted).astype(np.float64))
        mean = np.maximum(features @ found.astype(np.float32), _SMALLEST)
    return found[:taps], found[taps:] * SCALE


def fit_parts(
    groups: Sequence[Group],
    values: Array,
    targets: Sequence[Array],
    weights: Sequence[Array],
    constants: Sequence[Array],
) -> Array:
    """Weighted least squares over several groups, by part: EDGES x (taps + 1), the last for the constants.

    targets, weights, constants: k x n for each group.
    """
    taps = groups[0].rows.shape[1] + 1
    normal, right = np.zeros((EDGES, taps, taps)), np.zeros((EDGES, taps))
    for group, target, weight, constant in zip(groups, targets, weights, constants, strict=True):
        for place, part in enumerate(group.part.tolist()):
            looked = values[group.rows[place]]
            looked = np.concatenate([looked, constant[place : place + 1].astype(looked.dtype)])
            scaled = looked * weight[place]
            normal[part] += scaled @ looked.T
            right[part] += scaled @ target[place]
    return np.stack([_solved(normal[part], right[part]) for part in range(EDGES)])


class Tally:
    """Counts of symbols by context, and where in their cells values lay."""

    def __init__(self, contexts: int, symbols: int, points: int) -> None:
        self.counts = np.zeros((contexts, symbols))
        self._offsets, self._placed = np.zeros((2, contexts, points))

    @classmethod
    def of(cls, counts: Array) -> Tally:
        """A tally of symbols counted before."""
        made = cls(counts.shape[0], counts.shape[1], 1)
        made.counts += counts
        return made

    def add(self, contexts: Array, symbols: Array) -> None:
        """Count symbols."""
        shape = self.counts.shape
        place = (contexts * shape[1] + symbols).ravel()
        self.counts += np.bincount(place, minlength=self.counts.size).reshape(shape)

    def place(self, contexts: Array, kinds: Array, offsets: Array, there: NDArray[np.bool_]) -> None:
        """Note by how much of a cell values exceed their cell's number."""
        shape = self._placed.shape
        place = (contexts * shape[1] + kinds)[there]
        self._placed += np.bincount(place, minlength=self._placed.size).reshape(shape)
        self._offsets += np.bincount(place, offsets[there], minlength=self._placed.size).reshape(shape)

    def points(self) -> NDArray[np.int16]:
        """Mean offsets in 256ths, contexts x points; where little was seen, near the mean of all contexts."""
        mean = self._offsets.sum(0) / np.maximum(self._placed.sum(0), 1)
        found = (self._offsets + 50 * mean) / (self._placed + 50)
        result: NDArray[np.int16] = np.rint(256 * found).astype(np.int16)
        return result

    def frequencies(
        self, families: Sequence[int], stride: int = 1, *, signed: bool = True, symmetric: bool = True
    ) -> NDArray[np.uint16]:
        """Frequencies of each context, which sum up to TOTAL.

        families: how many contexts of one kind follow one another, by rising expectation; with a stride, every
        stride-th context is of one kind. signed: symbols are magnitudes with signs, the largest an escape.
        symmetric: both signs are alike likely, what differed was chance.
        """
        counts = self.counts
        smooth = counts.copy()
        order = np.arange(len(counts)).reshape(-1, stride).T.ravel()
        for chosen in np.split(order, np.cumsum(families)[:-1]):
            smooth[chosen[1:]] += _SHARED * counts[chosen[:-1]]
            smooth[chosen[:-1]] += _SHARED * counts[chosen[1:]]
            for _ in range(len(chosen)):
                # Contexts that were never seen look like those beside them.
                bare = chosen[smooth[chosen].sum(1) < _PRIOR]
                if not len(bare):
                    break
                spread = np.zeros_like(smooth[chosen])
                spread[1:] += smooth[chosen[:-1]]
                spread[:-1] += smooth[chosen[1:]]
                empty = np.isin(chosen, bare)
                smooth[bare] += 0.5 * spread[empty]
        return padded([_whole(row, signed, symmetric) for row in smooth], counts.shape[1])


def _whole(counts: Array, signed: bool, symmetric: bool) -> NDArray[np.uint16]:
    """Frequencies of one context."""
    counts = counts.astype(np.float64)
    if signed:
        pairs = counts[1:].reshape(-1, 2) + 1e-3
        if symmetric:
            pairs[:] = pairs.mean(1, keepdims=True)
        likely = np.flatnonzero(np.cumsum(pairs[::-1].sum(1))[::-1] > 2 * _RAREST * (counts.sum() + 1))
        limit = max(1, int(likely.max()) + 1 if len(likely) else 1)
        pairs[limit - 1] += pairs[limit:].sum(0)
        counts = np.concatenate([counts[:1] + 1e-3, pairs[:limit].ravel()])
    share = counts / counts.sum() * TOTAL if counts.sum() else np.full(len(counts), TOTAL / len(counts))
    found = np.maximum(np.rint(share), 1)
    while found.sum() != TOTAL:
        found[found.argmax()] += np.sign(TOTAL - found.sum()) * min(abs(TOTAL - found.sum()), found.max() // 2)
    result: NDArray[np.uint16] = found.astype(np.uint16)
    return result


def padded(rows: Sequence[NDArray[np.uint16]], length: int) -> NDArray[np.uint16]:
    """Rows of different lengths, filled up with zeros."""
    return np.stack([np.pad(row, (0, length - len(row))) for row in rows])
