"""What arrives: the phases of a suspect, with what the header says taken out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.balance import balanced_luma
from imuge_cli.lattice.gates import CALM, FINE_CALM, activity, pulled
from imuge_cli.lattice.layout import DATA_SLOTS, SLOT_COUNT
from imuge_cli.lattice.modulation import wrap
from imuge_cli.lattice.quieting import is_worth_it, known_agreement, without_noise
from imuge_cli.lattice.requantization import rounding_steps
from imuge_cli.lattice.roughness import log_roughness, with_neighbours
from imuge_cli.lattice.transform import BLOCK, FINE_SLOTS, analyse, luma
from imuge_cli.models.lattice.carrier import FINE_STEP, Carrier, scale_of
from imuge_cli.models.lattice.clipping import at_limits, cut_off, stretched
from imuge_cli.models.lattice.equalized import Equalized, equalized
from imuge_cli.networks.resolver import Resolver

# What embedding adds to the variance of a calm block, in squared steps.
_ADDED = (DATA_SLOTS * CALM**2 + SLOT_COUNT - DATA_SLOTS) / BLOCK**2 / 12
# And with fine slots.
_ADDED_FINE = len(FINE_SLOTS) * (FINE_CALM * FINE_STEP) ** 2 / BLOCK**2 / 12


@dataclass(frozen=True)
class FineReception:
    """What the fine slots say, N x 24 x rows x columns: data, stretch, leak, roughness as in `Reception`; cells are
    their own."""

    data: Tensor
    stretch: Tensor
    leak: Tensor
    roughness: Tensor


@dataclass(frozen=True)
class Reception:
    """Phases as received, with what the header says taken out.

    errors: N x 2 x rows x columns: of pilot and header chip, cells. data: N x 12 x rows x columns: of the data
    symbols, cells. known: N x 1 x rows x columns, 1 where the block lies inside the suspect's frame.
    picture: N x 3 x H x W, grey levels: what the phases were taken from, the suspect with its response undone.
    step: grey levels. halves: N x 14, half the width of the interval that JPEG rounded a slot's phases to, cells
    (0 = no trace of JPEG). jitter: N x 14, variance around it, cells squared. stretch, leak: N x 12 x rows x columns,
    of the data symbols: by what coefficients were multiplied to undo the sender's gates, and the variance that is left
    of them, cells squared. scale: N x 1: what the symbols were divided by, in the model's standard deviations.
    roughness: N x 14 x rows x columns by slot: logarithms, see `log_roughness`. limits, clipped: N x 3 x H x W,
    see `at_limits` and `cut_off`. gain, shift: N x 3 by channel: by what the suspect's levels were divided, and what
    was added then, grey levels. balance: N x 3, by what each channel seems to have been multiplied besides, which was
    not undone; balanced_errors, balanced_data: as errors and data, were it undone. unlimited: as picture, but not
    limited to 0..255. ramp: where the suspect's colours were taken away (N = 1), the colour that it has for every
    brightness of `picture`, 3 x 256, grey levels; `picture` then is grey, and tells nothing of the original's chroma.
    fine: None where no fine slots were sent, or they say nothing.
    """

    errors: Tensor
    data: Tensor
    known: Tensor
    picture: Tensor
    step: float
    halves: Tensor
    jitter: Tensor
    stretch: Tensor
    leak: Tensor
    scale: Tensor
    roughness: Tensor
    limits: Tensor
    clipped: Tensor
    gain: Tensor
    shift: Tensor
    balance: Tensor
    balanced_errors: Tensor
    balanced_data: Tensor
    unlimited: Tensor
    ramp: Tensor | None = None
    fine: FineReception | None = None

    def told_by_neighbours(self) -> Reception:
        """As it is, but with the roughness of more than the block itself, which tells its noise better. V learned with
        the block's own alone."""
        fine = self.fine and replace(self.fine, roughness=with_neighbours(self.fine.roughness))
        return replace(self, roughness=with_neighbours(self.roughness), fine=fine)


def receive(
    carrier: Carrier,
    picture: Tensor,
    code: Tensor,
    levels: Tensor,
    inside: Tensor,
    step: float,
    resolver: Resolver | None = None,
) -> Reception:
    """Phases of working pictures N x 3 x H x W (grey levels).

    code, levels: what the header says, N x 264 code bits and N power levels. inside: N x 1 x H x W, 1 in the suspect's
    frame, a rectangle. What an attack did to the frequencies is undone; resolver: see `equalized`.
    """
    restored = equalized(carrier, picture, code, inside, step, resolver)
    limits = at_limits(picture)
    known = -functional.max_pool2d(-inside, BLOCK)
    plane = luma(restored.pictures)
    coefficients = analyse(plane)
    rounded, spread = rounding_steps(coefficients)
    dither = carrier.by_order(carrier.dither)
    sent = torch.cat([dither[:, :1].expand(len(picture), -1, -1, -1), dither[:, 1:2] + carrier.chip_phases(code)], 1)
    # What JPEG rounded is luma, whose steps another mixture of the channels would hide.
    free = ~(rounded > 0).any(1)[:, None, None, None]
    quiet = without_noise(restored.pictures, coefficients, carrier.order[:, :2], sent, known, step)
    coefficients = torch.where(free, quiet, coefficients)
    balanced, balance = _balanced(carrier, restored, coefficients, sent, known, step)
    # Pilots and header chips have no gates.
    added = _ADDED if carrier.fine is None else _ADDED + _ADDED_FINE
    active = activity(plane, received=added * step**2)
    stretch, leak = (carrier.by_order(t)[:, 2:] for t in pulled(active, step))
    (errors, data), (balanced_errors, balanced_data) = (
        _phases(carrier, code, told, stretch, step)
        for told in (coefficients, torch.where(free, balanced, coefficients))
    )
    return Reception(
        errors=errors,
        data=data,
        known=known,
        # Of which copies would take megabytes: without a gain it is limited already.
        picture=restored.pictures.clamp(0, 255) if bool((restored.gain != 1).any()) else restored.pictures,
        step=step,
        halves=rounded / (2 * step),
        jitter=spread / step**2,
        stretch=stretch,
        leak=leak,
        scale=scale_of(levels)[:, None],
        roughness=log_roughness(plane),
        limits=limits,
        clipped=cut_off(limits, restored.gain),
        gain=restored.gain,
        shift=restored.shift,
        balance=balance,
        balanced_errors=balanced_errors,
        balanced_data=balanced_data,
        unlimited=restored.pictures,
        fine=_fine(carrier, plane, active, step),
    )


def _fine(carrier: Carrier, plane: Tensor, active: Tensor, step: float) -> FineReception | None:
    """plane: luma, N x 1 x H x W; active: its blocks' activity as it was sent."""
    if carrier.fine is None:
        return None
    stretch, leak = pulled(active, step * FINE_STEP, FINE_SLOTS, FINE_CALM)
    cells = analyse(plane, FINE_SLOTS) * stretch / (step * FINE_STEP)
    return FineReception(wrap(cells - carrier.fine.dither), stretch, leak, log_roughness(plane, FINE_SLOTS))


def _phases(
    carrier: Carrier, code: Tensor, coefficients: Tensor, stretch: Tensor, step: float
) -> tuple[Tensor, Tensor]:
    """`Reception.errors` and `Reception.data`."""
    ordered, dither = carrier.by_order(coefficients), carrier.by_order(carrier.dither)
    known_phases = wrap(ordered[:, :2] / step - dither[:, :2])
    errors = torch.cat([known_phases[:, :1], wrap(known_phases[:, 1:] - carrier.chip_phases(code))], 1)
    return errors, wrap(ordered[:, 2:] * stretch / step - dither[:, 2:])


def _balanced(
    carrier: Carrier, restored: Equalized, coefficients: Tensor, sent: Tensor, known: Tensor, step: float
) -> tuple[Tensor, Tensor]:
    """Coefficients with the channels balanced where that fits better, and the balance that is to be considered.

    coefficients: of luma. sent: the known phases, N x 2 x rows x columns.
    """
    if bool((restored.balance == 1).all()):
        return coefficients, restored.balance
    balanced = analyse(balanced_luma(restored.pictures, restored.balance))
    scores = [known_agreement(carrier.by_order(told)[:, :2], sent, known, step) for told in (coefficients, balanced)]
    # Noise that channels have of their own is less in other mixtures than luma's, too, but not as little as without it.
    gained = scores[1] - scores[0]
    fits = is_worth_it(gained, known, sent.shape[1])
    # Where levels were stretched symbols may tell what phases do not.
    considered = (fits | ((gained > 0) & stretched(restored.gain)))[:, None]
    chosen = torch.where(fits[:, None, None, None], balanced, coefficients)
    return chosen, torch.where(considered, restored.balance, torch.ones_like(restored.balance))
