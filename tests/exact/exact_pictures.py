"""Protected pictures for the exact layer's tests: real photographs, small."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from skimage import data

from imuge_cli.exact.answer import Answer, ask
from imuge_cli.exact.carrier import PROFILES, Samples
from imuge_cli.exact.protect import Protected, protect
from imuge_cli.keys import Secret

SECRET = Secret(b"k" * 32)
LIGHT, GREY, DEEP, DEEP_GREY, RGB, STRONG = PROFILES


@lru_cache(maxsize=8)
def photograph(name: str = "astronaut", height: int = 192, width: int = 208) -> NDArray[np.uint8]:
    """H x W x 3."""
    picture = getattr(data, name)()
    return np.ascontiguousarray(picture[20 : 20 + height, 130 : 130 + width])


def samples_of(profile: object = RGB, name: str = "astronaut", height: int = 192, width: int = 208) -> Samples:
    """A photograph's samples as a profile has them."""
    picture = photograph(name, height, width)
    if profile in (GREY, DEEP_GREY):
        picture = picture[..., 1:2]
    if profile in (DEEP, DEEP_GREY):
        noise = np.random.default_rng(0).integers(-120, 120, picture.shape)
        return np.clip(picture.astype(np.int64) * 257 + noise, 0, 65535).astype(np.uint16)
    return picture


def protected(
    samples: Samples, profile: object = RGB, secret: Secret = SECRET, nonce: bytes = b"01234567", **more: object
) -> Protected:
    return protect(samples, more.get("alpha"), profile=profile, secret=secret, image_id=77, nonce=nonce)  # type: ignore[arg-type]


def asked(samples: Samples, secret: Secret = SECRET, **more: object) -> Answer:
    """The exact layer's answer, which must be there."""
    answer = ask(samples, more.get("alpha"), secret, more.get("origin", (0, 0)))  # type: ignore[arg-type]
    assert answer is not None
    return answer
