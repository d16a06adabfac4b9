"""Where the lattice lies in a suspect that was not scaled: pilots found by correlation, then the header read.

The statistic: a pilot's coefficient c, step q and dither d give the phase 2 pi (c / q - d); its cosine averages 0
for a picture that was never immunized (the dither is uniform and keyed) and is near 1 for an untouched one. The
sum over n pilots, divided by sqrt(n / 2), is standard normal in the first case, for any picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from imuge_cli.keys import Secret
from imuge_cli.lattice.header import CODE_BITS, Header, decode_header, encode_header
from imuge_cli.lattice.layout import ROBUST_SLOTS, Layout, make_layout
from imuge_cli.lattice.transform import BLOCK, analyse
from imuge_cli.lattice.undoing import find_undoing

# One position is tried: 6 standard deviations happen once in 10^9. Without a readable header more is asked.
DIRECT_THRESHOLD = 6.0
DIRECT_THRESHOLD_ALONE = 8.0
# Millions of positions are tried: the largest of them reaches 5.3 by chance. The header's check must fit as well.
SEARCH_THRESHOLD = 6.5
_MINIMUM_BLOCKS = 64
# Rows and columns that tell whether it was.
_GLIMPSE = (264, 520)
# Of chips, however the pilots agree.
_RELIABLE = (0.02, 0.95)
# Blocks are of so many kinds, from calm to busy, where there are so many of each; as how many pilots of full agreement
# counts the expectation that a kind is like all others.
_MOST_KINDS, _BLOCKS_OF_A_KIND, _TOWARDS_ONE = 16, 150, 1.0


@dataclass(frozen=True)
class Fix:
    """Where the lattice was found.

    top, left: position of the suspect's first pixel in the immunized working picture, pixels. z_score: of the pilots.
    step: lattice step in grey levels. header: None where it could not be read. code: 264 code bits (of the
    header, or the most probable ones).
    """

    top: int
    left: int
    z_score: float
    step: float
    header: Header | None
    code: NDArray[np.uint8]


def synchronise_direct(plane: Tensor, secret: Secret, steps: tuple[float, ...]) -> Fix | None:
    """Try the suspect as it lies: its first pixel is the immunized picture's first pixel.

    plane: luma, 1 x 1 x H x W, grey levels. Where that does not tell enough, blur and the like are undone first.
    """
    layout = make_layout(secret, plane.shape[-2] // BLOCK, plane.shape[-1] // BLOCK)
    plain = _direct(plane, layout, steps)
    if plain is not None and plain.header is not None:
        return plain
    undone = _undone(plane, layout, steps)
    # So many responses were tried that the pilots' agreement alone says less.
    if undone is not None and undone.header is not None:
        return undone
    return None if plain is None or plain.z_score < DIRECT_THRESHOLD_ALONE else plain


def _direct(plane: Tensor, layout: Layout, steps: tuple[float, ...]) -> Fix | None:
    coefficients = analyse(plane)[0].cpu().numpy()
    best = max(((pilot_score(coefficients, layout, step), step) for step in steps), default=(0.0, 0.0))
    if best[0] < DIRECT_THRESHOLD:
        return None
    header, code = read_header(coefficients, layout, best[1])
    return Fix(0, 0, best[0], best[1], header, code)


def _undone(plane: Tensor, layout: Layout, steps: tuple[float, ...]) -> Fix | None:
    """The same after undoing what the pilots say was done to the frequencies; None where they say nothing."""
    pilots = layout.order[:1]
    dither = np.take_along_axis(layout.dither, pilots, 0)
    order, phases = (torch.from_numpy(array).to(plane.device) for array in (pilots, dither))
    found = find_undoing(plane, (0, 0), order, phases, steps)
    return None if found.is_plain else _direct(found.undo(plane), layout, (found.step,))


def synchronise_search(plane: Tensor, secret: Secret, steps: tuple[float, ...], *, limit: int) -> Fix | None:
    """Try every offset of the suspect in a picture of at most limit x limit pixels; needs a readable header.

    plane: luma, 1 x 1 x H x W, grey levels. Returns None where nothing passes.
    """
    rows = limit // BLOCK
    layout = make_layout(secret, rows, rows)
    # A wrong step may pass as well, with a smaller score: the best one counts.
    scored = [(*_best_offset(plane, layout, step, rows), step) for step in steps]
    score, top, left, step = max(scored)
    return None if score < SEARCH_THRESHOLD else synchronise_at(plane, secret, (step,), top, left)


def synchronise_at(
    plane: Tensor, secret: Secret, steps: tuple[float, ...], top: int, left: int, *, thorough: bool = True
) -> Fix | None:
    """Read the header of a suspect whose first pixel is the picture's pixel (top, left); None where it cannot be read.

    plane: luma, 1 x 1 x H x W, grey levels. thorough: whether blur and the like are undone where it helps.
    """
    part, layout = _aligned(plane, secret, top, left)
    if layout is None:
        return None
    for read in (_direct, _undone) if thorough else (_direct,):
        fix = read(part, layout, steps)
        if fix is not None and fix.header is not None:
            return replace(fix, top=top, left=left)
    return None


def lies_beside(plane: Tensor, secret: Secret, fix: Fix) -> bool:
    """Whether the pilots agree better a pixel beside where a header was read; milliseconds.

    plane: luma, 1 x 1 x H x W, grey levels.
    """
    part = plane[..., : _GLIMPSE[0], : _GLIMPSE[1]]
    beside = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
    scores = [pilots_at(part, secret, fix.step, fix.top + down, fix.left + right) for down, right in beside]
    return max(scores) > scores[0]


def agreement_undone(plane: Tensor, secret: Secret, fix: Fix) -> float:
    """The pilots' agreement where a lattice was found, with blur and the like undone if that is more, standard
    deviations: a header can be read without, where nothing else can.

    plane: luma, 1 x 1 x H x W, grey levels.
    """
    part, layout = _aligned(plane, secret, fix.top, fix.left)
    undone = None if layout is None else _undone(part, layout, (fix.step,))
    return fix.z_score if undone is None else max(fix.z_score, undone.z_score)


def pilot_agreement(fix: Fix, size: tuple[int, int]) -> float:
    """The mean cosine of the pilots' phase errors in a suspect of so many working pixels."""
    return fix.z_score / math.sqrt(max(2 * (size[0] // BLOCK) * (size[1] // BLOCK), 1))


def pilots_at(plane: Tensor, secret: Secret, step: float, top: int, left: int) -> float:
    """The pilots' agreement of a suspect whose first pixel is the picture's pixel (top, left), standard deviations."""
    part, layout = _aligned(plane, secret, top, left)
    return 0.0 if layout is None else pilot_score(analyse(part)[0].cpu().numpy(), layout, step)


def _aligned(plane: Tensor, secret: Secret, top: int, left: int) -> tuple[Tensor, Layout | None]:
    """The suspect from its first whole block on, and the layout there; None where there are too few blocks."""
    part = plane[..., -top % BLOCK :, -left % BLOCK :]
    height, width = (side // BLOCK for side in part.shape[-2:])
    if height * width < _MINIMUM_BLOCKS:
        return part, None
    return part, make_layout(secret, height, width, top=-(-top // BLOCK), left=-(-left // BLOCK))


def _pilot_phasors(layout: Layout) -> Tensor:
    """What undoes the dither of pilots, 0 where a robust slot has none: slots x rows x columns, complex."""
    dither = torch.from_numpy(layout.dither[:ROBUST_SLOTS])
    has_pilot = torch.from_numpy(layout.order[:1]) == torch.arange(ROBUST_SLOTS)[:, None, None]
    return has_pilot * torch.polar(torch.ones_like(dither), -2 * torch.pi * dither)


def pilot_score(coefficients: NDArray[np.float32], layout: Layout, step: float) -> float:
    """The statistic for slot coefficients 14 x rows x columns at the layout's position, standard deviations."""
    return standardized(_phases(coefficients, layout, layout.order[:1], step))


def standardized(phases: NDArray[np.floating]) -> float:
    """The statistic for pilots' phases in cells, dither removed: standard normal where there is no such lattice."""
    return float(np.cos(2 * np.pi * phases).sum() / math.sqrt(max(phases.size, 1) / 2))


def read_header(
    coefficients: NDArray[np.float32], layout: Layout, step: float
) -> tuple[Header | None, NDArray[np.uint8]]:
    """The header that the chips say (None where its check fails), and the code bits as far as known.

    coefficients: 14 x rows x columns at the layout's position. Each chip votes with the sine of its phase, weighted
    by how well the pilots in its slot agree, and at first by how well they do in blocks as busy as its own.
    """
    sines = np.sin(2 * np.pi * _phases(coefficients, layout, layout.order[1:2], step)[0])
    sines *= np.where(layout.flips, -1, 1)
    evidence = np.zeros(CODE_BITS)
    # In small pictures a kind has few blocks, and what was tampered with may be most of it.
    for kinds in (_MOST_KINDS, 1):
        reliability = _reliability(coefficients, layout, step, kinds)
        votes = sines * reliability / (1 - reliability**2)
        evidence = np.bincount((layout.chips % CODE_BITS).ravel(), votes.ravel(), CODE_BITS).astype(np.float64)
        header = decode_header(evidence)
        if header is not None:
            return header, encode_header(header)
    return None, (evidence > 0).astype(np.uint8)


def _reliability(coefficients: NDArray[np.float32], layout: Layout, step: float, kinds: int) -> NDArray[np.float64]:
    """The mean cosine of chips' phase errors, [.02, .95], rows x columns, as the pilots tell it.

    kinds: of blocks, from calm to busy, at most.
    """
    slot = layout.order[0]
    pilots = np.cos(2 * np.pi * _phases(coefficients, layout, layout.order[:1], step)[0])
    agreement = np.array([pilots[slot == s].mean() if (slot == s).any() else 0 for s in range(ROBUST_SLOTS)])
    by_slot = np.clip(agreement, *_RELIABLE)
    # What scaling, noise and blur leave of a slot depends on how busy its block is, by a factor for all slots alike.
    busy = np.abs(coefficients).sum(0)
    count = min(kinds, max(1, pilots.size // _BLOCKS_OF_A_KIND))
    kind = np.digitize(busy, np.quantile(busy, np.linspace(0, 1, count + 1)[1:-1])).ravel()
    expected = by_slot[slot].ravel()
    # The least squares over the pilots of a kind, drawn towards 1; a cosine's own variance is a half at most.
    found, power = (np.bincount(kind, expected * of, count) for of in (pilots.ravel(), expected))
    factor = (found + _TOWARDS_ONE) / (power + _TOWARDS_ONE)
    reliability: NDArray[np.float64] = np.clip(by_slot[layout.order[1]] * factor[kind].reshape(slot.shape), *_RELIABLE)
    return reliability


def _phases(
    coefficients: NDArray[np.float32], layout: Layout, slots: NDArray[np.int64], step: float
) -> NDArray[np.float64]:
    """Phases in cells of the given slots (K x rows x columns), dither removed."""
    values = np.take_along_axis(coefficients, slots, 0).astype(np.float64)
    dither = np.take_along_axis(layout.dither, slots, 0)
    phases: NDArray[np.float64] = values / step - dither
    return phases


def _best_offset(plane: Tensor, layout: Layout, step: float, size: int) -> tuple[float, int, int]:
    """Correlate all 64 block phases with the pilot plane: best score, and the offset (top, left) in pixels."""
    device = plane.device
    reference = _pilot_phasors(layout).to(device)
    rows, columns = plane.shape[-2] // BLOCK, plane.shape[-1] // BLOCK
    shape = (_even(size + rows), _even(size + columns))
    spectrum = torch.fft.fft2(reference, s=shape)
    best = (0.0, 0, 0)
    for row in range(BLOCK):
        for column in range(BLOCK):
            coefficients = analyse(plane[..., row:, column:])[0, :ROBUST_SLOTS]
            height, width = coefficients.shape[-2:]
            if height * width < _MINIMUM_BLOCKS or height > size or width > size:
                continue
            angle = 2 * torch.pi * coefficients / step
            signal = torch.fft.fft2(torch.polar(torch.ones_like(angle), -angle), s=shape)
            score = torch.fft.ifft2((signal.conj() * spectrum).sum(0)).real
            score = score[: size - height + 1, : size - width + 1] / math.sqrt(height * width / 2)
            value, place = score.flatten().max(0)
            if float(value) > best[0]:
                top, left = divmod(int(place), score.shape[1])
                best = (float(value), top * BLOCK - row, left * BLOCK - column)
    return best


def _even(length: int) -> int:
    """A length that Fourier transforms like: a multiple of 32."""
    return -(-length // 32) * 32
