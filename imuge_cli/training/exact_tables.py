"""Makes the tables of the exact layer's tile code from photographs.

    python -m imuge_cli.training.exact_tables --output tables.npz SHARD...

The tables in the package are part of the format: pictures written with them cannot be read with others.
"""

from __future__ import annotations

import argparse
import itertools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from imuge_cli.exact import lossy
from imuge_cli.exact.contexts import DIAGONALS, EDGES, Group, base_groups, fine_groups, remainder_groups
from imuge_cli.exact.lossy import SCALE, BaseValues, FineValues, LossyLayers, coarser, compressed, quantize
from imuge_cli.exact.models import CLASSES_OF_STEPS, FAMILIES, STEP_CLASSES, WEIGHT_SHIFT, Predictor, tables_of
from imuge_cli.exact.remainder import (
    FRACTION,
    PHASES,
    SPREADS,
    RemainderValues,
    highest,
    in_units,
    noise,
    split_prediction,
    spread_contexts,
    to_content,
)
from imuge_cli.exact.symbols import EXPONENTS
from imuge_cli.exact.tilecode import TileCode
from imuge_cli.exact.transform import AREA, SIDE, Integers, cell_centres, forward, inverse
from imuge_cli.image.working_size import carry_residual, luma, to_working
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import CODE_BITS
from imuge_cli.models.lattice.carrier import STEPS, make_carrier
from imuge_cli.models.lattice.sender import send
from imuge_cli.training.data import load_pictures
from imuge_cli.training.exact_fits import Tally, fit_magnitudes, fit_parts

_DEPTH, _PLAIN = 8, (2, 2, 2)
_BASE_LIMIT, _REMAINDER_LIMIT = 15, 21
_GROUPS = {"base": base_groups(3), "fine": fine_groups(3)}
_REMAINDER = remainder_groups(3, True)

_HELD_OUT = 8
_SHOWN_STEPS = (32, 64, 128, 256)
# What pictures are learned from, by how often.
_CHOICES = (_PLAIN, _PLAIN, _PLAIN, (2, 2, 3), (2, 3, 3), (3, 3, 3))
_KINDS = ("balanced",) * 4 + ("rewritten",) * 2 + ("subtle", "strong", "large", "large")

Array = NDArray[Any]
_log = logging.getLogger(__name__)


def steps_of(number: int) -> tuple[int, ...]:
    """Three steps inside of a class of steps."""
    ratio = STEP_CLASSES[1] / STEP_CLASSES[0]
    middle = STEP_CLASSES[number] / ratio**0.5 if number < len(STEP_CLASSES) else STEP_CLASSES[-1] * ratio**0.5
    return tuple(round(middle * ratio**shift) for shift in (-0.3, 0.0, 0.3))


class Learner:
    """Learns all tables from contents and their bases, 768 x n each; `arrays` are what a file holds."""

    def __init__(self, content: Integers, bases: Integers) -> None:
        self._content, self._bases = content, bases
        self._coefficients = forward(cell_centres(content, bases, _DEPTH))
        self.arrays: dict[str, Array] = {}
        self._escapes = Tally(3 + 3 * CLASSES_OF_STEPS + 1, EXPONENTS, 1)
        self._learn_lossy()
        self._family = 0
        self._learn_remainder()

    def _thirds(self, number: int) -> list[tuple[slice, int]]:
        """Blocks, and the step under which they stand for a class of steps."""
        ends = np.linspace(0, self._content.shape[1], 4).astype(int).tolist()
        return [(slice(a, b), step) for a, b, step in zip(ends, ends[1:], steps_of(number), strict=False)]

    def _levels(self, number: int) -> Integers:
        return np.concatenate([quantize(self._coefficients[:, part], step) for part, step in self._thirds(number)], 1)

    def _scaled(self, number: int) -> Array:
        """Magnitudes of coefficients in steps."""
        parts = [np.abs(self._coefficients[:, part]) / np.float32(step * 4) for part, step in self._thirds(number)]
        return np.concatenate(parts, 1)

    def _learn_lossy(self) -> None:
        base = Tally(3 * lossy.BASE_CLASSES + 3 * CLASSES_OF_STEPS, 2 * _BASE_LIMIT + 1, 3)
        fine = Tally(3 * lossy.FINE_CLASSES + 4 * lossy.KEPT_CLASSES, 3, 2)
        for name, groups in _GROUPS.items():
            for group in groups[::DIAGONALS]:
                shape = (CLASSES_OF_STEPS, DIAGONALS, group.rows.shape[1])
                self.arrays[f"{name}_weights_{group.number}"] = np.zeros(shape, np.int16)
                self.arrays[f"{name}_bias_{group.number}"] = np.zeros((CLASSES_OF_STEPS, AREA), np.int32)
        for number in range(CLASSES_OF_STEPS):
            levels, scaled = self._levels(number), self._scaled(number)
            self._learn_base(number, coarser(levels), scaled / 2, base)
            self._learn_fine(number, levels, scaled, fine)
        self.arrays["base_frequencies"] = base.frequencies([lossy.BASE_CLASSES] * 3 + [1] * (3 * CLASSES_OF_STEPS))
        kept = [lossy.KEPT_CLASSES] * 4
        self.arrays["fine_frequencies"] = fine.frequencies([lossy.FINE_CLASSES] * 3 + kept, signed=False)
        self.arrays["base_points"], self.arrays["fine_points"] = base.points(), fine.points()

    def _stored(self, name: str, number: int, group: Group, weights: Array, bias: Array) -> Predictor:
        """Write a fit into the tables; the predictor as the code will have it."""
        table = self.arrays[f"{name}_weights_{group.number}"][number]
        table[group.part[0]] = _in_units(weights)
        own = self.arrays[f"{name}_bias_{group.number}"][number]
        own[group.positions] = np.rint(bias * (1 << WEIGHT_SHIFT))
        return Predictor.of(group, table[group.part], own[group.positions], np.float32)

    def _learn_base(self, number: int, levels: Integers, scaled: Array, tally: Tally) -> None:
        values = BaseValues(3, levels.shape[1])
        for group in _GROUPS["base"]:
            values.put(group, levels[group.places])
        for group in _GROUPS["base"]:
            own = levels[group.places]
            magnitudes = np.abs(own)
            predict = self._stored("base", number, group, *fit_magnitudes(values.rows, group, compressed(own)))
            contexts = lossy.base_contexts(group, predict(values.rows), number)
            tally.add(contexts, 2 * np.minimum(magnitudes, _BASE_LIMIT) - (own > 0))
            tally.place(contexts, np.clip(magnitudes - 1, 0, 2), scaled[group.places] - magnitudes, magnitudes > 0)
            self._count_escapes(magnitudes - _BASE_LIMIT, lossy.escape_row(group, number))

    def _learn_fine(self, number: int, levels: Integers, scaled: Array, tally: Tally) -> None:
        base = coarser(levels)
        values = FineValues(3, base, _GROUPS["fine"])
        for group in _GROUPS["fine"]:
            values.put(group, levels[group.places])
        for group in _GROUPS["fine"]:
            own, known = levels[group.places], base[group.places]
            fit = fit_magnitudes(values.rows, group, np.where(np.abs(own) == 1, SCALE, 0), known == 0)
            predict = self._stored("fine", number, group, *fit)
            contexts = lossy.fine_contexts(group, predict(values.rows), known)
            tally.add(contexts, lossy.fine_symbols(known, own))
            tally.place(contexts, own & 1, scaled[group.places] - np.abs(own), own != 0)

    def _count_escapes(self, beyond: Integers, row: int) -> None:
        large = beyond[beyond >= 0]
        exponents = np.frexp(large + 1.0)[1] - 1
        self._escapes.add(np.full(len(large), row), exponents)

    def _learn_remainder(self) -> None:
        tally = Tally(FAMILIES * SPREADS * PHASES, 2 * _REMAINDER_LIMIT + 1, 1)
        for family, (mean, spread) in itertools.product(range(FAMILIES), _REMAINDER[::SIDE]):
            for name, group in (("mean", mean), ("spread", spread)):
                shape, number = (CLASSES_OF_STEPS, EDGES, group.rows.shape[1]), group.number + 3 * family
                self.arrays[f"{name}_weights_{number}"] = np.zeros(shape, np.int16)
                self.arrays[f"{name}_bias_{number}"] = np.zeros((CLASSES_OF_STEPS, EDGES), np.int32)
        # What the lossy layers reconstruct is wanted before these two are known.
        self._store_frequencies(tally)
        whole, coarse = (self._content, self._bases, self._coefficients), (self._bases > 2).any(0)
        for self._family, number in itertools.product(range(FAMILIES), range(CLASSES_OF_STEPS)):
            self._content, self._bases, self._coefficients = (part[:, coarse == self._family] for part in whole)
            levels = self._levels(number)
            found = self._reconstructed(number, levels)
            values = RemainderValues(found, levels, self._bases, _DEPTH)
            values.put(slice(len(found)), FRACTION * self._content - found)
            for place in range(3):
                self._learn_plane(number, values, found, tally, _REMAINDER[place * SIDE : (place + 1) * SIDE])
        self._store_frequencies(tally)

    def _store_frequencies(self, tally: Tally) -> None:
        families = np.split(tally.counts, FAMILIES)
        tables = [Tally.of(part).frequencies([SPREADS] * PHASES, PHASES, symmetric=False) for part in families]
        self.arrays["remainder_frequencies"] = np.concatenate(tables)
        self.arrays["escape_frequencies"] = self._escape_table()

    def _escape_table(self) -> Array:
        # Every exponent must have a frequency.
        self._escapes.counts += 0.02
        return self._escapes.frequencies([1] * len(self._escapes.counts), signed=False)

    def _reconstructed(self, number: int, levels: Integers) -> Integers:
        tables, found = tables_of(self.arrays), np.empty_like(self._content)
        for part, step in self._thirds(number):
            layers = LossyLayers.of(tables, 3, step, number)
            contexts = layers.write_fine(coarser(levels[:, part]), levels[:, part]).contexts
            samples = inverse(layers.fine_coefficients(levels[:, part], contexts))
            found[:, part] = to_content(samples, self._bases[:, part], _DEPTH)
        return found

    def _learn_plane(
        self,
        number: int,
        values: RemainderValues,
        found: Integers,
        tally: Tally,
        pairs: tuple[tuple[Group, Group], ...],
    ) -> None:
        """One channel: the prediction, then how far it is off, then both again with that as weights."""
        means, spreads = [mean for mean, _ in pairs], [spread for _, spread in pairs]
        targets = [values.errors[group.places] for group in means]
        halves = [noise(self._bases[group.places], _DEPTH) for group in means]
        nothing, constant = [np.zeros_like(h) for h in halves], [h * (FRACTION / 2) for h in halves]
        spread = [np.full(target.shape, float(FRACTION), np.float32) for target in targets]
        for _ in range(2):
            fit = fit_parts(means, values.errors, targets, [1 / s**2 for s in spread], nothing)
            predict = self._stored_parts("mean", number, means, fit)
            missed = [np.abs(t - p(values.errors) / (1 << WEIGHT_SHIFT)) for t, p in zip(targets, predict, strict=True)]
            for _ in range(3):
                fit = fit_parts(spreads, values.sizes, missed, [1 / s**2 for s in spread], constant)
                fit[:, -1] *= FRACTION
                stored = self._stored_parts("spread", number, spreads, fit)
                expect = [p.with_bias(h) for p, h in zip(stored, halves, strict=True)]
                spread = [np.maximum(p(values.sizes) / (1 << WEIGHT_SHIFT), 1.0) for p in expect]
        for mean, wide in zip(predict, expect, strict=True):
            places = mean.group.places
            bases = self._bases[places]
            correction, expected = in_units(mean(values.errors), bases), in_units(wide(values.sizes), bases)
            whole, side, phase = split_prediction(found[places], correction, highest(bases, _DEPTH))
            contexts, widths = spread_contexts(expected, phase, self._family)
            residuals = ((self._content[places] - whole) * side) >> widths
            magnitudes = np.abs(residuals)
            tally.add(contexts, 2 * np.minimum(magnitudes, _REMAINDER_LIMIT) - (residuals > 0))
            self._count_escapes(magnitudes - _REMAINDER_LIMIT, len(self._escapes.counts) - 1)

    def _stored_parts(self, name: str, number: int, groups: list[Group], fit: Array) -> list[Predictor]:
        chosen = groups[0].number + 3 * self._family
        weights, bias = (self.arrays[f"{name}_{kind}_{chosen}"][number] for kind in ("weights", "bias"))
        weights[:], bias[:] = _in_units(fit[:, :-1]), np.rint(fit[:, -1] * (1 << WEIGHT_SHIFT))
        return [Predictor.of(group, weights[group.part], bias[group.part], np.float32) for group in groups]


def _in_units(weights: Array) -> Array:
    whole: Array = np.clip(np.rint(weights * (1 << WEIGHT_SHIFT)), -32768, 32767)
    return whole


def contents(
    pictures: torch.Tensor, seed: int, choices: Sequence[tuple[int, ...]] = (_PLAIN,)
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Contents of photographs as they are published, N x 3 x H x W uint8 to n x 3 x 16 x 16, and their bases.

    Immunized in all strengths, the usual one most often; some as parts of larger pictures, where what is added is made
    larger too; some with the noise of a carrier that was written before.
    """
    rng = np.random.default_rng(seed)
    found, used = [], []
    for picture in pictures.permute(0, 2, 3, 1).numpy():
        kind = str(rng.choice(_KINDS))
        strength = kind if kind in STEPS else "balanced"
        height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
        size = (height // 2, width // 2) if kind == "large" else (height, width)
        working = torch.from_numpy(to_working(picture, size)).permute(2, 0, 1)[None]
        carrier = make_carrier(Secret.default(), *size, torch.device("cpu"))
        code = torch.from_numpy(rng.integers(0, 2, (1, CODE_BITS)))
        with torch.no_grad():
            sent, _ = send(carrier, working, code, STEPS[strength])
        added = luma((sent - working)[0].permute(1, 2, 0).numpy())
        samples = carry_residual(picture, added).astype(np.int64)
        if kind == "rewritten":
            samples = np.clip(samples + rng.integers(0, 2, samples.shape) * rng.choice([-1, 1], samples.shape), 0, 255)
        bases = np.array(choices[int(rng.integers(len(choices)))])
        content = np.minimum(samples // bases, 256 // bases - 1)
        squares = content.reshape(height // SIDE, SIDE, width // SIDE, SIDE, 3)
        found.append(squares.transpose(0, 2, 4, 1, 3).reshape(-1, 3, SIDE, SIDE))
        used.append(np.broadcast_to(bases[:, None, None], found[-1].shape))
    return np.concatenate(found), np.concatenate(used)


def main(arguments: Sequence[str] | None = None) -> None:
    """Learn from shards, write the tables; logs what they reach on photographs kept apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", type=Path, help="tar files of photographs, or folders of them")
    parser.add_argument("--output", type=Path, required=True, help="the .npz file to write")
    parser.add_argument("--pictures", type=int, default=240, help="how many photographs to draw")
    parser.add_argument("--blocks", type=int, default=24000, help="how many of their blocks to learn from")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    rng = np.random.default_rng(options.seed)
    pictures = load_pictures(options.shards)
    drawn = rng.permutation(len(pictures))[: options.pictures + _HELD_OUT]
    shown, _ = contents(pictures[drawn[:_HELD_OUT]], options.seed)
    learned = contents(pictures[drawn[_HELD_OUT:]], options.seed, _CHOICES)
    chosen = rng.permutation(len(learned[0]))[: options.blocks]
    content, bases = (np.ascontiguousarray(part[chosen].reshape(len(chosen), -1).T, dtype=np.int32) for part in learned)
    arrays = Learner(content, bases).arrays
    cast("Any", np.savez_compressed)(options.output, **arrays)
    _log.info("%s: %d bytes, from %d blocks", options.output, options.output.stat().st_size, len(chosen))
    _report(arrays, shown)


def _report(arrays: dict[str, Array], content: NDArray[np.int64]) -> None:
    bases = np.broadcast_to(np.array(_PLAIN).reshape(3, 1, 1), (3, SIDE, SIDE))
    for step in _SHOWN_STEPS:
        code = TileCode(bases, _DEPTH, step, tables=tables_of(arrays))
        rates = code.sizes(content).mean(0) / AREA
        error = code.distortion(content).mean(0) / content[0].size
        quality = 10 * np.log10(255**2 / (error + 0.25))
        _log.info("step %.1f: %.3f + %.3f + %.3f bit per pixel; %.2f dB, %.2f dB, exact", step / 16, *rates, *quality)


if __name__ == "__main__":
    main()
