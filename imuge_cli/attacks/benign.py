"""Carrying out a chain of benign attacks, and keeping book of where the pixels went."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from imuge_cli.attacks import codecs, photometric, resample
from imuge_cli.attacks.arrays import Image8, Mask, require_image, require_mask
from imuge_cli.attacks.chain import KINDS, RESAMPLINGS, Attack, Chain, parse

__all__ = ["KINDS", "RESAMPLINGS", "Attack", "Attacked", "Chain", "apply", "parse"]


@dataclass(frozen=True)
class Move:
    """One change of where pixels are: a crop to a box (top, left, height, width), then a turn to the left that keeps
    the largest part of the same shape, then another size. degrees: 0, and size: None, for none."""

    box: tuple[int, int, int, int]
    degrees: float = 0.0
    size: tuple[int, int] | None = None
    resampling: str = "auto"

    def apply(self, picture: Image8, *, nearest: bool = False) -> Image8:
        """picture: H x W x 3 uint8. nearest: no interpolation."""
        top, left, rows, cols = self.box
        picture = np.ascontiguousarray(picture[top : top + rows, left : left + cols])
        if self.degrees:
            picture = resample.rotate(picture, self.degrees, nearest=nearest)
        if self.size is None:
            return picture
        return resample.resize(picture, *self.size, "nearest" if nearest else self.resampling)


@dataclass(frozen=True)
class Attacked:
    """An attacked picture and its frame.

    image: h x w x 3 uint8. crop_box: (top, left, height, width) of what is left, in the input's pixels
    (rounded to whole pixels where the crop came after a scaling). scale: (rows, columns) of the output per
    pixel of the input. A point y of the input (pixel i covers i..i+1) lies at (y - top) * scale. degrees: by which the
    picture was turned to the left; crop_box then is the least box around what is left. moves: what moved pixels.
    """

    image: Image8
    crop_box: tuple[int, int, int, int]
    scale: tuple[float, float]
    degrees: float = 0.0
    moves: tuple[Move, ...] = ()

    def show(self, picture: Image8) -> Image8:
        """A picture of the input's size as the attacked picture shows it: the same crops, scalings and turns."""
        for move in self.moves:
            picture = move.apply(picture)
        return picture

    def follow(self, mask: Mask) -> Mask:
        """Carry a mask of the input's size to the attacked picture: the same crop, then nearest neighbour."""
        if self.degrees:
            grey = np.repeat(mask[..., None].astype(np.uint8), 3, 2)
            for move in self.moves:
                grey = move.apply(grey, nearest=True)
            return grey[..., 0] > 0
        top, left, rows, cols = self.crop_box
        window = mask[top : top + rows, left : left + cols]
        require_mask(window, rows, cols)
        return resample.resize_mask(window, self.image.shape[0], self.image.shape[1])


@dataclass(frozen=True)
class _Frame:
    """The part of the input that a picture shows, in the input's pixels, not rounded: a rectangle, and by how many
    degrees it is turned about its middle."""

    top: float
    left: float
    height: float
    width: float
    degrees: float = 0.0

    def cropped(self, box: tuple[int, int, int, int], scale: tuple[float, float]) -> _Frame:
        top, left, rows, cols = box
        height, width = rows / scale[0], cols / scale[1]
        down, right = top / scale[0] + (height - self.height) / 2, left / scale[1] + (width - self.width) / 2
        sine, cosine = math.sin(math.radians(self.degrees)), math.cos(math.radians(self.degrees))
        # Where the middle goes, seen in the input.
        down, right = cosine * down + sine * right, cosine * right - sine * down
        middle = self.top + self.height / 2 + down, self.left + self.width / 2 + right
        return _Frame(middle[0] - height / 2, middle[1] - width / 2, height, width, self.degrees)

    def turned(self, degrees: float, scale: tuple[float, float], size: tuple[int, int]) -> _Frame:
        """size: of what the turned picture keeps, its pixels."""
        down, right = self.height - size[0] / scale[0], self.width - size[1] / scale[1]
        return _Frame(
            self.top + down / 2, self.left + right / 2, self.height - down, self.width - right, self.degrees + degrees
        )

    def around(self) -> _Frame:
        """The least upright rectangle around it."""
        sine, cosine = abs(math.sin(math.radians(self.degrees))), math.cos(math.radians(self.degrees))
        height, width = self.height * cosine + self.width * sine, self.width * cosine + self.height * sine
        return _Frame(self.top - (height - self.height) / 2, self.left - (width - self.width) / 2, height, width)

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
    moves = []
    for attack in chain.attacks:
        move = _move(attack, (current.shape[0], current.shape[1]), rng)
        if move is None:
            current = _apply_one(attack, current, rng)
            continue
        moves.append(move)
        scale = frame.scale(current)
        if attack.name == "crop":
            frame = frame.cropped(move.box, scale)
        current = move.apply(current)
        if attack.name == "rotate":
            frame = frame.turned(move.degrees, scale, (current.shape[0], current.shape[1]))
    if current is image or np.shares_memory(current, image):
        current = current.copy()
    box = _whole(frame.around() if frame.degrees else frame, height, width)
    return Attacked(current, box, frame.scale(current), frame.degrees, tuple(moves))


def _move(attack: Attack, size: tuple[int, int], rng: np.random.Generator) -> Move | None:
    """What an attack does to where pixels are; None where that is nothing."""
    whole = (0, 0, *size)
    if attack.name == "crop":
        return Move(resample.crop_box(*size, attack.strength, rng))
    if attack.name == "rotate":
        return Move(whole, degrees=attack.strength)
    if attack.name == "scale":
        return Move(whole, size=resample.scaled_size(*size, attack.strength), resampling=attack.resampling)
    return None


def _whole(frame: _Frame, height: int, width: int) -> tuple[int, int, int, int]:
    top, left = min(round(frame.top), height - 1), min(round(frame.left), width - 1)
    bottom = min(max(round(frame.top + frame.height), top + 1), height)
    right = min(max(round(frame.left + frame.width), left + 1), width)
    return top, left, bottom - top, right - left


def _apply_one(attack: Attack, image: Image8, rng: np.random.Generator) -> Image8:
    """Every attack but those that move pixels."""
    strength = attack.strength
    if attack.name == "none":
        return image
    if attack.name == "noise":
        return photometric.noise(image, strength, rng)
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
