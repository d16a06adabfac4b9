"""Where a suspect shows something else than its symbols describe.

Whoever moves the coefficients of other content to the remainders that were there deceives pilots and header without any
key, and whoever changes colours alone does not touch them. The symbols still describe the original, each of them all
source blocks at once, under a mixing that only the key tells. So what they say beyond the draft, brought back through
the mixing, is what is wrong with the draft, block by block; and the draft is what the suspect's pixels show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.modulation import wrap
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.evidence import agreement_if_tampered, block_probability
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.models.lattice.receiver import QUICK, Draft
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.payload.source import (
    COEFFICIENTS,
    SOURCE_BLOCK,
    frequencies,
    from_grid,
    rgb_to_ycc,
    sender_scale,
    synthesise_source,
    to_grid,
)

# A block contradicts whose disagreement is so many times the median block's, and amounts to so many grey levels: of
# pictures that were not tampered with no block does both, but where colours were driven out of the gamut.
_BEYOND_CHANCE, _VISIBLE = 1.8, 13.0
# Where no symbol fits, the median block's disagreement is noise of the others, and less is needed to go on with.
_MOST_CONSPICUOUS = 1.1
# Symbols fit nothing that leave more doubt than this, and so many times what the evidence leaves open; they fit still
# where they leave less than the second. Tones changed by a third do so as well, but then V sees more than so much of
# the picture.
_UNFITTING, _FITTING, _TIMES = 0.35, 0.25, 2.5
# Where pilots and header chips agree by less than the first (mean cosine; JPEG 50 leaves .4), drafts of untouched
# pictures may not settle, and more times is needed: docs/experiments.md, "Symbols that fit nothing".
_CLEAR, _TIMES_UNCLEAR = 0.5, 5.0
SEEN = 0.02
_LEAST_COSINE = 0.05
# Working pixels, standard deviation: what the description lacks averages out over such an area.
_AVERAGED = 4.0
# Of a contradicting block's pixels, mean grey levels of difference, from which on they are what differs; if these are
# fewer than the share, all of the block is.
_DIFFERENT, _LEAST_SHARE = 12.0, 0.05
_CLOSED = 12
# A draft that the evidence leaves more open, and with more doubt (crops; JPEG 50 leaves .1), is what the prior expects,
# and symbols that say otherwise contradict nobody.
_UNTOLD = 0.4
# What was marked explains nothing where the draft without it leaves so many times the doubt.
_WORSE = 1.5
# A source block of which a suspect shows less contradicts nothing.
_LEAST_SHOWN = 0.05
_ROUNDS = 8


def contradicted(
    networks: LatticeNetworks, carrier: Carrier, reception: Reception, probability: Tensor, solution: Draft
) -> Tensor:
    """The probability with what the symbols contradict, whatever pilots say, as tampered with: 1 x 1 x H x W.

    probability: V's, 1 x 1 x H x W. solution: the draft that it was given.
    """
    if min(float(solution.open), float(solution.doubt)) > _UNTOLD:
        return probability
    marked = torch.zeros(carrier.grid.rows, carrier.grid.columns, dtype=torch.bool, device=carrier.device)
    agreed = float(agreement_if_tampered(carrier, reception, probability))
    doubted, lost, before = probability, fits_nothing(solution, probability, agreed), float(solution.doubt)
    for _ in range(_ROUNDS):
        lost = lost and not fits(solution)
        found = contradicting(disagreement(carrier, reception, solution, doubted), marked, lost=lost)
        if not bool(found.any()):
            break
        marked |= found
        doubted = torch.maximum(probability, on_picture(marked, carrier))
        solution = networks.solve(carrier, reception, doubted, QUICK)
    if lost and not fits(solution):
        # Not to be told where: what the symbols describe is not this picture.
        return torch.ones_like(probability)
    if not bool(marked.any()) or float(solution.doubt) > _WORSE * before:
        return probability
    return torch.maximum(probability, different(reception, solution, on_picture(marked, carrier)))


@dataclass(frozen=True)
class Disagreement:
    """By source block, of luma and of both colour differences: N x 2 x rows x columns. ratio: of what symbols say
    against the draft to that of the median block; 1.2 by chance. level: its root mean square, grey levels, as if it
    were exact."""

    ratio: Tensor
    level: Tensor


def disagreement(carrier: Carrier, reception: Reception, solution: Draft, probability: Tensor) -> Disagreement:
    """What symbols say against a draft.

    probability: N x 1 x H x W, that a pixel was tampered with; the symbols of such blocks do not count.
    """
    grid, count = carrier.grid, len(reception.data)
    weight = (reception.known * (1 - block_probability(probability, carrier))).expand_as(reception.data)
    scale = (carrier.amplitude * reception.scale).view(-1, 1)
    predicted = (carrier.mixing.forward(solution.coefficients) / scale).view_as(reception.data)
    turns = 2 * math.pi * wrap(reception.data - carrier.gains * predicted)
    total = weight.sum((1, 2, 3)).clamp_min(1e-6)
    cosine = ((torch.cos(turns) * weight).sum((1, 2, 3)) / total).clamp_min(_LEAST_COSINE)
    cells = torch.sin(turns) / (2 * math.pi * cosine.view(-1, 1, 1, 1))
    power = (carrier.gains**2 * weight).sum((1, 2, 3)).clamp_min(1e-6)
    back = carrier.mixing.transposed((cells * carrier.gains * weight).flatten(1))
    missing = (back * scale * (carrier.mixing.length / power)[:, None]).view(count, -1, COEFFICIENTS)
    missing = _without_saturation(missing, solution.coefficients.view_as(missing))
    units, luma = sender_scale(missing.device).square(), frequencies(missing.device)[0] == 0
    ratios, levels = [], []
    for which in (luma, ~luma):
        scaled = units[which]
        energy = missing[..., which].square()
        mean = energy.mean(2) * _where_shown(missing * which, carrier, reception)
        power = (energy * scaled).sum(2) * _where_shown(missing * which * units.sqrt(), carrier, reception)
        # The median of those that are shown: blocks that were cut away disagree with nothing.
        median = mean.where(mean > 0, torch.nan).nanmedian(1, keepdim=True).values.nan_to_num().clamp_min(1e-12)
        ratios.append(mean / median)
        levels.append((power - median * scaled.sum()).clamp_min(0).sqrt() / SOURCE_BLOCK)
    shape = (count, 2, grid.rows, grid.columns)
    return Disagreement(torch.stack(ratios, 1).view(shape), torch.stack(levels, 1).view(shape))


def _where_shown(missing: Tensor, carrier: Carrier, reception: Reception) -> Tensor:
    """How strong what is missing of a source block is where the suspect shows it, against all of it: N x blocks.

    What was cut away of a block may be anything: symbols that tell it contradict nobody. missing: N x blocks x
    coefficients.
    """
    count, grid = len(missing), carrier.grid
    if bool(reception.known.min() >= 1):
        return missing.new_ones(missing.shape[:2])
    picture = rgb_to_ycc(synthesise_source(missing.view(count, grid.rows, grid.columns, -1)))
    power = picture.square().sum(1, keepdim=True)
    known = functional.interpolate(reception.known, size=(carrier.height, carrier.width), mode="nearest")
    known = to_grid(known, grid).clamp(0, 1)
    shown, inside, whole = (functional.avg_pool2d(x, SOURCE_BLOCK) for x in (known, power * known, power))
    share = inside / (shown * whole).clamp_min(1e-12)
    return torch.where(shown > _LEAST_SHOWN, share, 0).flatten(1)


def _without_saturation(missing: Tensor, drafted: Tensor) -> Tensor:
    """Less a factor for all colour differences, since a change of saturation is benign and symbols contradict it."""
    result = missing.clone()
    channel = frequencies(missing.device)[0]
    for which in (1, 2):
        at = channel == which
        wrong, of = missing[..., at], drafted[..., at]
        # The median block's, so that what was tampered with has no say.
        factor = (wrong * of).sum(2) / of.square().sum(2).clamp_min(1e-6)
        result[..., at] = wrong - factor.median(1).values[:, None, None] * of
    return result


def fits_nothing(solution: Draft, probability: Tensor, agreed: float) -> bool:
    """Whether symbols are far from the draft although pilots are what they should be (N = 1).

    agreed: the mean cosine of the phase errors of pilots and header chips.
    """
    seen = bool((probability > 0.5).float().mean() > SEEN)
    times = _TIMES if agreed >= _CLEAR else _TIMES_UNCLEAR
    return not seen and bool(solution.doubt > max(_UNFITTING, times * float(solution.open)))


def fits(solution: Draft) -> bool:
    """Whether symbols fit a draft made after something was marked (N = 1)."""
    return bool(solution.doubt < max(_FITTING, _TIMES * float(solution.open)))


def contradicting(found: Disagreement, marked: Tensor, *, lost: bool) -> Tensor:
    """Which source blocks contradict that were not marked yet, rows x columns (N = 1).

    marked: rows x columns. lost: whether symbols fit nothing; then the most conspicuous blocks.
    """
    ratio, level = found.ratio[0], found.level[0]
    beyond = ((ratio > _BEYOND_CHANCE) & (level > _VISIBLE)).any(0) & ~marked
    if lost and not bool(beyond.any() | marked.all()):
        beyond = (ratio[0] > max(_MOST_CONSPICUOUS, float(ratio[0][~marked].max()) ** 0.5)) & ~marked
    return beyond


def on_picture(blocks: Tensor, carrier: Carrier) -> Tensor:
    """Source blocks, rows x columns, as 1 x 1 x H x W of 0 and 1."""
    whole = functional.interpolate(blocks[None, None].float(), scale_factor=SOURCE_BLOCK, mode="nearest")
    return (from_grid(whole, carrier.height, carrier.width) > 0.5).float()


def different(reception: Reception, solution: Draft, blocks: Tensor) -> Tensor:
    """Of contradicting blocks, 1 x 1 x H x W of 0 and 1, the pixels where suspect and draft differ: the same."""
    off = solution.picture.clamp(0, 255) - reception.picture
    mean = _averaged(off).square().mean(1, keepdim=True).sqrt()
    # Closed: where both happen to be alike for a few pixels, what is around them tells.
    reach = 2 * _CLOSED + 1
    spread = functional.max_pool2d((mean > _DIFFERENT).float() * blocks, reach, 1, _CLOSED)
    pixels = (1 - functional.max_pool2d(1 - spread, reach, 1, _CLOSED)) * blocks
    enough = float(pixels.sum()) > _LEAST_SHARE * float(blocks.sum())
    return pixels if enough else blocks


def _averaged(planes: Tensor) -> Tensor:
    reach = math.ceil(3 * _AVERAGED)
    at = torch.arange(-reach, reach + 1, device=planes.device)
    taps = torch.exp(-(at**2) / (2 * _AVERAGED**2))
    taps = (taps / taps.sum()).expand(planes.shape[1], 1, 1, -1)
    padded = functional.pad(planes, (reach,) * 4, mode="replicate")
    across = functional.conv2d(padded, taps, groups=planes.shape[1])
    return functional.conv2d(across, taps.transpose(2, 3), groups=planes.shape[1])
