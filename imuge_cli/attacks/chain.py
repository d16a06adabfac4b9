"""Naming benign attacks: `"crop:0.7+jpeg:80"` -> a Chain of frozen Attacks, and back.

Grammar: attacks joined by `+`; an attack is `name`, `name:strength` or, for the scalings,
`name:strength:resampling`. This module is pure Python, so that a command line can check names without loading
any codec.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from imuge_cli.errors import UsageError

RESAMPLINGS = ("auto", "area", "linear", "cubic", "bicubic", "lanczos")
"""auto: area when shrinking, cubic when enlarging (deterministic). area, linear, cubic: OpenCV (linear and
cubic do not filter when shrinking, as careless programs do). bicubic, lanczos: Pillow, filtered when
shrinking."""


@dataclass(frozen=True)
class Kind:
    """What may follow an attack's name: the range of its strength, and what the strength means."""

    low: float
    high: float
    meaning: str
    whole: bool = False
    odd: bool = False
    default: float | None = None
    resamples: bool = False
    keeps_size: bool = True

    def fits(self, strength: float) -> bool:
        """Whether `strength` may be used."""
        if not (math.isfinite(strength) and self.low <= strength <= self.high):
            return False
        if self.whole and strength != int(strength):
            return False
        return not self.odd or int(strength) % 2 == 1

    @property
    def allowed(self) -> str:
        """The range in words, for messages."""
        number = "an odd number" if self.odd else "a whole number" if self.whole else "a number"
        return f"{number} from {self.low:g} to {self.high:g} ({self.meaning})"


KINDS: dict[str, Kind] = {
    "none": Kind(0, 0, "nothing is done", default=0.0),
    "jpeg": Kind(1, 100, "quality, 4:2:0", whole=True),
    "webp": Kind(1, 100, "quality", whole=True),
    "avif": Kind(1, 100, "quality", whole=True),
    "scale": Kind(0.05, 8, "factor; the picture is left at that size", resamples=True, keeps_size=False),
    "scale-back": Kind(0.05, 8, "factor; the picture is then brought back to its size", resamples=True),
    "crop": Kind(0.01, 1, "share of the area that is kept", keeps_size=False),
    "rotate": Kind(
        -45, 45, "degrees to the left; the largest part of the same shape without corners is kept", keeps_size=False
    ),
    "blur": Kind(3, 31, "Gaussian kernel in pixels", whole=True, odd=True),
    "noise": Kind(0, 100, "sigma in grey levels"),
    "brightness": Kind(0.1, 10, "factor"),
    "contrast": Kind(0.1, 10, "factor around the mean grey"),
    "saturation": Kind(0, 10, "factor around each pixel's grey"),
    "gamma": Kind(0.1, 10, "exponent"),
    "sharpen": Kind(0, 5, "amount of the unsharp mask, sigma 1 px", default=1.0),
}
"""Every benign attack by name."""


@dataclass(frozen=True)
class Attack:
    """One benign attack. Raises UsageError where name, strength or resampling do not exist."""

    name: str
    strength: float = 0.0
    resampling: str = "auto"

    def __post_init__(self) -> None:
        kind = _kind(self.name)
        if not kind.fits(self.strength):
            raise UsageError(f"attack '{self.name}': {self.strength:g} is not {kind.allowed}")
        if self.resampling not in RESAMPLINGS or (self.resampling != "auto" and not kind.resamples):
            names = ", ".join(RESAMPLINGS) if kind.resamples else "none: only scale and scale-back resample"
            raise UsageError(f"attack '{self.name}': no resampling '{self.resampling}'; valid: {names}")

    @property
    def keeps_size(self) -> bool:
        """Whether the attacked picture has the size and frame of the picture before."""
        return KINDS[self.name].keeps_size

    def __str__(self) -> str:
        if self.name == "none":
            return "none"
        tail = "" if self.resampling == "auto" else f":{self.resampling}"
        return f"{self.name}:{self.strength:.6g}{tail}"


@dataclass(frozen=True)
class Chain:
    """Benign attacks carried out one after the other; empty: nothing is done."""

    attacks: tuple[Attack, ...] = ()

    @property
    def keeps_size(self) -> bool:
        """Whether the attacked picture has the size and frame of the picture before."""
        return all(attack.keeps_size for attack in self.attacks)

    def __str__(self) -> str:
        """The text that `parse` reads back."""
        return "+".join(str(attack) for attack in self.attacks) or "none"


def parse(text: str) -> Chain:
    """Read `"jpeg:70+scale-back:0.7"`. `none` and an empty text give the empty chain.

    Raises UsageError naming the valid attacks or the valid range.
    """
    if not text.strip():
        return Chain()
    attacks = tuple(_parse_attack(part) for part in text.split("+"))
    return Chain(tuple(attack for attack in attacks if attack.name != "none"))


def _parse_attack(text: str) -> Attack:
    name, *rest = (part.strip() for part in text.strip().split(":"))
    kind = _kind(name)
    if len(rest) > 2:
        raise UsageError(f"attack '{text.strip()}' has too many parts; write name:strength")
    if not rest or not rest[0]:
        if kind.default is None:
            raise UsageError(f"attack '{name}' needs a strength, for example '{name}:S', S {kind.allowed}")
        return Attack(name, kind.default)
    try:
        strength = float(rest[0])
    except ValueError:
        raise UsageError(f"attack '{name}': '{rest[0]}' is not {kind.allowed}") from None
    return Attack(name, strength, rest[1] if len(rest) == 2 else "auto")


def _kind(name: str) -> Kind:
    try:
        return KINDS[name]
    except KeyError:
        raise UsageError(f"no attack is called '{name}'; valid: {', '.join(KINDS)}") from None
