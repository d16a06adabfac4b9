"""Carrying out a chain of benign attacks, and keeping book of where the pixels went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imuge_cli.attacks import codecs, photometric, resample
from imuge_cli.attacks.arrays import Image8, Mask, require_image, require_mask
from imuge_cli.attacks.chain import KINDS, RESAMPLINGS, Attack, Chain, parse

__all__ = ["KINDS", "RESAMPLINGS", "Attack", "Attacked", "Chain", "apply", "parse"]


@dataclass(frozen=True)
class Attacked:
    """An attacked picture and its frame.

    image: h x w x 3 uint8. crop_box: (top, left, height, width) of what is left, in the input's pixels
    (rounded to whole pixels where the crop came after a scaling). scale: (rows, columns) of the output per
    pixel of the input. A point y of the input (pixel i covers i..i+1) lies at (y - top) * scale.
    """

    image: Image8
    crop_box: tuple[int, int, int, int]
    scale: tuple[float, float]

    def follow(self, mask: Mask) -> Mask:
        """Carry a mask of the input's size to the attacked picture: the same crop, then nearest neighbour."""
        top, left, rows, cols = self.crop_box
        window = mask[top : top + rows, left : left + cols]
        require_mask(window, rows, cols)
        return resample.resize_mask(window, self.image.shape[0], self.image.shape[1])


@dataclass(frozen=True)
class _Frame:
    """The part of the input that a picture shows, in the input's pixels, not rounded."""

    top: float
    left: float
    height: float
    width: float

    def cropped(self, box: tuple[int, int, int, int], scale: tuple[float, float]) -> _Frame:
        top, left, rows, cols = box
        return _Frame(self.top + top / scale[0], self.left + left / scale[1], rows / scale[0], cols / scale[1])

    def scale(self, image: Image8) -> tuple[float, float]:
        return image.shape[0] / self.height, image.shape[1] / self.width


def apply(chain: Chain, image: Image8, rng: np.random.Generator) -> Attacked:
    """Carry out `chain` on an H x W x 3 RGB uint8 picture; `rng` gives the noise and the crops' offsets.

    Deterministic given the state of `rng`. Raises UsageError for a codec that this machine lacks.
    """
    require_image(image)
    height, width = image.shape[:2]
    frame = _Frame(0.0, 0.0, float(height), float(width))
    current = np.ascontiguousarray(image)
    for attack in chain.attacks:
        if attack.name == "crop":
            box = resample.crop_box(current.shape[0], current.shape[1], attack.strength, rng)
            frame = frame.cropped(box, frame.scale(current))
            current = np.ascontiguousarray(current[box[0] : box[0] + box[2], box[1] : box[1] + box[3]])
        else:
            current = _apply_one(attack, current, rng)
    if current is image or np.shares_memory(current, image):
        current = current.copy()
    return Attacked(current, _whole(frame, height, width), frame.scale(current))


def _whole(frame: _Frame, height: int, width: int) -> tuple[int, int, int, int]:
    top, left = min(round(frame.top), height - 1), min(round(frame.left), width - 1)
    bottom = min(max(round(frame.top + frame.height), top + 1), height)
    right = min(max(round(frame.left + frame.width), left + 1), width)
    return top, left, bottom - top, right - left


def _apply_one(attack: Attack, image: Image8, rng: np.random.Generator) -> Image8:
    """Every attack but the crop, which moves the frame."""
    strength = attack.strength
    if attack.name == "none":
        return image
    if attack.name == "noise":
        return photometric.noise(image, strength, rng)
    if attack.name == "scale":
        return resample.scale(image, strength, attack.resampling)
    if attack.name == "scale-back":
        return resample.scale_back(image, strength, attack.resampling)
    if attack.name in _WHOLE:
        return _WHOLE[attack.name](image, int(strength))
    return _LEVELS[attack.name](image, strength)


_WHOLE = {"jpeg": codecs.jpeg, "webp": codecs.webp, "avif": codecs.avif, "blur": photometric.blur}
_LEVELS = {
    "brightness": photometric.brightness,
    "contrast": photometric.contrast,
    "saturation": photometric.saturation,
    "gamma": photometric.gamma,
    "sharpen": photometric.sharpen,
}
