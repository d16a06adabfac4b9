"""Pillow without its own opinions: no warnings on stderr, no pixel limit other than ours.

Both are process-wide switches. Threads may be inside at the same time, so the first one in sets them
and the last one out restores them.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

_lock = threading.Lock()
_inside = 0
_warnings: warnings.catch_warnings[None] | None = None
_limit: int | None = None


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """While inside, Pillow neither warns nor refuses large headers; the caller checks the size itself."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _inside, _warnings, _limit
    with _lock:
        _inside += 1
        if _inside == 1:
            _warnings = warnings.catch_warnings()
            _warnings.__enter__()
            warnings.filterwarnings("ignore", module=r"(PIL|imuge_cli\.image)(\.|$)")
            _limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None


def _leave() -> None:
    global _inside, _warnings
    with _lock:
        _inside -= 1
        if _inside == 0 and _warnings is not None:
            Image.MAX_IMAGE_PIXELS = _limit
            _warnings.__exit__(None, None, None)
            _warnings = None
