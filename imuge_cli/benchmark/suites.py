"""Which cases are measured: named suites, and what options change in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from imuge_cli.attacks.chain import parse
from imuge_cli.attacks.tampers import TAMPERS
from imuge_cli.benchmark.mosaic import LONGER_SIDE
from imuge_cli.errors import UsageError

Item = TypeVar("Item")

FULL_SIZE = "full"
MOSAIC = "mosaic"
"""A size: four pictures side by side, enlarged to what a camera takes."""
DEFAULT_SUITE = "first"
FOREIGN = "foreign"
"""The suite that asks whether any pictures, as they are or under another key, and attacked as one likes, are taken for
immunized ones."""
EXACT = "exact"
"""The suite of files that were never recompressed: the only one whose pictures get the exact layer."""
GEOMETRY = "geometry"
"""The suite of suspects that were cropped and scaled by factors that nobody tells."""
SPEED = "speed"
"""The suite of time and memory; it has no cases, see `speed`."""
BATCH = "batch"
"""The suite of many files in one call; it has no cases, see `batches`."""


def size_name(size: str) -> str:
    """What a suite's size is called in titles."""
    names = {FULL_SIZE: "original size", MOSAIC: f"mosaics of four, {LONGER_SIDE:,} pixels"}
    return names.get(size, f"{size} x {size}")


@dataclass(frozen=True)
class Suite:
    """sizes: side of the square that pictures are brought to, "full" or "mosaic". pictures: how many, None for all.

    attacks: chains as `attacks.chain.parse` reads them. shares: of the area, tampered. canvas: whether what
    a crop took away is rebuilt and measured too, which takes another recovery for every cropped case. lean: cases
    alone, without what they are otherwise compared with, and without untampered and foreign pictures.
    """

    sizes: tuple[str, ...]
    attacks: tuple[str, ...]
    tampers: tuple[str, ...]
    shares: tuple[float, ...]
    pictures: int | None = None
    canvas: bool = False
    lean: bool = False


_EVERY_ATTACK = (
    "none",
    *(f"jpeg:{quality}" for quality in (95, 90, 80, 70, 60, 50)),
    "webp:80",
    *(f"{name}:{factor}" for name in ("scale", "scale-back") for factor in ("1.5", "0.7", "0.5")),
    *(f"crop:{share}" for share in ("0.9", "0.7", "0.5")),
    *("blur:3", "blur:5", "noise:5", "noise:12.75"),
    *(f"{name}:{f}" for name in ("brightness", "contrast", "saturation", "gamma") for f in ("0.9", "1.1")),
    *("sharpen:1", "scale:0.7+jpeg:70", "jpeg:80+crop:0.7", "jpeg:80+jpeg:70"),
)

SUITES: dict[str, Suite] = {
    "smoke": Suite(("256",), ("none", "jpeg:70", "crop:0.7"), ("splice",), (0.1,), pictures=2),
    "first": Suite(
        ("256", "512"),
        ("none", "jpeg:90", "jpeg:70", "jpeg:50", "blur:5", "noise:5", "crop:0.7"),
        ("splice", "clone", "inpaint"),
        (0.1, 0.25),
    ),
    "protocol": Suite(
        ("256", "512"),
        (
            "none",
            *(f"jpeg:{quality}" for quality in (90, 70, 50)),
            *(f"scale-back:{factor}" for factor in ("1.5", "0.7", "0.5")),
            *(f"crop:{share}" for share in ("0.9", "0.7", "0.5")),
            *("blur:5", "noise:5", "noise:12.75"),
        ),
        ("splice", "clone", "inpaint"),
        (0.1,),
    ),
    "masks": Suite(
        ("256",),
        ("none", "jpeg:90", "jpeg:70", "jpeg:50", "scale:0.7+jpeg:70", "jpeg:80+crop:0.7", "jpeg:80+jpeg:70"),
        ("splice", "paste", "clone", "brush"),
        (0.1, 0.4),
        pictures=12,
    ),
    EXACT: Suite(("512", FULL_SIZE), ("none", "crop:0.7", "jpeg:90"), TAMPERS, (0.05, 0.1, 0.25, 0.5)),
    GEOMETRY: Suite(
        (FULL_SIZE,),
        tuple(
            "+".join(step for step in (crop, scale, codec) if step) or "none"
            for scale in ("scale:0.25", "scale:0.5", "scale:0.7", "", "scale:1.5", "scale:2")
            for crop in ("", "crop:0.7", "crop:0.5")
            for codec in ("", "jpeg:85", "jpeg:70")
        ),
        ("clone",),
        (0.05,),
        lean=True,
    ),
    "turned": Suite(
        (FULL_SIZE,),
        (
            *(f"rotate:{degrees}+jpeg:{quality}" for degrees in ("0.1", "0.3", "1", "-3", "5") for quality in (85, 70)),
            "rotate:1.5+crop:0.8+jpeg:85",
        ),
        ("clone",),
        (0.05,),
    ),
    FOREIGN: Suite((FULL_SIZE,), ("none",), (), ()),
    "full": Suite(("256", "512", FULL_SIZE), _EVERY_ATTACK, TAMPERS, (0.05, 0.1, 0.25, 0.4), canvas=True),
}


@dataclass(frozen=True)
class Settings:
    """What was asked for: a suite with the options' changes, attacks in their canonical spelling."""

    suite: str
    sizes: tuple[str, ...]
    attacks: tuple[str, ...]
    tampers: tuple[str, ...]
    shares: tuple[float, ...]
    pictures: int | None
    canvas: bool
    seed: int
    lean: bool = False


def settle(
    *,
    suite: str | None,
    sizes: tuple[str, ...] | None,
    attacks: tuple[str, ...] | None,
    tampers: tuple[str, ...] | None,
    shares: tuple[float, ...] | None,
    pictures: int | None,
    seed: int,
) -> Settings:
    """A suite (default: first), with everything replaced that was named. Raises UsageError."""
    name = suite or DEFAULT_SUITE
    if name not in SUITES:
        raise UsageError(f"--suite {name}: no such suite; use one of {', '.join((*SUITES, SPEED, BATCH))}")
    chosen = SUITES[name]
    return Settings(
        suite=name,
        sizes=_once(_size(size) for size in sizes or chosen.sizes),
        attacks=_once(str(parse(attack)) for attack in attacks or chosen.attacks),
        tampers=_once(_tamper(tamper) for tamper in tampers or chosen.tampers),
        shares=_once(_share(share) for share in shares or chosen.shares),
        pictures=pictures or chosen.pictures,
        canvas=chosen.canvas,
        seed=seed,
        lean=chosen.lean,
    )


def _once(items: Iterable[Item]) -> tuple[Item, ...]:
    """In the order given, each once."""
    return tuple(dict.fromkeys(items))


def _size(size: str) -> str:
    if size not in (FULL_SIZE, MOSAIC) and not (size.isascii() and size.isdigit() and int(size) > 0):
        raise UsageError(f"--size {size}: use the side of a square in pixels, such as 256, '{FULL_SIZE}' or '{MOSAIC}'")
    return size


def _tamper(tamper: str) -> str:
    if tamper not in TAMPERS:
        raise UsageError(f"--tampers {tamper}: no such kind; use one of {', '.join(TAMPERS)}")
    return tamper


def _share(share: float) -> float:
    if not 0.0 < share < 1.0:
        raise UsageError(f"--shares {share:g}: a tampered share lies between 0 and 1, such as 0.1")
    return share
