"""How bright a suspect was before its levels were changed: the lattice tells contrast, and nothing of brightness.

Undoing a gain keeps every mean, and pilots look the same under any. Symbols describe how bright the original was, each
of them all of it at once: so one number, by what all levels are off, makes what the pixels describe agree with what was
sent. Without it the whites of a darkened picture are grey, and carry nothing, as if somebody had painted them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.transform import BLOCK, luma
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.clipping import STRETCHED, cut_off, stretched
from imuge_cli.models.lattice.evidence import block_probability, block_weight, guess
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.models.protocol import Tone
from imuge_cli.payload.source import SOURCE_BLOCK, analyse_source, sender_scale

# Red, green and blue.
Colour = tuple[float, float, float]
# Grey levels: as far, and as finely, as it is looked for; and what is near enough.
_FARTHEST, _COARSE, _FINE = 64.0, 2.0, 0.25
# V suspects what it gives more than that.
_SUSPECTED = 0.5
# What was cut off is where the offset says, and misleads about the offset.
_ROUNDS = 4
# What levels are off by must explain the symbols better by so many standard deviations to be looked at, and to be
# believed; to be believed of fewer source blocks than so many, by more; and be as many grey levels.
_WORTH_A_LOOK, _BELIEVED, _BELIEVED_OF_FEW, _FEW, _LEAST = 1.0, 1.5, 5.0, 8, 1.0
# Such a share of what a suspect shows must be off alike. Of blocks of which less is shown nothing is told, and so is
# where symbols agree by less (mean cosine).
_MOST, _SHOWN, _LEAST_COSINE = 0.75, 0.3, 0.1
# What is a considerable change of brightness, grey levels.
_MOVED = 4.0
# Channels count as changed each by itself where symbols agree better so by as many standard deviations.
_BALANCED = 3.0
# One grey level of either colour difference in red, green and blue, of which luma is 0, and in how many steps to either
# side it is looked for.
_COLOURS, _COLOUR_STEPS = ((0.0, -0.344, 1.772), (1.402, -0.714, 0.0)), 16
_GREY = (1.0, 1.0, 1.0)
# As many symbols tell it as well as all do.
_ENOUGH = 1 << 15
# Offsets that are tried together: more take megabytes.
_TOGETHER = 8


def levelled(carrier: Carrier, reception: Reception, probability: Tensor) -> Reception:
    """The reception with the picture's levels where they were (N = 1).

    probability: 1 x 1 x H x W, that a pixel was tampered with, as far as it is known.
    """
    # V may take for tampered with what was only darkened: nothing of the kind is another thing to suppose.
    supposed = [torch.zeros_like(probability)]
    if bool((probability > _SUSPECTED).any()):
        supposed.append(probability)
    alike = _brightened(carrier, reception, supposed, torch.zeros_like(reception.shift))
    plain = torch.ones_like(reception.balance)
    balances = [] if torch.equal(reception.balance, plain) else [reception.balance]
    if bool(stretched(reception.gain)):
        # Phases may tell little of the channels.
        balances.append(plain)
    best, least = alike, _fit(carrier, alike, supposed) + _BALANCED if balances else 0.0
    for balance in balances:
        apart = _balanced(carrier, replace(reception, balance=balance), supposed)
        apart = _brightened(carrier, apart, supposed, apart.shift)
        fit = _fit(carrier, apart, supposed)
        if fit > least:
            best, least = apart, fit
    return best


def _balanced(carrier: Carrier, reception: Reception, supposed: list[Tensor]) -> Reception:
    """The reception with each channel divided by its balance, and brought to the colour that symbols tell of."""
    gain = reception.gain * reception.balance
    divided = (reception.unlimited - reception.shift[..., None, None]) / reception.balance[..., None, None]
    mean = (divided * gain[..., None, None]).mean((2, 3))
    reception = replace(reception, gain=gain, balance=torch.ones_like(gain))
    # Multiplied about black, about the channel's mean, or about white.
    starts = [pivot * (1 - 1 / gain) for pivot in (torch.zeros_like(mean), mean, torch.full_like(mean, 255))]
    shift = _coloured(carrier, reception, supposed, divided, starts)
    if shift is None:
        shift = max(starts, key=lambda start: _fit(carrier, _seen(reception, divided, start), supposed))
    unlimited = divided + shift[..., None, None]
    return replace(
        reception,
        picture=unlimited.clamp(0, 255),
        unlimited=unlimited,
        clipped=cut_off(reception.limits, gain, shift),
        shift=shift,
    )


def _coloured(
    carrier: Carrier, reception: Reception, supposed: list[Tensor], divided: Tensor, starts: list[Tensor]
) -> Tensor | None:
    """What to add to each channel for symbols to fit best, 1 x 3, grey levels, near one of some starts; None where not
    most source blocks say so, for they may have been tampered with."""
    tried = [
        (max((_offset(carrier, _seen(reception, divided, at), p, 0.0) for p in supposed), key=_likelihood), at)
        for at in starts
    ]
    found, start = max(tried, key=_of_first)
    shift = start + found.offset
    offsets = [_COARSE * number for number in range(-_COLOUR_STEPS, _COLOUR_STEPS + 1)]
    for colour in _COLOURS * 2:
        seen = _seen(reception, divided, shift)
        scores = [_agreement(carrier, seen, p, offsets, colour) for p in supposed]
        shift = shift + offsets[int(max(scores, key=_highest).argmax())] * shift.new_tensor(colour)
    # Symbols agree best with what levels are off by on the whole, of which what was tampered with is a part.
    directions = shift.new_tensor((_GREY, *_COLOURS))
    for _ in range(_ROUNDS):
        seen = _seen(reception, divided, shift)
        likely = max(supposed, key=lambda p: float(_agreement(carrier, seen, p, [0.0])))
        off, shown, cosine = _off_by_block(carrier, seen, likely, (_GREY, *_COLOURS))
        if cosine < _LEAST_COSINE or not bool((shown > _SHOWN).any()):
            return None
        change = off[:, shown > _SHOWN].median(1).values
        shift = shift + change @ directions
        if float(change.abs().max()) < _FINE:
            break
    # In red, green and blue: by how much each block is off now, and would be at the start.
    off = (off - change[:, None]).T @ directions
    nearer = (off.square().sum(1) < (off + shift - start).square().sum(1)).float()
    return shift if bool((shown * nearer).sum() >= _MOST * shown.sum()) else None


def _seen(reception: Reception, divided: Tensor, shift: Tensor) -> Reception:
    """With levels that were divided and then moved, and what was cut off about where it was."""
    return replace(reception, picture=divided + shift[..., None, None] + _between(reception, shift))


def _fit(carrier: Carrier, reception: Reception, supposed: list[Tensor]) -> float:
    return max(float(_agreement(carrier, reception, p, [0.0])) for p in supposed)


def _highest(scores: Tensor) -> float:
    return float(scores.max())


def _brightened(carrier: Carrier, reception: Reception, supposed: list[Tensor], base: Tensor) -> Reception:
    """The reception as bright as it was.

    supposed: 1 x 1 x H x W each, how probably tampered with pixels are. base: 1 x 3, what of `shift` stays; the rest of
    it kept the mean of each channel where it was, which says nothing.
    """
    undone = reception.shift - base
    divided = reception.unlimited - undone[..., None, None] if bool(undone.any()) else reception.unlimited
    kept = float(luma(undone[..., None, None]))
    best, spread = None, torch.zeros(1, device=divided.device)
    for _ in range(_ROUNDS):
        seen = replace(reception, picture=divided + spread if best else divided)
        found, which = max(((_offset(carrier, seen, p, kept), p) for p in supposed), key=_of_first)
        if best is not None and found.agreement <= best.agreement:
            break
        best, used, supposed = found, spread, [which]
        spread = _between(reception, base + best.offset)
        if not bool(spread.any()):
            break
    if best is None or best.better < _WORTH_A_LOOK:
        return reception
    offset = _settled(carrier, replace(reception, picture=divided + used), supposed[0], best.offset, kept)
    if offset is None:
        return reception
    shift = base + offset
    return replace(
        reception,
        picture=(divided + _between(reception, shift) + offset).clamp(0, 255),
        clipped=cut_off(reception.limits, reception.gain, shift),
        shift=shift,
    )


def tone(reception: Reception) -> Tone | None:
    """How the suspect's levels were changed, None where not considerably (N = 1)."""
    gain, shift = reception.gain[0], reception.shift[0]
    if not bool(stretched(reception.gain)) and float(shift.abs().max()) <= _MOVED:
        return None
    contrast = float(luma(gain[None, :, None, None]))
    apart = bool(gain.max() > gain.min() * (1 + STRETCHED))
    # Means that were kept, each channel's its own, say nothing of brightness.
    known = apart or bool((shift == shift[0]).all())
    return Tone(
        contrast=contrast,
        brightness=-float(luma((gain * shift)[None, :, None, None])) if known else None,
        channels=(float(gain[0]), float(gain[1]), float(gain[2])) if apart else None,
    )


def as_suspect(reception: Reception, picture: Tensor) -> Tensor:
    """A picture with the levels that the suspect has, 1 x 3 x H x W: what is put into it must not stand out. A small
    gain may be a part of what undid a blur, and says nothing of levels."""
    if tone(reception) is None:
        return picture
    result: Tensor = (picture - reception.shift[..., None, None]) * reception.gain[..., None, None]
    return result


def _between(reception: Reception, shift: Tensor) -> Tensor:
    """What to add to values that were cut off: they were somewhere between where the limit is now and white, or black;
    1 x 3 x H x W, grey levels. shift: 1 x 3, see `Reception`."""
    to_white = (255 - 255 / reception.gain - shift).clamp_min(0)[..., None, None]
    to_black = shift.clamp_min(0)[..., None, None]
    return torch.where(reception.limits > 0, to_white, to_black) * reception.limits / 2


@dataclass(frozen=True)
class _Offset:
    """offset: what to add to the picture for symbols to fit best, grey levels. agreement: how well they do then, and
    better: by how much better than with means where they are, standard deviations."""

    offset: float
    agreement: float
    better: float


def _likelihood(found: _Offset) -> float:
    return found.agreement


def _of_first(found: tuple[_Offset, Tensor]) -> float:
    return found[0].agreement


def _settled(carrier: Carrier, reception: Reception, probability: Tensor, offset: float, kept: float) -> float | None:
    """The offset of the median source block, near another; None where it is `kept`, or not most blocks have it: they
    are off because some of them were tampered with, and by more."""
    for _ in range(_ROUNDS):
        moved_there = replace(reception, picture=reception.picture + offset)
        (off,), shown, cosine = _off_by_block(carrier, moved_there, probability, (_GREY,))
        if cosine < _LEAST_COSINE or not bool((shown > _SHOWN).any()):
            return None
        change = float(off[shown > _SHOWN].median())
        offset += change
        if abs(change) < _FINE:
            break
    moved = offset - kept
    nearer = ((off - change).abs() < (off - change + moved).abs()).float()
    if abs(moved) < _LEAST or bool((shown * nearer).sum() < _MOST * shown.sum()):
        return None
    few = int((shown > _SHOWN).sum()) < _FEW
    better = _agreement(carrier, reception, probability, [offset, kept])
    return offset if float(better[0] - better[1]) > (_BELIEVED_OF_FEW if few else _BELIEVED) else None


def _off_by_block(
    carrier: Carrier, reception: Reception, probability: Tensor, colours: tuple[Colour, ...]
) -> tuple[Tensor, Tensor, float]:
    """By how much source blocks are darker than symbols say, grey levels, a row for each colour that levels may lack;
    the share of each block that is shown; and the mean cosine of what symbols are off."""
    trust, weight, described = _described(carrier, reception, probability)
    turns = 2 * math.pi * (reception.data - described)
    cosine = float((torch.cos(turns) * trust).sum() / trust.expand_as(turns).sum().clamp_min(1e-6))
    # What symbols say beyond the picture, brought back through the mixing: as in `contradiction.disagreement`.
    cells = torch.sin(turns) / (2 * math.pi * max(cosine, _LEAST_COSINE))
    back = carrier.mixing.transposed((cells * carrier.gains * trust).flatten(1))
    missing = back * carrier.amplitude * reception.scale / (carrier.gains**2 * trust).mean().clamp_min(1e-6)
    blocks = carrier.grid.rows * carrier.grid.columns
    more = torch.cat([_one_more(carrier, colour) for colour in colours]).view(len(colours), blocks, -1)
    off = (missing.view(1, blocks, -1) * more).sum(2) / more.square().sum(2)
    return off, functional.avg_pool2d(weight, SOURCE_BLOCK // BLOCK).flatten(), cosine


def _described(carrier: Carrier, reception: Reception, probability: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How far blocks are trusted, how far their pixels count, and the symbols of what the pixels show: N x 12 x rows x
    columns, cells."""
    trust = (1 - block_probability(probability, carrier)).clamp(0, 1) * reception.known
    weight = block_weight(carrier, reception, trust)
    symbols = carrier.mixing.forward(guess(carrier, reception, weight)) / (carrier.amplitude * reception.scale)
    return trust, weight, symbols.view_as(reception.data) * carrier.gains


def _offset(carrier: Carrier, reception: Reception, probability: Tensor, kept: float) -> _Offset:
    """kept: what to add for the mean to be where it is."""
    tried = torch.arange(-_FARTHEST, _FARTHEST + _COARSE, _COARSE, device=carrier.device) + kept
    scores = _agreement(carrier, reception, probability, tried.tolist())
    place = int(scores.argmax())
    best = float(scores[place])
    return _Offset(float(tried[place]), best, best - float(scores[len(tried) // 2]))


def _agreement(
    carrier: Carrier, reception: Reception, probability: Tensor, offsets: list[float], colour: Colour = _GREY
) -> Tensor:
    """How well symbols agree with the picture with each of some offsets, standard deviations. colour: what one
    is of each channel."""
    trust, _, described = _described(carrier, reception, probability)
    grown = carrier.mixing.forward(_one_more(carrier, colour)) / (carrier.amplitude * reception.scale)
    brighter = grown.view_as(described) * carrier.gains
    chosen = slice(None, None, -(-carrier.mixing.outputs // _ENOUGH))
    off, each, weight = (
        t.expand_as(described).flatten(1)[:, chosen] for t in (reception.data - described, brighter, trust)
    )
    total = torch.cat(
        [
            (torch.cos(2 * math.pi * (off - some[:, None] * each)) * weight).sum(1)
            for some in torch.split(off.new_tensor(offsets), _TOGETHER)
        ]
    )
    return total / math.sqrt(max(float(weight.square().sum()) / 2, 1.0))


def _one_more(carrier: Carrier, colour: Colour) -> Tensor:
    """By how much coefficients grow, 1 x grid.size in the sender's units, with a colour added everywhere."""
    black = torch.zeros(1, 3, carrier.grid.height, carrier.grid.width, device=carrier.device)
    grown = analyse_source(black + black.new_tensor(colour).view(1, 3, 1, 1)) - analyse_source(black)
    return (grown / sender_scale(carrier.device)).flatten(1)
