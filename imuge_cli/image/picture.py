"""The one value that travels from reading to writing: pixels, and everything a file says about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]  # H x W x 3 (or H x W for alpha), uint8 or uint16; numpy cannot spell the union


def channels_equal(pixels: Pixels) -> bool:
    """Whether H x W x 3 pixels hold one channel three times."""
    return np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2])


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture, upright, with its metadata.

    pixels: H x W x 3, RGB, uint8 (0..255) or uint16 (0..65535); EXIF orientation already applied.
    alpha: H x W of the same dtype (0 = transparent), or None where the picture is opaque.
    icc, exif, xmp: raw blocks, or None. The EXIF block starts with its TIFF header and says orientation 1.
    grey: the source had one channel; pixels hold it three times.
    dpi: horizontal and vertical resolution in dots per inch.
    source_format: "png", "jpeg", "webp", "bmp", "tiff", "avif", ... or None where made in memory.
    source_sha256: of the file's bytes as they were read, hexadecimal, or None.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    grey: bool = False
    dpi: tuple[float, float] | None = None
    source_format: str | None = None
    source_sha256: str | None = None

    def __post_init__(self) -> None:
        pixels, alpha = self.pixels, self.alpha
        if pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"pixels must be H x W x 3, not {pixels.shape}")
        if pixels.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"pixels must be uint8 or uint16, not {pixels.dtype}")
        if alpha is not None and (alpha.shape != pixels.shape[:2] or alpha.dtype != pixels.dtype):
            raise ValueError(f"alpha must be {pixels.shape[:2]} {pixels.dtype}, not {alpha.shape} {alpha.dtype}")

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def bit_depth(self) -> int:
        """8 or 16 bit per channel."""
        return int(self.pixels.dtype.itemsize) * 8

    @property
    def opaque(self) -> bool:
        """Whether nothing shows through anywhere."""
        return self.alpha is None or bool((self.alpha == np.iinfo(self.alpha.dtype).max).all())

    def as_uint8(self) -> NDArray[np.uint8]:
        """Pixels as H x W x 3 uint8. 16-bit values are divided by 257 and rounded (65535 -> 255)."""
        if self.pixels.dtype == np.uint8:
            return self.pixels
        eight = np.empty(self.pixels.shape, np.uint8)
        for channel in range(3):  # one plane at a time: the uint32 sum is four times as large as the result
            eight[..., channel] = (self.pixels[..., channel].astype(np.uint32) + 128) // 257
        return eight

    def stripped(self) -> Picture:
        """Without EXIF, XMP and resolution; the colour profile stays, for the pixels mean nothing without it."""
        return replace(self, exif=None, xmp=None, dpi=None)

    def with_pixels(self, pixels: Pixels) -> Picture:
        """The same picture with other pixels; alpha, profiles and the rest stay.

        pixels: H x W x 3. Where their size differs (a restored canvas, say) alpha cannot follow and is
        dropped; where only their depth differs, alpha is brought to the new depth.
        """
        alpha = self.alpha
        if alpha is not None and alpha.shape != pixels.shape[:2]:
            alpha = None
        elif alpha is not None and alpha.dtype != pixels.dtype:
            wider = pixels.dtype == np.uint16
            alpha = alpha.astype(np.uint16) * 257 if wider else ((alpha.astype(np.uint32) + 128) // 257)
            alpha = alpha.astype(pixels.dtype)
        return replace(self, pixels=pixels, alpha=alpha)
