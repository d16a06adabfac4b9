"""The receiver: phases to symbols to a draft of what the original showed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.gates import CALM, activity, pulled
from imuge_cli.lattice.layout import DATA_SLOTS, ROBUST_SLOTS, SLOT_COUNT
from imuge_cli.lattice.modulation import wrap
from imuge_cli.lattice.requantization import rounding_steps
from imuge_cli.lattice.transform import BLOCK, analyse, luma
from imuge_cli.models.lattice.carrier import GAINS, Carrier, scale_of
from imuge_cli.models.lattice.equalized import equalized
from imuge_cli.payload.activity import adapted_variance, beyond_guess, pooled_variance
from imuge_cli.payload.filling import filled
from imuge_cli.payload.solver import PixelEvidence, SymbolEvidence, pixel_diagonal, solve
from imuge_cli.payload.source import (
    BAND,
    COEFFICIENTS,
    SOURCE_BLOCK,
    analyse_source,
    bands_of_picture,
    cells_of_picture,
    from_grid,
    sender_scale,
    synthesise_source,
    to_grid,
)
from imuge_cli.payload.unwrap import (
    circular_variance,
    log_likelihood_ratio,
    message,
    unwrap,
    unwrap_rounded,
    variance_of,
)

# Rounding to 8 bits and the solver's own inaccuracy: no phase is trusted beyond this variance (cells squared).
NOISE_FLOOR = 0.0012
# Passes end early when the doubt of no picture has moved by more than this share, twice running: it may stand still
# for a pass before the last wraps fall into place.
_STANDSTILL = 0.01
_ADAPTING_PASSES = 6
# What is probably tampered with would mislead: trust in pixels falls faster than probability, by this power.
_CARE = 8
# What the description leaves out is no white noise, and JPEG smears what was tampered with over the rest of its block:
# the variance of cells counts so many times. Measured: at JPEG 50 .1 to .25 dB are won, elsewhere nothing is lost.
_CELL_CAUTION = 4.0
# Of a source block of which pixels show less, they are taken to show as much.
_LEAST_SHOWN = 0.02
_STATE_STEPS = 12
# What embedding adds to the variance of a calm block, in squared steps.
_ADDED = (DATA_SLOTS * CALM**2 + SLOT_COUNT - DATA_SLOTS) / BLOCK**2 / 12


@dataclass(frozen=True)
class Effort:
    """Bounds on the work: passes of unwrapping, and conjugate gradient steps in each.

    certain: whether the mask can be trusted to the pixel. Then the intact pixels of partly tampered blocks are evidence
    too, and wholly intact source blocks are read off. Before that, what was not found yet would be taken for true, and
    a draft that agrees with it would hide it from the next look.
    """

    passes: int
    iterations: int
    certain: bool


THOROUGH = Effort(passes=12, iterations=60, certain=True)
QUICK = Effort(passes=5, iterations=30, certain=False)


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


@dataclass(frozen=True)
class Draft:
    """The linear solution.

    picture: N x 3 x H x W, grey levels, not clipped. ratios: N x 14 x rows x columns by slot: log likelihood ratios
    of `overwritten` for each slot's phase given everything else. noise: N x 14: phase noise by slot, cells squared.
    doubt: N: variance left in a symbol, in standard deviations squared. coefficients: N x grid.size.
    """

    picture: Tensor
    ratios: Tensor
    noise: Tensor
    doubt: Tensor
    coefficients: Tensor


def receive(carrier: Carrier, picture: Tensor, code: Tensor, levels: Tensor, inside: Tensor, step: float) -> Reception:
    """Phases of working pictures N x 3 x H x W (grey levels).

    code, levels: what the header says, N x 264 code bits and N power levels. inside: N x 1 x H x W, 1 in the suspect's
    frame, a rectangle. What an attack did to the frequencies is undone.
    """
    picture = equalized(carrier, picture, code, inside, step)
    known = -functional.max_pool2d(-inside, BLOCK)
    plane = luma(picture)
    coefficients = analyse(plane)
    # Pilots and header chips have no gates.
    stretch, leak = (carrier.by_order(t)[:, 2:] for t in pulled(activity(plane, received=_ADDED * step**2), step))
    ordered, dither = carrier.by_order(coefficients), carrier.by_order(carrier.dither)
    known_phases = wrap(ordered[:, :2] / step - dither[:, :2])
    rounded, spread = rounding_steps(coefficients)
    errors = torch.cat([known_phases[:, :1], wrap(known_phases[:, 1:] - carrier.chip_phases(code))], 1)
    return Reception(
        errors=errors,
        data=wrap(ordered[:, 2:] * stretch / step - dither[:, 2:]),
        known=known,
        picture=picture,
        step=step,
        halves=rounded / (2 * step),
        jitter=spread / step**2,
        stretch=stretch,
        leak=leak,
        scale=scale_of(levels)[:, None],
    )


def pilot_noise(carrier: Carrier, reception: Reception, trust: Tensor) -> Tensor:
    """Phase noise by slot, N x 14, from pilots and header chips; trust: N x 1 x rows x columns in [0, 1].

    The slots that carry neither get the worst robust slot's noise until the data symbols tell better.
    """
    count = trust.shape[0]
    slots = carrier.order[:, :2].expand(count, -1, -1, -1)
    weights = (trust * reception.known).expand(-1, 2, -1, -1)
    noise = [circular_variance(reception.errors, weights * (slots == slot), (1, 2, 3)) for slot in range(ROBUST_SLOTS)]
    measured = torch.stack(noise, 1)
    worst = measured.max(1, keepdim=True).values
    return torch.cat([measured, worst.expand(-1, SLOT_COUNT - ROBUST_SLOTS)], 1) + NOISE_FLOOR


def block_ratios(carrier: Carrier, reception: Reception, noise: Tensor) -> Tensor:
    """Log likelihood ratios of pilot and header chip, by slot (zero elsewhere): N x 14 x rows x columns."""
    ratios = _pilot_ratios(carrier, reception, noise) * reception.known
    return carrier.by_slot(functional.pad(ratios, (0, 0, 0, 0, 0, SLOT_COUNT - 2)))


def _pilot_ratios(carrier: Carrier, reception: Reception, noise: Tensor) -> Tensor:
    """Log likelihood ratios of pilots and header chips, N x 2 x rows x columns."""
    slots = carrier.order[:, :2].expand(noise.shape[0], -1, -1, -1).flatten(1)
    half, jitter, variance = (
        torch.gather(t, 1, slots).view_as(reception.errors) for t in (reception.halves, reception.jitter, noise)
    )
    return log_likelihood_ratio(reception.errors, torch.where(half > 0, jitter + NOISE_FLOOR, variance), half)


def draft(
    carrier: Carrier, reception: Reception, probability: Tensor, statistics: Statistics, effort: Effort = THOROUGH
) -> Draft:
    """Solve for the whole picture.

    probability: N x 1 x H x W, that a pixel was tampered with. Symbols and pixels of a block count by how likely it
    is intact.
    """
    tampered = block_probability(probability, carrier)
    trust = (1 - tampered).clamp(0, 1) * reception.known
    noise = pilot_noise(carrier, reception, trust**2)
    weight = _block_weight(carrier, reception, trust)
    pixels = _pixel_evidence(carrier, reception, weight, noise, statistics)
    if effort.certain:
        pixels = _with_whole_blocks(carrier, reception, weight, noise, statistics, pixels)
        pixels = _with_cells(carrier, reception, probability, weight, noise, statistics, pixels)
    shown = _shown_share(weight, pixels)
    scale = sender_scale(noise.device)
    prior = (statistics.variance / scale**2).repeat(carrier.grid.rows * carrier.grid.columns)[None]
    # A busier picture is busier everywhere, as far as its power tells.
    prior = prior * reception.scale**2
    guess = _guess(carrier, reception, weight)
    return _Decoder(carrier, reception, trust, prior, guess, pixels, shown, effort).run(noise)


def _guess(carrier: Carrier, reception: Reception, weight: Tensor) -> Tensor:
    """Coefficients, N x grid.size in the sender's units, of the picture with what is lost filled in from around it."""
    picture = to_grid(reception.picture, carrier.grid) - 128
    continued = filled(picture, functional.interpolate(weight, scale_factor=BLOCK, mode="nearest")) + 128
    return (analyse_source(continued) / sender_scale(weight.device)).flatten(1)


def draw(carrier: Carrier, solution: Tensor) -> Tensor:
    """The working picture that coefficients N x grid.size (sender's units) describe, grey levels, not clipped."""
    grid = carrier.grid
    coefficients = solution.view(len(solution), grid.rows, grid.columns, -1) * sender_scale(solution.device)
    return from_grid(synthesise_source(coefficients), carrier.height, carrier.width)


def block_probability(probability: Tensor, carrier: Carrier) -> Tensor:
    """Per-pixel probability N x 1 x H x W to blocks N x 1 x rows x columns: the worst quarter of each block."""
    whole = probability[..., : carrier.rows * BLOCK, : carrier.columns * BLOCK]
    return functional.max_pool2d(functional.avg_pool2d(whole, BLOCK // 2), 2)


def _block_weight(carrier: Carrier, reception: Reception, trust: Tensor) -> Tensor:
    """How far the pixels of the grid's 8 x 8 blocks count, in [0, 1]: N x 1 x grid height / 8 x grid width / 8."""
    height, width = reception.picture.shape[-2:]
    blocks = functional.pad(trust, (0, -(-width // BLOCK) - carrier.columns, 0, -(-height // BLOCK) - carrier.rows))
    shape = (carrier.grid.height // BLOCK, carrier.grid.width // BLOCK)
    if blocks.shape[-2:] != shape:
        # The least trusted of the blocks that a resampled block may touch decides.
        blocks = -functional.max_pool2d(-blocks, 3, 1, 1)
        blocks = functional.interpolate(blocks, size=shape, mode="nearest")
    return blocks**_CARE


def _pixel_evidence(
    carrier: Carrier, reception: Reception, weight: Tensor, noise: Tensor, statistics: Statistics
) -> PixelEvidence:
    grid = carrier.grid
    grey = _grey_noise(reception, noise)
    variance = statistics.residue[None] + grey[:, None, None, None]
    n, per = weight.shape[0], SOURCE_BLOCK // BLOCK
    tiles = weight.view(n, 1, grid.rows, per, grid.columns, per).permute(0, 1, 2, 4, 3, 5)
    precision = tiles[:, :, :, :, :, None, :, None] / variance[:, :, None, None, None, :, None, :]
    side = per * BAND
    values = bands_of_picture(to_grid(reception.picture, grid))
    return PixelEvidence(values=values, precision=precision.reshape(n, 3, grid.rows, grid.columns, side, side))


def _with_whole_blocks(
    carrier: Carrier, reception: Reception, weight: Tensor, noise: Tensor, statistics: Statistics, pixels: PixelEvidence
) -> PixelEvidence:
    """Where all of a source block is intact its coefficients are read off; bands tell them less well."""
    grid = carrier.grid
    per = SOURCE_BLOCK // BLOCK
    intact = -functional.max_pool2d(-weight, per)
    damage = statistics.damage_floor + statistics.damage_slope * _grey_noise(reception, noise)[:, None]
    return replace(
        pixels,
        precision=pixels.precision * (1 - intact)[..., None, None],
        whole=analyse_source(to_grid(reception.picture, grid)),
        whole_precision=intact[:, 0, :, :, None] / damage[:, None, None],
    )


def _with_cells(
    carrier: Carrier,
    reception: Reception,
    probability: Tensor,
    weight: Tensor,
    noise: Tensor,
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
    trust = (1 - functional.max_pool2d(lost, 2)).clamp(0, 1) ** _CARE
    trust = (trust - functional.interpolate(weight, scale_factor=BAND, mode="nearest")).clamp_min(0)
    side = SOURCE_BLOCK // 2
    tiles = trust.view(len(trust), 1, grid.rows, side, grid.columns, side).permute(0, 1, 2, 4, 3, 5)
    variance = statistics.residue.mean((1, 2))[None] + _grey_noise(reception, noise)[:, None]
    precision = tiles / (_CELL_CAUTION * variance[:, :, None, None, None, None])
    return replace(pixels, cells=cells_of_picture(to_grid(reception.picture, grid)), cell_precision=precision)


def _shown_share(weight: Tensor, pixels: PixelEvidence) -> Tensor:
    """The share of each source block's area of which pixels tell: N x rows x columns."""
    shown = functional.avg_pool2d(weight, SOURCE_BLOCK // BLOCK)[:, 0]
    if pixels.cell_precision is not None:
        shown = shown + (pixels.cell_precision[:, 0] > 0).float().mean((3, 4))
    return shown.clamp(0, 1)


def channel_noise(carrier: Carrier, reception: Reception) -> Tensor:
    """Noise of a coefficient by the robust slots of an untampered picture, N, grey levels squared."""
    return _grey_noise(reception, pilot_noise(carrier, reception, torch.ones_like(reception.known)))


def _grey_noise(reception: Reception, noise: Tensor) -> Tensor:
    """Noise of a coefficient by the robust slots, N, grey levels squared."""
    return noise[:, :ROBUST_SLOTS].mean(1) * reception.step**2


class _Decoder:
    """Alternates between unwrapping the symbols and solving for the coefficients.

    Vector approximate message passing (Rangan, Schniter & Fletcher 2019): what the solver leaves open of a symbol
    (`doubt`) follows from the evidence by the laws of large random matrices, and is held against what the phases show.
    """

    def __init__(
        self,
        carrier: Carrier,
        reception: Reception,
        trust: Tensor,
        prior: Tensor,
        guess: Tensor,
        pixels: PixelEvidence,
        shown: Tensor,
        effort: Effort,
    ) -> None:
        self.carrier, self.guess, self.pixels, self.effort = carrier, guess, pixels, effort
        self.beyond = beyond_guess(prior.device).repeat(carrier.grid.rows * carrier.grid.columns)
        self.spectrum, self.prior = prior, prior * self.beyond
        self.received = reception.data
        self.reception = reception
        data_slots = carrier.order[:, 2:].expand(trust.shape[0], -1, -1, -1)
        self.slots = data_slots
        self.weight = trust.expand_as(self.received)
        self.outlier = (1 - 0.98 * self.weight).clamp(0.02, 0.999)
        self.alive = (self.weight > 0.03).float()
        self.stretch, self.leak = reception.stretch, reception.leak
        weight = self.weight**2
        self.total = self._by_slot(weight).clamp_min(1e-6)
        self.left, self.stretched = (self._by_slot(t * weight) / self.total for t in (self.leak, self.stretch**2))
        self.half = self._by_symbol(reception.halves) * self.stretch
        self.jitter = (self._by_symbol(reception.jitter) + NOISE_FLOOR) * self.stretch**2 + self.leak
        self.amplitude = carrier.amplitude * reception.scale
        self.shown = shown.flatten(1).repeat_interleave(COEFFICIENTS, 1)
        self.said = pixel_diagonal(carrier.grid, pixels) / self.shown.clamp_min(_LEAST_SHOWN)
        self.open: Tensor | None = None

    def run(self, noise: Tensor) -> Draft:
        carrier = self.carrier
        silent = SymbolEvidence(carrier.mixing, self.received.flatten(1) * 0, self.received.flatten(1) * 0)
        solution = self._solve(silent, None)
        uncertainty, _ = self._state(silent)
        base = pooled_variance(carrier.grid, self.spectrum, solution, uncertainty)
        self.prior = base * self.beyond
        solution = self._solve(silent, solution)
        mean = self._predict(solution)
        _, expected = self._state(silent)
        doubt = self._measure(self._spread_by_slot(mean), noise)
        correction = (doubt / expected).clamp(0.5, 3.0)
        still = 0
        for number in range(self.effort.passes):
            value, precision = self._unwrap(mean, doubt.view(-1, 1, 1, 1), self._noise_of_symbols(noise))
            precision = precision * self.alive
            evidence = SymbolEvidence(
                carrier.mixing,
                value.flatten(1) * self.amplitude,
                precision.flatten(1) / self.amplitude**2,
            )
            solution = self._solve(evidence, solution)
            uncertainty, expected = self._state(evidence)
            previous, doubt = doubt, (expected * correction).clamp(1e-4, 2.0)
            if number < _ADAPTING_PASSES:
                self.prior = adapted_variance(carrier.grid, base, solution, uncertainty) * self.beyond
            fitted = self._predict(solution)
            # The cavity: what everything but the symbol itself says of it.
            mean = fitted - precision * doubt.view(-1, 1, 1, 1) * (value - fitted)
            spread = self._spread_by_slot(mean)
            noise = self._refine_noise(spread, noise)
            # Where wraps were taken wrongly the phases show more doubt than the evidence accounts for.
            doubt = torch.maximum(doubt, self._measure(spread, noise))
            still = still + 1 if bool(((doubt - previous).abs() < _STANDSTILL * previous).all()) else 0
            if still == 2:
                break
        return Draft(
            picture=draw(carrier, solution),
            ratios=self._ratios(mean, doubt, noise),
            noise=noise,
            doubt=doubt,
            coefficients=solution,
        )

    def _unwrap(self, mean: Tensor, doubt: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        gains = self.carrier.gains
        believed = unwrap(self.received, mean, doubt, noise, self.outlier, gains)
        if bool((self.half > 0).any()):
            half = self.half.clamp_min(0.01)
            other = unwrap_rounded(self.received, mean, doubt, self.jitter, half, self.outlier, gains)
            used = self.half > 0
            believed = (torch.where(used, other[0], believed[0]), torch.where(used, other[1], believed[1]))
        return message(*believed, gains * mean, gains**2 * doubt, gains, self._alike)

    def _alike(self, shares: Tensor) -> Tensor:
        """The mean over the symbols of a slot of the share of variance that phases leave, for a symbol's trust.

        Single symbols may come out less certain than they went in; only the mean has the meaning of a precision.
        """
        weight = self.weight**_CARE
        mean = self._by_slot(shares * weight) / self._by_slot(weight).clamp_min(1e-6)
        return 1 - self.weight * (1 - self._by_symbol(mean))

    def _by_slot(self, values: Tensor) -> Tensor:
        """Sums of values by symbol, N x 12 x rows x columns, over the symbols of each slot: N x 14."""
        return self.carrier.by_slot(functional.pad(values, (0, 0, 0, 0, SLOT_COUNT - DATA_SLOTS, 0))).sum((2, 3))

    def _solve(self, evidence: SymbolEvidence, start: Tensor | None) -> Tensor:
        coefficients = solve(
            self.carrier.grid,
            self.prior,
            evidence,
            self.pixels,
            mean=self.guess,
            start=start,
            iterations=self.effort.iterations,
        )
        return (coefficients / sender_scale(coefficients.device)).flatten(1)

    def _predict(self, solution: Tensor) -> Tensor:
        return (self.carrier.mixing.forward(solution) / self.amplitude).view_as(self.received)

    def _by_symbol(self, noise: Tensor) -> Tensor:
        """Noise by slot, N x 14, to noise by symbol, N x 12 x rows x columns."""
        return torch.gather(noise, 1, self.slots.flatten(1)).view_as(self.received)

    def _noise_of_symbols(self, noise: Tensor) -> Tensor:
        """The same with what the gates did to it."""
        return self._by_symbol(noise) * self.stretch**2 + self.leak

    def _state(self, evidence: SymbolEvidence) -> tuple[Tensor, Tensor]:
        """What the solution leaves open: of each coefficient (variance, N x grid.size, sender's units), and of a symbol
        without its own phase (N, standard deviations squared).

        State evolution for the sum of two operators in random position to each other (free additive convolution,
        Voiculescu 1991): what symbols say acts on each coefficient like one precision s, the rest acts on each symbol
        like one precision w, and mean 1/(d + s) = mean 1/(w + p) = 1/(s + w), with p the symbols' precisions (0 for
        rows that are not sent) and d the coefficients' without symbols. d has two values for each coefficient: that
        of the part of its block which pixels show, and of the part which they do not.
        """
        length = self.carrier.mixing.length
        prior = 1 / self.prior

        def left(power: Tensor) -> Tensor:
            return (1 - self.shown) / (prior + power) + self.shown / (prior + self.said + power)

        variance = left(torch.zeros_like(evidence.precision[:, :1]))
        rest = length / variance.sum(1, keepdim=True)
        if bool((evidence.precision > 0).any()):
            rest = rest if self.open is None else self.open
            for _ in range(_STATE_STEPS):
                taken = (evidence.precision / (rest + evidence.precision)).sum(1, keepdim=True) / length
                variance = left(rest * taken / (1 - taken))
                rest = (rest * (1 - taken) * length / variance.sum(1, keepdim=True)).sqrt()
            self.open = rest
        return variance, (1 / rest / self.amplitude**2)[:, 0]

    def _measure(self, spread: Tensor, noise: Tensor) -> Tensor:
        """Doubt, from how far the received phases lie from those predicted without them, by slot."""
        power = torch.tensor(GAINS, device=noise.device) ** 2
        excess = ((spread - noise) / power)[:, :ROBUST_SLOTS]
        # The quieter slots tell the doubt; the noisier ones hide it.
        weight = (power / (noise + 0.01))[:, :ROBUST_SLOTS] ** 2
        doubt = ((excess * weight).sum(1) / weight.sum(1)).clamp(0.003, 1.5)
        return doubt

    def _refine_noise(self, spread: Tensor, noise: Tensor) -> Tensor:
        """The silent slots' noise again, now that the symbols are better known.

        What phases lie off beyond the noise, in the slots whose noise is known, is the symbols' own uncertainty; in
        the silent slots it is the same.
        """
        known = noise[:, :ROBUST_SLOTS]
        weight = 1 / (known + 0.003) ** 2
        excess = (
            ((spread[:, :ROBUST_SLOTS] - known) * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
        ).clamp_min(0)
        silent = spread[:, ROBUST_SLOTS:] - excess
        least, most = known.min(1, keepdim=True).values, 0.2
        return torch.cat([known, torch.maximum(silent, least).clamp_max(most)], 1)

    def _spread_by_slot(self, mean: Tensor) -> Tensor:
        """Variance of phases around predicted ones beyond what the gates did to it, N x 14, cells squared."""
        error = wrap(self.received - self.carrier.gains * mean)
        cosine = self._by_slot(torch.cos(2 * torch.pi * error) * self.weight**2) / self.total
        return (variance_of(cosine) - self.left).clamp_min(0) / self.stretched.clamp_min(1e-6)

    def _ratios(self, mean: Tensor, doubt: Tensor, noise: Tensor) -> Tensor:
        """Log likelihood ratios of `overwritten`, all slots: N x 14 x rows x columns by slot."""
        carrier, reception = self.carrier, self.reception
        error = wrap(self.received - self.carrier.gains * mean)
        own = torch.where(self.half > 0, self.jitter, self._noise_of_symbols(noise))
        data = log_likelihood_ratio(error, own + carrier.gains**2 * doubt.view(-1, 1, 1, 1), self.half)
        pilots = _pilot_ratios(carrier, reception, noise)
        return carrier.by_slot(torch.cat([pilots, data], 1) * reception.known)
