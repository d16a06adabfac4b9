"""What colour a suspect had before its levels were changed: the lattice tells contrast, and nothing of brightness.

Undoing a gain keeps every mean, and pilots look the same under any. Symbols describe how bright the original was, each
of them all of it at once: so one number, by what all levels are off, makes what the pixels describe agree with what was
sent; or three, where channels were changed each by itself. Without it the whites of a darkened picture are grey, and
carry nothing, as if somebody had painted them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from imuge_cli.lattice.transform import luma
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.clipping import STRETCHED, cut_off, stretched
from imuge_cli.models.lattice.level_fit import (
    COARSE,
    GREY,
    LEAST_COSINE,
    Symbols,
    best_offset,
    channels_more,
    off_by_block,
)
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.models.lattice.toning import toned
from imuge_cli.models.protocol import Tone

# V suspects what it gives more than that.
_SUSPECTED = 0.5
# What was cut off is where the offset says, and misleads about the offset. Grey levels: what is near enough.
_ROUNDS, _FINE = 4, 0.25
# What levels are off by must explain the symbols better by so many standard deviations to be looked at, and to be
# believed; to be believed of fewer source blocks than so many, by more; and be as many grey levels.
_WORTH_A_LOOK, _BELIEVED, _BELIEVED_OF_FEW, _FEW, _LEAST = 1.0, 1.5, 5.0, 8, 1.0
# Such a share of what a suspect shows must be off alike. Of blocks of which less is shown nothing is told.
_MOST, _SHOWN = 0.75, 0.3
# What is a considerable change of brightness, grey levels.
_MOVED = 4.0
# Channels count as changed each by itself where symbols agree better so by as many standard deviations.
_BALANCED = 3.0
# One grey level of either colour difference in red, green and blue, of which luma is 0, and in how many steps to either
# side it is looked for.
_COLOURS, _COLOUR_STEPS = ((0.0, -0.344, 1.772), (1.402, -0.714, 0.0)), 16


def levelled(carrier: Carrier, reception: Reception, probability: Tensor) -> Reception:
    """The reception with the picture's levels where they were (N = 1).

    probability: 1 x 1 x H x W, that a pixel was tampered with, as far as it is known.
    """
    # V may take for tampered with what was only darkened: nothing of the kind is another thing to suppose.
    supposed = [torch.zeros_like(probability)]
    if bool((probability > _SUSPECTED).any()):
        supposed.append(probability)
    told = _Told(carrier, supposed, channels_more(carrier))
    alike = _brightened(told, reception, torch.zeros_like(reception.shift))
    plain = torch.ones_like(reception.balance)
    balances = [] if torch.equal(reception.balance, plain) else [reception.balance]
    if bool(stretched(reception.gain)):
        # Phases may tell little of the channels.
        balances.append(plain)
    best, least = alike, told.fit(alike) + _BALANCED if balances else 0.0
    for balance in balances:
        apart = _balanced(told, replace(reception, balance=balance))
        apart = _brightened(told, apart, apart.shift)
        fit = told.fit(apart)
        if fit > least:
            best, least = apart, fit
    return best


@dataclass(frozen=True)
class _Told:
    """What symbols are asked by about the levels of one suspect.

    supposed: 1 x 1 x H x W each, how probably tampered with pixels are. more: see `channels_more`.
    """

    carrier: Carrier
    supposed: list[Tensor]
    more: Tensor

    def by(self, reception: Reception, probability: Tensor) -> Symbols:
        """By one supposition."""
        return Symbols(self.carrier, reception, probability, self.more)

    def fit(self, reception: Reception) -> float:
        """How well symbols agree with the picture as it is, standard deviations."""
        still = reception.shift.new_zeros(1, 3)
        return max(float(self.by(reception, p).agreement(still)) for p in self.supposed)


def _balanced(told: _Told, reception: Reception) -> Reception:
    """The reception with each channel divided by its balance, and brought to the colour that symbols tell of."""
    gain = reception.gain * reception.balance
    divided = (reception.unlimited - reception.shift[..., None, None]) / reception.balance[..., None, None]
    mean = (divided * gain[..., None, None]).mean((2, 3))
    reception = replace(
        reception,
        gain=gain,
        balance=torch.ones_like(gain),
        errors=reception.balanced_errors,
        data=reception.balanced_data,
        fine=None,
    )
    # Multiplied about black, about the channel's mean, or about white.
    starts = torch.cat([pivot * (1 - 1 / gain) for pivot in (torch.zeros_like(mean), mean, torch.full_like(mean, 255))])
    symbols = [told.by(replace(reception, picture=divided), p) for p in told.supposed]
    shift = _coloured(told, reception, divided, symbols, starts)
    if shift is None:
        scores = torch.stack([told_by.agreement(starts) for told_by in symbols]).amax(0)
        shift = starts[int(scores.argmax())][None]
    unlimited = divided + shift[..., None, None]
    return replace(
        reception,
        picture=unlimited.clamp(0, 255),
        unlimited=unlimited,
        clipped=cut_off(reception.limits, gain, shift),
        shift=shift,
    )


def _coloured(
    told: _Told, reception: Reception, divided: Tensor, symbols: list[Symbols], starts: Tensor
) -> Tensor | None:
    """What to add to each channel for symbols to fit best, 1 x 3, grey levels, near one of some starts (M x 3); None
    where not most source blocks say so, for they may have been tampered with.

    symbols: by each supposition, of the picture `divided` as it is.
    """
    best = -math.inf
    for number, start in [(n, start) for n in range(len(symbols)) for start in starts]:
        found = best_offset(symbols[number], 0.0, start)
        if found.agreement > best:
            best, likely, begun, shift = found.agreement, number, start, start + found.offset
    offsets = torch.arange(-_COLOUR_STEPS, _COLOUR_STEPS + 1, device=shift.device) * COARSE
    for colour in _COLOURS * 2:
        tried = shift + offsets[:, None] * shift.new_tensor(colour)
        shift = tried[int(symbols[likely].agreement(tried).argmax())]
    # Symbols agree best with what levels are off by on the whole, of which what was tampered with is a part.
    directions = shift.new_tensor((GREY, *_COLOURS))
    for _ in range(_ROUNDS):
        seen = _seen(reception, divided, shift[None])
        off, shown, cosine = off_by_block(told.carrier, seen, told.supposed[likely], (GREY, *_COLOURS))
        if cosine < LEAST_COSINE or not bool((shown > _SHOWN).any()):
            return None
        change = off[:, shown > _SHOWN].median(1).values
        shift = shift + change @ directions
        if float(change.abs().max()) < _FINE:
            break
    # In red, green and blue: by how much each block is off now, and would be at the start.
    off = (off - change[:, None]).T @ directions
    nearer = (off.square().sum(1) < (off + shift - begun).square().sum(1)).float()
    return shift[None] if bool((shown * nearer).sum() >= _MOST * shown.sum()) else None


def _seen(reception: Reception, divided: Tensor, shift: Tensor) -> Reception:
    """With levels that were divided and then moved, and what was cut off about where it was."""
    return replace(reception, picture=divided + shift[..., None, None] + _between(reception, shift))


def _brightened(told: _Told, reception: Reception, base: Tensor) -> Reception:
    """The reception as bright as it was. base: 1 x 3, what of `shift` stays; the rest of it kept the mean of each
    channel where it was, which says nothing."""
    undone = reception.shift - base
    divided = reception.unlimited - undone[..., None, None] if bool(undone.any()) else reception.unlimited
    kept = float(luma(undone[..., None, None]))
    supposed, still = told.supposed, base.new_zeros(3)
    best, spread = None, torch.zeros(1, device=divided.device)
    for _ in range(_ROUNDS):
        seen = replace(reception, picture=divided + spread if best else divided)
        offsets = [best_offset(told.by(seen, p), kept, still) for p in supposed]
        found = max(offsets, key=lambda offset: offset.agreement)
        if best is not None and found.agreement <= best.agreement:
            break
        best, used, supposed = found, spread, [supposed[offsets.index(found)]]
        spread = _between(reception, base + best.offset)
        if not bool(spread.any()):
            break
    if best is None or best.better < _WORTH_A_LOOK:
        return reception
    offset = _settled(told, replace(reception, picture=divided + used), supposed[0], best.offset, kept)
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
    gain, shift, colourless = reception.gain[0], reception.shift[0], reception.ramp is not None
    if not bool(stretched(reception.gain)) and float(shift.abs().max()) <= _MOVED:
        return Tone(contrast=1.0, brightness=0.0, colourless=True) if colourless else None
    contrast = float(luma(gain[None, :, None, None]))
    apart = bool(gain.max() > gain.min() * (1 + STRETCHED))
    # Means that were kept, each channel's its own, say nothing of brightness.
    known = apart or bool((shift == shift[0]).all())
    return Tone(
        contrast=contrast,
        brightness=-float(luma((gain * shift)[None, :, None, None])) if known else None,
        channels=(float(gain[0]), float(gain[1]), float(gain[2])) if apart else None,
        colourless=colourless,
    )


def as_suspect(reception: Reception, picture: Tensor) -> Tensor:
    """A picture with the levels that the suspect has, 1 x 3 x H x W: what is put into it must not stand out. A small
    gain may be a part of what undid a blur, and says nothing of levels."""
    if reception.ramp is not None:
        return toned(picture, reception.ramp)
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


def _settled(told: _Told, reception: Reception, probability: Tensor, offset: float, kept: float) -> float | None:
    """The offset of the median source block, near another; None where it is `kept`, or not most blocks have it: they
    are off because some of them were tampered with, and by more."""
    for _ in range(_ROUNDS):
        moved_there = replace(reception, picture=reception.picture + offset)
        (off,), shown, cosine = off_by_block(told.carrier, moved_there, probability, (GREY,))
        if cosine < LEAST_COSINE or not bool((shown > _SHOWN).any()):
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
    shifts = off.new_tensor([[offset] * 3, [kept] * 3])
    better = told.by(reception, probability).agreement(shifts)
    return offset if float(better[0] - better[1]) > (_BELIEVED_OF_FEW if few else _BELIEVED) else None
