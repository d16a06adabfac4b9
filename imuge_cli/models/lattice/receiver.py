"""The receiver: phases to symbols to a draft of what the original showed."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from imuge_cli.lattice.layout import SLOT_COUNT
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.channel import Noise, capacity, pilot_noise
from imuge_cli.models.lattice.clipping import legible_share
from imuge_cli.models.lattice.decoder import Decoded, Decoder, Effort
from imuge_cli.models.lattice.evidence import (
    Statistics,
    block_probability,
    block_weight,
    guess,
    pixel_evidence,
    shown_share,
)
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.models.lattice.toning import without_colours
from imuge_cli.payload.source import analyse_source, frequencies, from_grid, sender_scale, synthesise_source, to_grid

THOROUGH = Effort(passes=12, iterations=60, certain=True)
QUICK = Effort(passes=4, iterations=30, certain=False)
# What gets going where half of the symbols are missing and the others leave too much open to begin with; elsewhere it
# says no more than THOROUGH, or a little less, and takes twice as long.
PERSISTENT = Effort(passes=24, iterations=60, certain=True, adapting=24, sober=True)
# Of the doubt that R is told of a draft in which it had its say; by that R knows such drafts.
SURER = 0.1


@dataclass(frozen=True)
class Draft:
    """The linear solution.

    picture: N x 3 x H x W, grey levels, not clipped. ratios: N x 14 x rows x columns by slot: log likelihood ratios
    of `overwritten` for each slot's phase given everything else. noise: N x 14: phase noise by slot, cells squared.
    doubt: N: variance left in a symbol, in standard deviations squared; open: N: what of it the evidence accounts for,
    were all of it right. coefficients: N x grid.size. information: N: bits that the data symbols that are left can
    carry over that noise, see `channel.capacity`. unaided: N x grid.size: the coefficients as the pixels alone tell
    them, without symbols. decoder: what `redraft` goes on from.
    """

    picture: Tensor
    ratios: Tensor
    noise: Tensor
    doubt: Tensor
    open: Tensor
    coefficients: Tensor
    information: Tensor
    unaided: Tensor
    decoder: Decoder


def draft(
    carrier: Carrier,
    reception: Reception,
    probability: Tensor,
    statistics: Statistics,
    effort: Effort = THOROUGH,
    *,
    before: Draft | None = None,
) -> Draft:
    """Solve for the whole picture.

    probability: N x 1 x H x W, that a pixel was tampered with. Symbols and pixels of a block count by how likely it
    is intact. before: the draft under another probability, which saves a part of the work.
    """
    tampered = block_probability(probability, carrier)
    trust = (1 - tampered).clamp(0, 1) * reception.known
    noise = pilot_noise(carrier, reception, trust**2)
    weight = block_weight(carrier, reception, trust)
    pixels = pixel_evidence(carrier, reception, probability, weight, noise, statistics, certain=effort.certain)
    # What was cut off carries no symbols, but still tells more or less how bright it is.
    trust = trust * legible_share(reception.clipped)
    shown = shown_share(weight, pixels, sober=effort.sober)
    scale = sender_scale(trust.device)
    prior = (statistics.variance / scale**2).repeat(carrier.grid.rows * carrier.grid.columns)[None]
    # A busier picture is busier everywhere, as far as its power tells.
    prior = prior * reception.scale**2
    mean = guess(carrier, reception, weight)
    decoder = Decoder(carrier, reception, trust, prior, mean, pixels, shown, noise, effort)
    return _drawn(decoder, decoder.run(None if before is None else before.unaided), trust)


def redraft(before: Draft, denoised: Tensor) -> Draft:
    """Solve again, with wraps told by what R made of a draft: see `Decoder.run_again`.

    denoised: N x 3 x H x W, grey levels: the picture, with what was lost as R recovered it.
    """
    decoder = copy(before.decoder)
    return _drawn(decoder, decoder.run_again(_described(before, denoised)), decoder.weight)


def consistent(before: Draft, denoised: Tensor) -> Draft:
    """What R made of a draft, held against the symbols (`Decoder.held_against_symbols`): a draft to be shown as it is,
    or to be given to R again. Its picture keeps what R knows and symbols do not describe.

    denoised: see `redraft`. The doubt is `SURER` times that of the draft before; ratios and decoder are the same.
    """
    decoder = before.decoder
    described = _described(before, denoised)
    coefficients = decoder.held_against_symbols(described)
    moved = draw(decoder.carrier, coefficients) - draw(decoder.carrier, described)
    if decoder.reception.ramp is not None:
        moved = without_colours(moved)
    return replace(before, picture=denoised + moved, coefficients=coefficients, doubt=before.doubt * SURER)


def _described(before: Draft, denoised: Tensor) -> Tensor:
    """The coefficients of what R made of a draft: N x grid.size, sender's units."""
    grid = before.decoder.carrier.grid
    coefficients = analyse_source(to_grid(denoised, grid)) / sender_scale(denoised.device)
    if before.decoder.reception.ramp is not None:
        # R recovers such a picture without colours.
        drafted = before.coefficients.view_as(coefficients)
        coefficients = torch.where(frequencies(denoised.device)[0] == 0, coefficients, drafted)
    return coefficients.flatten(1)


def _drawn(decoder: Decoder, decoded: Decoded, trust: Tensor) -> Draft:
    carrier = decoder.carrier
    picture = draw(carrier, decoded.coefficients)
    return Draft(
        # To be held against a picture without colours.
        picture=picture if decoder.reception.ramp is None else without_colours(picture),
        ratios=decoded.ratios,
        noise=decoded.noise.mean[:, :SLOT_COUNT],
        doubt=decoded.doubt,
        open=decoded.open,
        coefficients=decoded.coefficients,
        information=_information(decoder, trust, decoded.noise),
        unaided=decoded.unaided,
        decoder=decoder,
    )


def _information(decoder: Decoder, trust: Tensor, noise: Noise) -> Tensor:
    by_slot = capacity(noise.everywhere)
    return (torch.gather(by_slot, 1, decoder.slots) * trust).sum((1, 2, 3))


def draw(carrier: Carrier, solution: Tensor) -> Tensor:
    """The working picture that coefficients N x grid.size (sender's units) describe, grey levels, not clipped."""
    grid = carrier.grid
    coefficients = solution.view(len(solution), grid.rows, grid.columns, -1) * sender_scale(solution.device)
    return from_grid(synthesise_source(coefficients), carrier.height, carrier.width)
