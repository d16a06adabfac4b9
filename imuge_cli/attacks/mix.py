"""Benign attacks drawn at random, for training. Every one keeps the picture's size and frame.

An entry is an attack chain as in `chain.parse`, in which a strength may be a range: `"jpeg:45..97+blur:3"`
draws uniformly (whole numbers for whole strengths), and `scale-back:0.5..1.6:any` draws the resampling too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from imuge_cli.attacks.chain import KINDS, RESAMPLINGS, Attack, Chain, parse
from imuge_cli.errors import UsageError

DEFAULT_ENTRIES: tuple[tuple[str, float], ...] = (
    ("none", 1.0),
    ("jpeg:95", 0.5),
    ("jpeg:90", 0.8),
    ("jpeg:80", 0.8),
    ("jpeg:70", 0.8),
    ("jpeg:60", 0.5),
    ("jpeg:50", 1.1),
    ("jpeg:45..97", 2.0),
    ("webp:80", 0.4),
    ("webp:60..95", 0.3),
    ("scale-back:0.5", 0.9),
    ("scale-back:0.7", 1.2),
    ("scale-back:1.5", 0.4),
    ("scale-back:0.5..1.6:any", 1.0),
    ("blur:3", 0.6),
    ("blur:5", 0.8),
    ("noise:5", 0.5),
    ("noise:12.75", 0.5),
    ("noise:1..13", 0.5),
    ("brightness:0.9..1.12", 0.5),
    ("contrast:0.9..1.1", 0.25),
    ("saturation:0.9..1.1", 0.25),
    ("gamma:0.9..1.1", 0.25),
    ("sharpen:0.5..1.5", 0.5),
    ("scale-back:0.7+jpeg:70", 0.3),
    ("jpeg:60..95+jpeg:60..95", 0.4),
    ("scale-back:0.5..0.8:any+jpeg:60..95", 0.4),
    ("scale-back:0.8..1.5:any+jpeg:60..95", 0.3),
    ("blur:3+jpeg:70..95", 0.2),
    ("noise:1..6+jpeg:70..95", 0.2),
    ("brightness:0.9..1.1+contrast:0.9..1.1+jpeg:70..95", 0.2),
)
"""The attacks of the benchmark, their neighbourhood, and a few chains, with relative weights."""


@dataclass(frozen=True)
class _Template:
    """One attack of an entry: a strength drawn from low..high, and a resampling ("any": drawn too)."""

    name: str
    low: float
    high: float
    resampling: str

    def draw(self, rng: np.random.Generator) -> Attack:
        strength = self.low
        if self.high > self.low:
            kind = KINDS[self.name]
            if kind.whole:
                step = 2 if kind.odd else 1
                strength = self.low + step * int(rng.integers(0, int(self.high - self.low) // step + 1))
            else:
                strength = float(rng.uniform(self.low, self.high))
        resampling = self.resampling
        if resampling == "any":
            resampling = RESAMPLINGS[int(rng.integers(len(RESAMPLINGS)))]
        return Attack(self.name, strength, resampling)


@dataclass(frozen=True)
class TrainingMix:
    """Weighted attack chains. Raises UsageError for an entry that cannot be read or that changes the size."""

    entries: tuple[tuple[str, float], ...] = DEFAULT_ENTRIES
    _templates: tuple[tuple[_Template, ...], ...] = field(init=False, repr=False, compare=False)
    _bounds: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        weights = np.array(self.weights, dtype=np.float64)
        if len(weights) == 0 or not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() <= 0:
            raise UsageError("a training mix needs at least one attack, and weights of 0 or more that sum above 0")
        object.__setattr__(self, "_templates", tuple(_read_entry(name) for name in self.names))
        object.__setattr__(self, "_bounds", tuple(np.cumsum(weights / weights.sum()).tolist()))

    @property
    def names(self) -> tuple[str, ...]:
        """The entries as written."""
        return tuple(name for name, _ in self.entries)

    @property
    def weights(self) -> tuple[float, ...]:
        """Relative weights, in the order of `names`."""
        return tuple(weight for _, weight in self.entries)

    def draw(self, rng: np.random.Generator) -> Chain:
        """One chain; an entry's probability is its weight's share."""
        index = int(np.searchsorted(self._bounds, rng.random(), side="right"))
        attacks = tuple(template.draw(rng) for template in self._templates[min(index, len(self.entries) - 1)])
        return Chain(tuple(attack for attack in attacks if attack.name != "none"))


def _read_entry(entry: str) -> tuple[_Template, ...]:
    return tuple(_read_template(part.strip()) for part in entry.split("+"))


def _read_template(text: str) -> _Template:
    """Both ends of a range are read by the ordinary parser, so both are checked."""
    name, _, tail = text.partition(":")
    span, _, resampling = tail.partition(":")
    low_text, dots, high_text = span.partition("..")
    ends = []
    for end in (low_text, high_text if dots else low_text):
        fixed = "" if resampling == "any" else resampling
        chain = parse(":".join(part for part in (name, end, fixed) if part))
        if not chain.keeps_size:
            raise UsageError(f"training mix: '{text}' changes the picture's size; use attacks that keep it")
        ends.append(chain.attacks[0] if chain.attacks else Attack("none"))
    low, high = ends
    if high.strength < low.strength:
        raise UsageError(f"training mix: the range in '{text}' runs backwards")
    if resampling == "any" and not KINDS[name].resamples:
        raise UsageError(f"training mix: '{text}' draws a resampling, but '{name}' does not resample")
    return _Template(low.name, low.strength, high.strength, resampling or "auto")
