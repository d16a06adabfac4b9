"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True)
class Machine:
    """cores: those this process may use. The rest are version numbers and names."""

    cores: int
    processor: str
    system: str
    python: str
    torch: str
    numpy: str
    opencv: str
    pillow: str


def this_machine() -> Machine:
    """Asked of the interpreter and the installed packages; nothing heavy is imported."""
    return Machine(
        cores=_cores(),
        processor=platform.machine(),
        system=platform.system(),
        python=platform.python_version(),
        torch=_version("torch"),
        numpy=_version("numpy"),
        opencv=_version("opencv-python-headless", "opencv-python"),
        pillow=_version("pillow"),
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(*names: str) -> str:
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
