"""Small pictures for the HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    import numpy as np

LONGEST = 640  # pixels of a thumbnail's longer side

SUSPECT, RECOVERED = "suspect", "recovered"
ORIGINAL, IMMUNIZED = "original", "immunized"
MASK = "mask: what counts as tampered, in colour"
HEATMAP = "heat-map: tampering is likely where red, possible where yellow"


@dataclass(frozen=True)
class Thumbnail:
    """A small picture for the page. data: the encoded file. mime: of that file. height, width: of the picture that it
    was made from, in pixels.

    The page lays `original` over `immunized` and `suspect` over `recovered` where they have one size, and marks the
    regions on the `suspect`.
    """

    caption: str
    data: bytes
    mime: str = "image/png"
    height: int = 0
    width: int = 0

    @classmethod
    def of(cls, caption: str, pixels: NDArray[Any]) -> Thumbnail:
        """pixels: H x W x 3 RGB uint8, or H x W (bool or uint8); made smaller where it is large."""
        from imuge_cli.image.preview import preview

        small = preview(pixels, LONGEST)
        return cls(caption, small.data, small.mime, int(pixels.shape[0]), int(pixels.shape[1]))


def suspect_thumbnails(
    pixels: NDArray[np.uint8], probability: NDArray[np.float32], mask: NDArray[np.bool_]
) -> tuple[Thumbnail, ...]:
    """The suspect, and where anything was found, the mask and the probability over it.

    pixels: H x W x 3 RGB uint8. probability: H x W, 0..1. mask: H x W bool, True = tampered. Drawn at the thumbnails'
    size: an outline of one pixel would vanish from a large picture, and time is saved.
    """
    from imuge_cli.image.preview import shrink
    from imuge_cli.reporting.overlay import heatmap, spotlight

    small, likely, found = (shrink(plane, LONGEST) for plane in (pixels, probability, mask))
    shown = [Thumbnail.of(SUSPECT, pixels)]
    if found.any():
        shown.append(Thumbnail.of(MASK, spotlight(small, found)))
    if likely.any():
        shown.append(Thumbnail.of(HEATMAP, heatmap(small, likely, found)))
    return tuple(shown)
