"""What the receiver knows of photographs and of attacks, measured on the training pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import torch
from torch import Tensor

from imuge_cli.models.lattice.channel import channel_noise
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.payload.source import BAND, analyse_source, bands, bands_of_picture, to_grid
from imuge_cli.training.batches import Recipe, carrier_of, make_batch

_BATCHES = 24
# A picture's damage counts up to so many times what the noise in the lattice would make of it: a gross change of
# colour, which the lattice does not notice, must not rule the average.
_GROSS = 60.0
_STEPS = 400


def measure_statistics(networks: LatticeNetworks, pictures: Tensor, recipe: Recipe) -> None:
    """Fill in the variances of coefficients, the residue of immunized pixels' bands, and what attacks do."""
    variances, residues, noises, damages = [], [], [], []
    small = replace(recipe, seed=recipe.seed + 1, batch=16, untampered=1.0, cropped=0.0, large=0.0, rescaled=0.0)
    with ThreadPoolExecutor() as pool:
        for step in range(_BATCHES):
            batch = make_batch(pictures, small, step, torch.device("cpu"), pool)
            carrier = carrier_of(small, step, batch.original.device)
            coefficients = analyse_source(to_grid(batch.original, carrier.grid))
            gap = bands_of_picture(batch.immunized) - bands(coefficients)
            n, c, rows, columns, side, _ = gap.shape
            tiles = gap.view(n, c, rows, columns, side // BAND, BAND, side // BAND, BAND)
            variances.append((coefficients**2).mean((0, 1, 2)))
            residues.append((tiles**2).mean((0, 2, 3, 4, 6)))
            noises.append(channel_noise(carrier, batch.reception))
            received = analyse_source(to_grid(batch.reception.picture, carrier.grid))
            damages.append(((received - coefficients) ** 2).mean((1, 2)))
    networks.log_variance.copy_(torch.log(torch.stack(variances).mean(0) + 0.1))
    networks.log_residue.copy_(torch.log(torch.stack(residues).mean(0) + 0.1))
    floor, slope = _fit_damage(torch.cat(noises)[:, None], torch.cat(damages))
    networks.log_damage_floor.copy_(floor)
    networks.log_damage_slope.copy_(slope)


def _fit_damage(noise: Tensor, damage: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of floor and slope of each coefficient's damage over noise, by maximum likelihood (chi-squared).

    noise: N x 1, damage: N x COEFFICIENTS, both variances in grey levels squared.
    """
    damage = torch.minimum(damage, _GROSS * (1 + noise))
    with torch.enable_grad():
        logs = torch.zeros(2, damage.shape[1], requires_grad=True)
        optimizer = torch.optim.Adam([logs], lr=0.05)
        for _ in range(_STEPS):
            optimizer.zero_grad(set_to_none=True)
            variance = torch.exp(logs[0]) + torch.exp(logs[1]) * noise
            loss = (torch.log(variance) + damage / variance).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    floor, slope = logs.detach().clamp_min(-3.0)
    return floor, slope
