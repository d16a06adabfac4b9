"""From received phases to the coefficients that they describe, as far as pixels do not tell them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from imuge_cli.lattice.layout import DATA_SLOTS, ROBUST_SLOTS
from imuge_cli.lattice.modulation import wrap
from imuge_cli.lattice.transform import FINE_SLOTS
from imuge_cli.models.lattice.carrier import FINE_GAIN, GAINS, Carrier
from imuge_cli.models.lattice.channel import LOUDEST, NOISE_FLOOR, Noise, pilot_ratios
from imuge_cli.models.lattice.data_symbols import DataSymbols
from imuge_cli.models.lattice.evidence import CARE
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.payload.activity import adapted_variance, beyond_guess, pooled_variance
from imuge_cli.payload.solver import PixelEvidence, SymbolEvidence, pixel_diagonal, solve
from imuge_cli.payload.source import COEFFICIENTS, frequencies, sender_scale
from imuge_cli.payload.unwrap import log_likelihood_ratio, message, unwrap, unwrap_rounded, variance_of

# Passes end early when the doubt of no picture has moved by more than this share, twice running: it may stand still
# for a pass before the last wraps fall into place.
_STANDSTILL = 0.01
# Of a source block of which pixels show less, they are taken to show as much.
_LEAST_SHOWN = 0.02
_STATE_STEPS = 12
# A doubt that noise cannot feign; how much smaller than its octave's pool a prior may become for it; and how often it
# is adjusted, since doubt is not quite proportional to it.
_PLAIN, _LEAST_FACTOR, _CALIBRATIONS = 0.2, 0.25, 3
# After a denoiser had its say: passes; the share of the error's variance it is taken to leave in coefficients (R leaves
# .6 to .9 of it); and how far it is believed, since its errors are the solution's, made smaller.
_FURTHER_PASSES = 6
_DENOISED, _BELIEVED = 0.75, 0.5
# What a denoiser made of the solution, held against the symbols: the share of the solution's variance that its error is
# taken to have left; how much of a symbol's own phase it is taken to have kept, and of the doubt; conjugate gradient
# steps (docs/experiments.md).
_LEFT, _KEPT, _HELD_STEPS = 0.5, 0.7, 10
# Symbols are alike whose noise differs less than twofold: natural logarithms of factors between kinds.
_LOUDNESS = (-1.75, -1.05, -0.35, 0.35, 1.05, 1.75)


@dataclass(frozen=True)
class Effort:
    """Bounds on the work: passes of unwrapping, and conjugate gradient steps in each.

    certain: whether the mask can be trusted to the pixel. Then the intact pixels of partly tampered blocks are evidence
    too, and wholly intact source blocks are read off. Before that, what was not found yet would be taken for true, and
    a draft that agrees with it would hide it from the next look.
    adapting: passes after which the prior no longer follows the solution. sober: see `evidence.shown_share`.
    """

    passes: int
    iterations: int
    certain: bool
    adapting: int = 6
    sober: bool = False


@dataclass(frozen=True)
class _Stage:
    """Where a pass ended.

    solution, uncertainty: N x grid.size, sender's units, and their squares. expected, doubt: N: variance left in a
    symbol, as the evidence accounts for it, and that or what the phases show. noise: N x 14. mean: what all but a
    symbol itself say of it; value, precision: what its phase was taken to say; N x D x rows x columns, in standard
    deviations.
    """

    solution: Tensor
    uncertainty: Tensor
    expected: Tensor
    mean: Tensor
    doubt: Tensor
    noise: Tensor
    value: Tensor
    precision: Tensor


@dataclass(frozen=True)
class Decoded:
    """coefficients, unaided: N x grid.size, sender's units. ratios, doubt, open, unaided: see `receiver.Draft`."""

    coefficients: Tensor
    ratios: Tensor
    noise: Noise
    doubt: Tensor
    open: Tensor
    unaided: Tensor


class Decoder:
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
        noise: Noise,
        effort: Effort,
    ) -> None:
        self.carrier, self.guess, self.pixels, self.effort = carrier, guess, pixels, effort
        beyond = beyond_guess(prior.device)
        if reception.ramp is not None:
            # Nothing says what chroma was but symbols.
            beyond = torch.where(frequencies(prior.device)[0] == 0, beyond, 1.0)
        self.beyond = beyond.repeat(carrier.grid.rows * carrier.grid.columns)
        self.spectrum, self.prior = prior, prior * self.beyond
        self.reception = reception
        self.symbols = symbols = DataSymbols.of(carrier, reception, noise)
        self.received, self.slots = symbols.received, symbols.slots.expand(trust.shape[0], -1, -1, -1)
        factor = torch.gather(symbols.noise.factor, 1, self.slots)
        self.kinds = _Kinds(self.slots, factor, symbols.noise.by_slot.shape[1])
        self.weight = trust.expand_as(self.received)
        self.outlier = (1 - 0.98 * self.weight).clamp(0.02, 0.999)
        self.alive = (self.weight > 0.03).float()
        self.stretch, self.leak = symbols.stretch, symbols.leak
        self.loudness = self.stretch**2 * factor
        weight = self.weight**2
        self.total = self.kinds.sums(weight)
        some = self.total.clamp_min(1e-6)
        self.left, self.loud = (self.kinds.sums(t * weight) / some for t in (self.leak, self.loudness))
        self.half = self._by_symbol(symbols.halves) * self.stretch
        self.jitter = (self._by_symbol(symbols.jitter) + NOISE_FLOOR) * self.stretch**2 + self.leak
        self.amplitude = symbols.amplitude * reception.scale
        self.shown = shown.flatten(1).repeat_interleave(COEFFICIENTS, 1)
        self.said = pixel_diagonal(carrier.grid, pixels) / self.shown.clamp_min(_LEAST_SHOWN)
        self.open: Tensor | None = None
        self.hint: tuple[Tensor, Tensor] | None = None

    def run(self, unaided: Tensor | None = None) -> Decoded:
        """The solution, once nothing moves any more or the effort is spent.

        unaided: see `receiver.Draft`, as an earlier run under other trust left it.
        """
        nothing = torch.zeros_like(self.received)
        silent = self._evidence(nothing, nothing)
        solution = self._solve(silent, None) if unaided is None else unaided
        uncertainty, _ = self._state(silent)
        self.base = pooled_variance(self.carrier.grid, self.spectrum, solution, uncertainty)
        self.prior = self.base * self.beyond
        self.unaided = self._solve(silent, solution)
        mean = self._predict(self.unaided)
        doubt = self._measure(self._spread(mean), self.symbols.noise.by_slot)
        uncertainty, expected = self._calibrated(silent, doubt) if self.effort.certain else self._state(silent)
        self.correction = (doubt / expected).clamp(0.5, 3.0)
        start = _Stage(self.unaided, uncertainty, expected, mean, doubt, self.symbols.noise.by_slot, nothing, nothing)
        self.stage = self._iterate(start, self.effort.passes, self.effort.adapting)
        return self._decoded()

    def _calibrated(self, silent: SymbolEvidence, doubt: Tensor) -> tuple[Tensor, Tensor]:
        """`_state` before any symbol, with a prior that accounts for the doubt that is measured, where that is plain.

        Before anything was unwrapped phases tell without bias how far off they are predicted. Were only the doubt put
        right and not the prior, each pass would take symbols to tell more than they do. doubt: N.
        """
        before, plain = self.base, doubt > _PLAIN
        for _ in range(_CALIBRATIONS if bool(plain.any()) else 0):
            _, expected = self._state(silent)
            factor = torch.where(plain, doubt / expected, 1)[:, None]
            self.base = (self.base * factor).clamp(_LEAST_FACTOR * before, before)
            self.prior = self.base * self.beyond
        return self._state(silent)

    def run_again(self, denoised: Tensor) -> Decoded:
        """The solution once more, after a run, with wraps told by what a denoiser made of it: vector approximate
        message passing with a denoiser that is no Gaussian prior (Schniter, Rangan & Fletcher 2016).

        denoised: N x grid.size, sender's units. It has its say in which wraps are taken and in how much the parts of
        the picture vary, not in the solution itself, which the denoiser is meant to be given again.
        """
        last = self.stage
        # The message that would move the solution to what the denoiser made of it, held back.
        heeded = _BELIEVED * (1 / _DENOISED - 1) * _detail(denoised.device).repeat(len(denoised[0]) // COEFFICIENTS)
        self.hint = (last.solution + (denoised - last.solution) / (1 - _DENOISED), heeded / last.uncertainty)
        stage = self._settle(last, last.value, last.precision, adapting=True)
        stage = self._iterate(stage, _FURTHER_PASSES, self.effort.adapting - 1)
        self.hint = None
        evidence = self._evidence(stage.value, stage.precision)
        uncertainty, expected = self._state(evidence)
        solution = self._solve(evidence, stage.solution)
        self.stage = replace(stage, solution=solution, uncertainty=uncertainty, expected=expected)
        return self._decoded()

    def held_against_symbols(self, denoised: Tensor) -> Tensor:
        """What a denoiser made of the solution, moved to where the symbols agree with it: data consistency, as between
        the stages of a cascade of networks (Schlemper et al. 2018), by least squares (Aggarwal, Mani & Jacob 2019).

        denoised: N x grid.size, sender's units, all of what is lost included; so is the result. Wraps are taken anew,
        as the denoiser's picture tells them. Pixels have no say: that picture has those that are intact.
        """
        last = self.stage
        # Without what the symbols' own phases told the solution, as far as the denoiser kept it.
        mean = self._predict(denoised) + _KEPT * (last.mean - self._predict(last.solution))
        doubt = _KEPT * torch.maximum(last.doubt, self._measure(self._spread(mean), last.noise))
        value, precision = self._unwrap(mean, doubt.view(-1, 1, 1, 1), self._noise_of_symbols(last.noise))
        coefficients = solve(
            self.carrier.grid,
            _LEFT * last.uncertainty,
            self._evidence(value, precision * self.alive),
            mean=denoised,
            start=denoised,
            iterations=_HELD_STEPS,
        )
        return (coefficients / sender_scale(coefficients.device)).flatten(1)

    def _iterate(self, stage: _Stage, passes: int, adapting: int) -> _Stage:
        still = 0
        for number in range(passes):
            value, precision = self._unwrap(
                stage.mean, stage.doubt.view(-1, 1, 1, 1), self._noise_of_symbols(stage.noise)
            )
            previous, stage = stage, self._settle(stage, value, precision * self.alive, adapting=number < adapting)
            moved = (stage.doubt - previous.doubt).abs()
            still = still + 1 if bool((moved < _STANDSTILL * previous.doubt).all()) else 0
            if still == 2:
                break
        return stage

    def _settle(self, stage: _Stage, value: Tensor, precision: Tensor, *, adapting: bool) -> _Stage:
        """What follows from symbols of these values and precisions, N x D x rows x columns."""
        evidence = self._evidence(value, precision)
        solution = self._solve(evidence, stage.solution)
        uncertainty, expected = self._state(evidence)
        doubt = (expected * self.correction).clamp(1e-4, 2.0)
        if adapting:
            self.prior = adapted_variance(self.carrier.grid, self.base, solution, uncertainty) * self.beyond
        fitted = self._predict(solution)
        # The cavity: what everything but the symbol itself says of it.
        mean = fitted - precision * doubt.view(-1, 1, 1, 1) * (value - fitted)
        spread = self._spread(mean)
        noise = self._refine_noise(spread, stage.noise)
        # Where wraps were taken wrongly the phases show more doubt than the evidence accounts for.
        doubt = torch.maximum(doubt, self._measure(spread, noise))
        return _Stage(solution, uncertainty, expected, mean, doubt, noise, value, precision)

    def _decoded(self) -> Decoded:
        stage = self.stage
        refined = replace(self.symbols.noise, by_slot=stage.noise)
        return Decoded(
            coefficients=stage.solution,
            ratios=self._ratios(stage.mean, stage.doubt, refined),
            noise=refined,
            doubt=stage.doubt,
            open=stage.expected,
            unaided=self.unaided,
        )

    def _evidence(self, value: Tensor, precision: Tensor) -> SymbolEvidence:
        return SymbolEvidence(
            self.symbols.mixing, value.flatten(1) * self.amplitude, precision.flatten(1) / self.amplitude**2
        )

    def _prior(self) -> tuple[Tensor, Tensor]:
        """Mean and variance of the coefficients before any evidence, N x grid.size."""
        if self.hint is None:
            return self.guess, self.prior
        value, precision = self.hint
        variance = 1 / (1 / self.prior + precision)
        return variance * (self.guess / self.prior + value * precision), variance

    def _unwrap(self, mean: Tensor, doubt: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        gains = self.symbols.gains
        believed = unwrap(self.received, mean, doubt, noise, self.outlier, gains)
        if bool((self.half > 0).any()):
            half = self.half.clamp_min(0.01)
            other = unwrap_rounded(self.received, mean, doubt, self.jitter, half, self.outlier, gains)
            used = self.half > 0
            believed = (torch.where(used, other[0], believed[0]), torch.where(used, other[1], believed[1]))
        return message(*believed, gains * mean, gains**2 * doubt, gains, self._alike)

    def _alike(self, shares: Tensor) -> Tensor:
        """The mean over alike symbols of the share of variance that phases leave, for a symbol's trust.

        Single symbols may come out less certain than they went in; only the mean has the meaning of a precision.
        """
        weight = self.weight**CARE
        mean = self.kinds.sums(shares * weight) / self.kinds.sums(weight).clamp_min(1e-6)
        return 1 - self.weight * (1 - self.kinds.each(mean))

    def _solve(self, evidence: SymbolEvidence, start: Tensor | None) -> Tensor:
        mean, variance = self._prior()
        coefficients = solve(
            self.carrier.grid,
            variance,
            evidence,
            self.pixels,
            mean=mean,
            start=start,
            iterations=self.effort.iterations,
        )
        return (coefficients / sender_scale(coefficients.device)).flatten(1)

    def _predict(self, solution: Tensor) -> Tensor:
        return (self.symbols.mixing.forward(solution) / self.amplitude).view_as(self.received)

    def _by_symbol(self, noise: Tensor) -> Tensor:
        """Noise by slot, N x 14, to noise by symbol, N x D x rows x columns."""
        return torch.gather(noise, 1, self.slots.flatten(1)).view_as(self.received)

    def _noise_of_symbols(self, noise: Tensor) -> Tensor:
        """The same with what the gates did to it."""
        return (self._by_symbol(noise) * self.loudness).clamp_max(LOUDEST) + self.leak

    def _state(self, evidence: SymbolEvidence) -> tuple[Tensor, Tensor]:
        """What the solution leaves open: of each coefficient (variance, N x grid.size, sender's units), and of a symbol
        without its own phase (N, standard deviations squared).

        State evolution for the sum of two operators in random position to each other (free additive convolution,
        Voiculescu 1991): what symbols say acts on each coefficient like one precision s, the rest acts on each symbol
        like one precision w, and mean 1/(d + s) = mean 1/(w + p) = 1/(s + w), with p the symbols' precisions (0 for
        rows that are not sent) and d the coefficients' without symbols. d has two values for each coefficient: that
        of the part of its block which pixels show, and of the part which they do not.
        """
        length = self.symbols.mixing.length
        prior = 1 / self._prior()[1]

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
        """Doubt, from how far the received phases lie from those predicted without them, by kind."""
        power = torch.tensor((*GAINS, *(FINE_GAIN for _ in FINE_SLOTS)), device=noise.device)[self.kinds.slots] ** 2
        expected = noise[:, self.kinds.slots] * self.loud
        # The quieter kinds tell the doubt; the noisier ones hide it.
        weight = self.total * (power / (expected + 0.01)) ** 2 * (self.kinds.slots < ROBUST_SLOTS)
        return (((spread - expected) / power * weight).sum(1) / weight.sum(1).clamp_min(1e-6)).clamp(0.003, 1.5)

    def _refine_noise(self, spread: Tensor, noise: Tensor) -> Tensor:
        """The silent slots' noise again, now that the symbols are better known.

        What phases lie off beyond the noise, in the slots whose noise is known, is the symbols' own uncertainty; in
        the silent slots it is the same.
        """
        expected = noise[:, self.kinds.slots] * self.loud
        weight = self.total / (expected + 0.003) ** 2 * (self.kinds.slots < ROBUST_SLOTS)
        excess = ((spread - expected) * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp_min(1e-6)
        # By how loud a kind is against the others of its slot, so that the quiet ones, whose phases tell more, decide.
        weight = self.total / self.loud.clamp_min(1e-6)
        above = self.kinds.by_slot((spread - excess.clamp_min(0)) * weight)
        silent = above / self.kinds.by_slot(self.loud * weight).clamp_min(1e-6)
        known = noise[:, :ROBUST_SLOTS]
        least = known.min(1, keepdim=True).values
        return torch.cat([known, torch.maximum(silent[:, ROBUST_SLOTS:], least).clamp_max(LOUDEST)], 1)

    def _spread(self, mean: Tensor) -> Tensor:
        """Variance of phases around predicted ones beyond what the gates did to it, by kind, cells squared."""
        error = wrap(self.received - self.symbols.gains * mean)
        cosine = self.kinds.sums(torch.cos(2 * torch.pi * error) * self.weight**2) / self.total.clamp_min(1e-6)
        return (variance_of(cosine) - self.left).clamp_min(0)

    def _ratios(self, mean: Tensor, doubt: Tensor, noise: Noise) -> Tensor:
        """Log likelihood ratios of `overwritten`, all slots: N x 14 x rows x columns by slot."""
        carrier, reception = self.carrier, self.reception
        error = wrap(self.received - self.symbols.gains * mean)
        own = torch.where(self.half > 0, self.jitter, self._noise_of_symbols(noise.by_slot))
        spread = own + self.symbols.gains**2 * doubt.view(-1, 1, 1, 1)
        # V is not shown fine slots: where they say anything the others say enough.
        coarse = (slice(None), slice(DATA_SLOTS))
        data = log_likelihood_ratio(error[coarse], spread[coarse], self.half[coarse])
        pilots = pilot_ratios(carrier, reception, noise)
        return carrier.by_slot(torch.cat([pilots, data], 1) * reception.known)


@lru_cache(maxsize=4)
def _detail(device: torch.device) -> Tensor:
    """1 for coefficients that R knows better than the solution, 0 for a block's means: COEFFICIENTS values."""
    _, row, column = frequencies(device)
    return ((row + column) > 0).float()


class _Kinds:
    """Symbols that arrive alike: those of one slot, with noise of about one loudness."""

    def __init__(self, slots: Tensor, factor: Tensor, count: int) -> None:
        """slots, factor: N x D x rows x columns, of `count` slots."""
        levels = len(_LOUDNESS) + 1
        edges = torch.tensor(_LOUDNESS, device=factor.device)
        self._kind = (slots * levels + torch.bucketize(torch.log(factor), edges)).flatten(1)
        self._shape, self._count = factor.shape, count
        self.slots = torch.arange(count, device=factor.device).repeat_interleave(levels)

    def sums(self, values: Tensor) -> Tensor:
        """Over the symbols of each kind: N x D x rows x columns to N x kinds."""
        return values.new_zeros(len(values), len(self.slots)).scatter_add_(1, self._kind, values.flatten(1))

    def each(self, values: Tensor) -> Tensor:
        """To every symbol its kind's value: N x kinds to N x D x rows x columns."""
        return torch.gather(values, 1, self._kind).view(self._shape)

    def by_slot(self, values: Tensor) -> Tensor:
        """Sums over a slot's kinds: N x kinds to N x slots."""
        return values.view(len(values), self._count, -1).sum(2)
