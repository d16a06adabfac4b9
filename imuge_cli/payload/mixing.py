"""Keyed orthonormal mixing: every symbol carries a little of every coefficient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imuge_cli.keys import Secret, keyed_permutation, keyed_signs
from imuge_cli.payload.source import Operator

# Transforms longer than this fall out of a processor's cache and cost several times as much a value.
LONGEST = 20_000


def fast_length(minimum: int) -> int:
    """The smallest 2^a 3^b 5^c that is at least `minimum`: Fourier transforms of such lengths are fast."""
    best = 1 << (minimum - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            length = three
            while length < minimum:
                length *= 2
            best = min(best, length)
            three *= 3
        five *= 5
    return best


def hartley(values: Tensor) -> Tensor:
    """Orthonormal discrete Hartley transform over the last axis; its own inverse."""
    length = values.shape[-1]
    spectrum = torch.fft.rfft(values, norm="ortho")
    # The upper half follows from the lower one: a real signal's spectrum is symmetric up to conjugation.
    lower = spectrum.real - spectrum.imag
    upper = (spectrum.real + spectrum.imag)[..., 1 : (length + 1) // 2].flip(-1)
    return torch.cat([lower, upper], -1)


@dataclass(frozen=True)
class Mixing:
    """A = (rows) (Hartley) (signs) (permutation): from `inputs` coefficients to `outputs` symbols.

    The Hartley transform is one of several side by side, each of a random part of the inputs, where there are many.

    A has orthonormal rows where outputs <= inputs, orthonormal columns where all rows are kept, and a part of
    an orthonormal matrix's rows and columns in general.

    length: of all transforms together, `transforms` of them of equal length. positions, rows: where inputs and outputs
    lie in them. signs: of the inputs. from_inputs, laid_signs: which input lies where in the transforms, and its sign,
    `length` of each; 0 where none does. from_outputs: the inverse of rows, with the number after the last where nothing
    lies.
    """

    inputs: int
    outputs: int
    length: int
    transforms: int
    positions: Tensor
    signs: Tensor
    rows: Tensor
    from_inputs: Tensor
    laid_signs: Tensor
    from_outputs: Tensor

    def forward(self, values: Tensor) -> Tensor:
        """N x inputs to N x outputs."""
        return _taken(self._transform(self._laid(values)), self.rows)

    def transposed(self, symbols: Tensor) -> Tensor:
        """N x outputs to N x inputs: the adjoint of `forward`."""
        return self._gathered(self._transform(self._spread(symbols)))

    def normal(self, precision: Tensor, share: float = 1.0) -> Operator:
        """The operator share * transposed(precision * forward(.)), N x inputs to the same. precision: N x outputs.

        What a solver asks hundreds of times: symbols are never brought into their order, and one real Fourier transform
        and its inverse do for two Hartley transforms. With s by which a Hartley spectrum is multiplied, the Fourier
        spectrum X of the signal becomes p X + i q conj(X), 2 p_k = s_k + s_-k, 2 q_k = s_-k - s_k.
        """
        length = self.length // self.transforms
        spread = share / 2 * self._spread(precision).view(len(precision), self.transforms, length)
        mirrored = torch.cat([spread[..., :1], spread[..., 1:].flip(-1)], -1)
        half = length // 2 + 1
        even = (spread + mirrored)[..., :half]
        odd = torch.complex(torch.zeros_like(even), (mirrored - spread)[..., :half])

        def operator(values: Tensor) -> Tensor:
            spectrum = torch.fft.rfft(self._laid(values).view_as(spread))
            spectrum = torch.addcmul(even * spectrum, odd, spectrum.conj())
            return self._gathered(torch.fft.irfft(spectrum, n=length).flatten(1))

        return operator

    def _spread(self, symbols: Tensor) -> Tensor:
        """N x outputs to N x length: in the order of the transforms, zero where nothing is sent."""
        return _taken(functional.pad(symbols, (0, 1)), self.from_outputs)

    def _laid(self, values: Tensor) -> Tensor:
        """N x inputs to N x length: in the order of the transforms, with their signs."""
        return _taken(values, self.from_inputs) * self.laid_signs

    def _gathered(self, signal: Tensor) -> Tensor:
        """N x length to N x inputs: the adjoint of `_laid`."""
        return _taken(signal, self.positions) * self.signs

    def _transform(self, values: Tensor) -> Tensor:
        return hartley(values.view(len(values), self.transforms, -1)).flatten(1)


@dataclass(frozen=True)
class MixingPair:
    """Two mixings of the same coefficients, one's symbols after the other's.

    Each counts by the root of its share of the length, so that columns are orthonormal where all rows are kept, as with
    one mixing, and a row's power is the same in both.
    """

    first: Mixing
    second: Mixing

    @property
    def outputs(self) -> int:
        """Of both."""
        return self.first.outputs + self.second.outputs

    @property
    def length(self) -> int:
        """Of both."""
        return self.first.length + self.second.length

    def forward(self, values: Tensor) -> Tensor:
        """N x inputs to N x outputs."""
        return torch.cat([weight * part.forward(values) for weight, part in self._parts()], 1)

    def transposed(self, symbols: Tensor) -> Tensor:
        """N x outputs to N x inputs: the adjoint of `forward`."""
        told = torch.split(symbols, [self.first.outputs, self.second.outputs], 1)
        parts = [weight * part.transposed(own) for (weight, part), own in zip(self._parts(), told, strict=True)]
        return parts[0] + parts[1]

    def normal(self, precision: Tensor) -> Operator:
        """See `Mixing.normal`."""
        told = torch.split(precision, [self.first.outputs, self.second.outputs], 1)
        first, second = (part.normal(own, weight**2) for (weight, part), own in zip(self._parts(), told, strict=True))
        return lambda values: first(values) + second(values)

    def _parts(self) -> list[tuple[float, Mixing]]:
        return [((part.length / self.length) ** 0.5, part) for part in (self.first, self.second)]


def make_mixing(
    secret: Secret, inputs: int, outputs: int, device: torch.device, *, name: str = "payload mixing"
) -> Mixing:
    """The mixing under a secret. Format versions 2 to 4: it depends on the secret, the name and the counts alone."""
    transforms = -(-max(inputs, outputs) // LONGEST)
    length = transforms * fast_length(-(-max(inputs, outputs) // transforms))
    name = f"{name} {inputs} {outputs}"
    positions = keyed_permutation(secret.subkey(name + " positions"), length)[:inputs]
    rows = keyed_permutation(secret.subkey(name + " rows"), length)[:outputs]
    signs = keyed_signs(secret.subkey(name + " signs"), inputs)
    from_inputs = _inverse(positions, length)
    laid = from_inputs < inputs
    return Mixing(
        inputs=inputs,
        outputs=outputs,
        length=length,
        transforms=transforms,
        positions=torch.from_numpy(positions).int().to(device),
        signs=torch.from_numpy(signs).to(device),
        rows=torch.from_numpy(rows).int().to(device),
        from_inputs=torch.where(laid, from_inputs, 0).int().to(device),
        laid_signs=torch.where(laid, torch.from_numpy(signs)[from_inputs.clamp_max(inputs - 1)], 0).to(device),
        from_outputs=_inverse(rows, length).int().to(device),
    )


def _taken(values: Tensor, places: Tensor) -> Tensor:
    """Columns of N x K. One row is taken as a vector, which takes two thirds of the time."""
    return values[0].index_select(0, places)[None] if len(values) == 1 else values.index_select(1, places)


def _inverse(places: NDArray[np.int64], length: int) -> Tensor:
    inverse = np.full(length, len(places), np.int64)
    inverse[places] = np.arange(len(places))
    return torch.from_numpy(inverse)
