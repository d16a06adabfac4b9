"""What the pixels that were not tampered with say of the picture's coefficients."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.transform import BLOCK
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.channel import Noise, agreement, grey_noise
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.payload.filling import filled
from imuge_cli.payload.solver import PixelEvidence
from imuge_cli.payload.source import (
    BAND,
    SOURCE_BLOCK,
    analyse_source,
    bands_of_picture,
    cells_of_picture,
    frequencies,
    sender_scale,
    to_grid,
)

# What is probably tampered with would mislead: trust in pixels falls faster than probability, by this power.
CARE = 8
# What the description leaves out is no white noise, and JPEG smears what was tampered with over the rest of its block:
# the variance of cells counts so many times. Measured: at JPEG 50 .1 to .25 dB are won, elsewhere nothing is lost.
_CELL_CAUTION = 4.0
# A source block whose pixels count this much counts as wholly intact.
_WHOLE = 0.7


@dataclass(frozen=True)
class Statistics:
    """What the receiver has learned about photographs; may change with every set of weights.

    variance: COEFFICIENTS values, grey levels squared: how large a coefficient is. residue: 3 x 4 x 4, grey levels
    squared: how far the bands of an immunized picture's pixels lie from the bands of its description. damage_floor,
    damage_slope: COEFFICIENTS values: an attack whose noise has the variance g in the robust slots (grey levels
    squared) changes a coefficient by damage_floor + damage_slope * g (variance, grey levels squared).
    """

    variance: Tensor
    residue: Tensor
    damage_floor: Tensor
    damage_slope: Tensor


def guess(carrier: Carrier, reception: Reception, weight: Tensor) -> Tensor:
    """Coefficients, N x grid.size in the sender's units, of the picture with what is lost filled in from around it."""
    picture = to_grid(reception.picture, carrier.grid) - 128
    continued = filled(picture, functional.interpolate(weight, scale_factor=BLOCK, mode="nearest")) + 128
    return (analyse_source(continued) / sender_scale(weight.device)).flatten(1)


def block_probability(probability: Tensor, carrier: Carrier) -> Tensor:
    """Per-pixel probability N x 1 x H x W to blocks N x 1 x rows x columns: the worst quarter of each block."""
    whole = probability[..., : carrier.rows * BLOCK, : carrier.columns * BLOCK]
    return functional.max_pool2d(functional.avg_pool2d(whole, BLOCK // 2), 2)


def agreement_if_tampered(carrier: Carrier, reception: Reception, probability: Tensor) -> Tensor:
    """`channel.agreement`, N, by how likely blocks are intact. probability: N x 1 x H x W, that a pixel was changed."""
    return agreement(reception, 1 - block_probability(probability, carrier))


def block_weight(carrier: Carrier, reception: Reception, trust: Tensor) -> Tensor:
    """How far the pixels of the grid's 8 x 8 blocks count, in [0, 1]: N x 1 x grid height / 8 x grid width / 8."""
    height, width = reception.picture.shape[-2:]
    blocks = functional.pad(trust, (0, -(-width // BLOCK) - carrier.columns, 0, -(-height // BLOCK) - carrier.rows))
    shape = (carrier.grid.height // BLOCK, carrier.grid.width // BLOCK)
    if blocks.shape[-2:] != shape:
        # The least trusted of the blocks that a resampled block may touch decides.
        blocks = -functional.max_pool2d(-blocks, 3, 1, 1)
        blocks = functional.interpolate(blocks, size=shape, mode="nearest")
    return blocks**CARE


def pixel_evidence(
    carrier: Carrier,
    reception: Reception,
    probability: Tensor,
    weight: Tensor,
    noise: Noise,
    statistics: Statistics,
    *,
    certain: bool,
) -> PixelEvidence:
    """What pixels say. probability: as `draft` takes it; weight: from `block_weight`.

    certain: whether partly tampered blocks' intact pixels are evidence too, and wholly intact source blocks read off.
    """
    grey = _on_grid(carrier, grey_noise(reception, noise))
    pixels = _bands(carrier, reception, weight, grey, statistics)
    if certain:
        intact = _intact(weight)
        pixels = _with_whole_blocks(carrier, reception, intact, grey, statistics, pixels)
        pixels = _with_cells(carrier, reception, probability, weight, intact, grey, statistics, pixels)
    return pixels if reception.ramp is None else _of_luma_alone(pixels)


def _of_luma_alone(pixels: PixelEvidence) -> PixelEvidence:
    """What pixels say of which the colours were taken away."""

    def luma_alone(precision: Tensor) -> Tensor:
        nothing = torch.zeros_like(precision)
        nothing[:, 0] = precision[:, 0]
        return nothing

    cells, whole = pixels.cell_precision, pixels.whole_precision
    return replace(
        pixels,
        precision=luma_alone(pixels.precision),
        cell_precision=None if cells is None else luma_alone(cells),
        whole_precision=None if whole is None else whole * (frequencies(whole.device)[0] == 0),
    )


def _on_grid(carrier: Carrier, blocks: Tensor) -> Tensor:
    """Values by block of the picture, N x 1 x rows x columns, by 8 x 8 block of the source grid."""
    padding = (0, -(-carrier.width // BLOCK) - carrier.columns, 0, -(-carrier.height // BLOCK) - carrier.rows)
    padded = functional.pad(blocks, padding, mode="replicate")
    shape = (carrier.grid.height // BLOCK, carrier.grid.width // BLOCK)
    return padded if padded.shape[-2:] == shape else functional.interpolate(padded, size=shape, mode="nearest")


def _bands(
    carrier: Carrier, reception: Reception, weight: Tensor, grey: Tensor, statistics: Statistics
) -> PixelEvidence:
    grid = carrier.grid
    n, per = weight.shape[0], SOURCE_BLOCK // BLOCK
    tiles, noise = (
        t.view(n, 1, grid.rows, per, grid.columns, per).permute(0, 1, 2, 4, 3, 5)[:, :, :, :, :, None, :, None]
        for t in (weight, grey)
    )
    precision = tiles / (statistics.residue[None, :, None, None, None, :, None, :] + noise)
    side = per * BAND
    values = bands_of_picture(to_grid(reception.picture, grid))
    return PixelEvidence(values=values, precision=precision.reshape(n, 3, grid.rows, grid.columns, side, side))


def _with_whole_blocks(
    carrier: Carrier, reception: Reception, intact: Tensor, grey: Tensor, statistics: Statistics, pixels: PixelEvidence
) -> PixelEvidence:
    """Where all of a source block is intact its coefficients are read off; bands tell them less well."""
    grid = carrier.grid
    per = SOURCE_BLOCK // BLOCK
    average = functional.avg_pool2d(grey, per)[:, 0, :, :, None]
    damage = statistics.damage_floor + statistics.damage_slope * average
    return replace(
        pixels,
        precision=pixels.precision * (1 - intact)[..., None, None],
        whole=analyse_source(to_grid(reception.picture, grid)),
        whole_precision=intact[:, 0, :, :, None] / damage,
    )


def _intact(weight: Tensor) -> Tensor:
    """How far all of each source block counts as intact, in [0, 1]: N x 1 x rows x columns."""
    least = -functional.max_pool2d(-weight, SOURCE_BLOCK // BLOCK)
    # V is never wholly certain. What bands and cells had left to say would be little, but cost their transforms in
    # every step of the solver.
    return torch.where(least < _WHOLE, least, torch.ones_like(least))


def _with_cells(
    carrier: Carrier,
    reception: Reception,
    probability: Tensor,
    weight: Tensor,
    intact: Tensor,
    grey: Tensor,
    statistics: Statistics,
    pixels: PixelEvidence,
) -> PixelEvidence:
    """Evidence of 2 x 2 pixels where the block as a whole gives none."""
    grid = carrier.grid
    height, width = reception.picture.shape[-2:]
    inside = functional.interpolate(reception.known, scale_factor=BLOCK, mode="nearest")
    inside = functional.pad(inside, (0, width - inside.shape[-1], 0, height - inside.shape[-2]))
    lost = torch.maximum(probability, 1 - inside)
    if (height, width) != (grid.height, grid.width):
        lost = functional.max_pool2d(to_grid(lost, grid), 3, 1, 1)
    trust = (1 - functional.max_pool2d(lost, 2)).clamp(0, 1) ** CARE
    trust = (trust - functional.interpolate(weight, scale_factor=BAND, mode="nearest")).clamp_min(0)
    part = (intact < 1).float()
    trust = trust * functional.interpolate(part, scale_factor=SOURCE_BLOCK // 2, mode="nearest")
    side = SOURCE_BLOCK // 2
    variance = functional.interpolate(grey, scale_factor=BAND, mode="nearest")
    tiles, variance = (
        t.view(len(trust), 1, grid.rows, side, grid.columns, side).permute(0, 1, 2, 4, 3, 5) for t in (trust, variance)
    )
    residue = statistics.residue.mean((1, 2))[None, :, None, None, None, None]
    precision = tiles / (_CELL_CAUTION * (residue + variance))
    cells = cells_of_picture(to_grid(reception.picture, grid))
    return replace(pixels, cells=cells, cell_precision=precision, cell_trust=tiles[:, 0])


def shown_share(weight: Tensor, pixels: PixelEvidence, *, sober: bool) -> Tensor:
    """The share of each source block's area of which pixels tell: N x rows x columns.

    sober: cells count by how far they are trusted. Otherwise every cell counts of which anything is told: where V is
    nowhere quite sure, that is all of the picture, and the solution passes for more certain than it is.
    """
    shown = functional.avg_pool2d(weight, SOURCE_BLOCK // BLOCK)[:, 0]
    if pixels.cell_trust is not None:
        told = pixels.cell_trust if sober else (pixels.cell_trust > 0).float()
        shown = shown + told.mean((3, 4))
    return shown.clamp(0, 1)
