"""A picture that lies unscaled inside a larger one (a lossless screenshot, letterboxes): answers about the part that is
the original's, told of all of the suspect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from imuge_cli.image.picture import Picture
from imuge_cli.lattice.placement import UPRIGHT
from imuge_cli.mask.regions import regions
from imuge_cli.models.protocol import Frame
from imuge_cli.results import Framed, RecoverResult, VerifyResult, Window


def window_of(frame: Frame, original: tuple[int, int], shape: tuple[int, int]) -> tuple[Window, tuple[int, int]] | None:
    """Where an original of height x width lies in a suspect of height x width that shows it unscaled: the window, and
    the original's row and column where that begins. None where it is turned or mirrored, or all outside."""
    place = frame.placement
    if place is None or place.turn is not None or place.orientation != UPRIGHT:
        return None
    # By the middle, which is known best: the scale may be off by a few ten-thousandths.
    middle = (
        (frame.canvas[0] / 2 - place.top) * place.rows_scale,
        (frame.canvas[1] / 2 - place.left) * place.columns_scale,
    )
    first = [round(at - size / 2) for at, size in zip(middle, original, strict=True)]
    begin = [max(0, at) for at in first]
    end = [min(at + size, whole) for at, size, whole in zip(first, original, shape, strict=True)]
    if end[0] <= begin[0] or end[1] <= begin[1]:
        return None
    return (slice(begin[0], end[0]), slice(begin[1], end[1])), (begin[0] - first[0], begin[1] - first[1])


def cut(picture: Picture, window: Window) -> Picture:
    """A part of a picture, with its alpha and metadata."""
    return replace(
        picture, pixels=picture.pixels[window], alpha=None if picture.alpha is None else picture.alpha[window]
    )


def told_of_all(inside: VerifyResult, window: Window, shape: tuple[int, int]) -> VerifyResult:
    """What was found in a window of a suspect of height x width, of which the rest is foreign."""
    foreign = np.ones(shape, bool)
    foreign[window] = False
    mask, probability = foreign.copy(), foreign.astype(np.float32)
    mask[window], probability[window] = inside.mask, inside.probability
    return replace(
        inside,
        verdict="tampered",
        mask=mask,
        probability=probability,
        tampered_share=float(mask.mean()),
        regions=tuple(regions(mask, probability, foreign)),
        foreign=foreign,
        found=Framed(inside, window),
    )


def put_back(done: RecoverResult, picture: Picture, result: VerifyResult, *, restore_canvas: bool) -> RecoverResult:
    """A recovered window in its suspect, or, with restore_canvas, without what lay around it.

    result: what was found in all of the suspect.
    """
    assert isinstance(result.found, Framed)
    window = result.found.window
    mask = np.zeros((picture.height, picture.width), bool)
    mask[window] = done.mask
    share = done.restored_share * done.mask.size / mask.size
    told = replace(done, mask=mask, verification=result, restored_share=share)
    if restore_canvas:
        return replace(told, reframed=True)
    pixels = picture.pixels.copy()
    pixels[window] = done.picture.pixels
    proven = None
    if done.proven is not None:
        proven = np.zeros(mask.shape, bool)
        proven[window] = done.proven
    return replace(told, picture=picture.with_pixels(pixels), proven=proven)
