"""What the receiver knows of photographs, measured on the training pictures."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from imuge_cli.lattice.header import CODE_BITS
from imuge_cli.models.lattice.carrier import STEPS
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.models.lattice.sender import immunize_working
from imuge_cli.payload.source import BAND, analyse_source, bands, bands_of_picture
from imuge_cli.training.batches import Recipe, carrier_of, draw_originals

_BATCHES = 24


def measure_statistics(networks: LatticeNetworks, pictures: Tensor, recipe: Recipe) -> None:
    """Fill in the variances of coefficients and the residue of immunized pixels' bands."""
    variances, residues = [], []
    small = Recipe(seed=recipe.seed + 1, batch=16, mix=recipe.mix)
    for step in range(_BATCHES):
        original = draw_originals(pictures, small, step, torch.device("cpu"))
        code = torch.from_numpy(np.random.default_rng([recipe.seed, step]).integers(0, 2, (16, CODE_BITS)))
        carrier = carrier_of(small, step, original.device)
        immunized = immunize_working(carrier, original, code, STEPS[recipe.strength]).round()
        coefficients = analyse_source(original)
        gap = bands_of_picture(immunized) - bands(coefficients)
        n, c, rows, columns, side, _ = gap.shape
        tiles = gap.view(n, c, rows, columns, side // BAND, BAND, side // BAND, BAND)
        variances.append((coefficients**2).mean((0, 1, 2)))
        residues.append((tiles**2).mean((0, 2, 3, 4, 6)))
    networks.log_variance.copy_(torch.log(torch.stack(variances).mean(0) + 0.1))
    networks.log_residue.copy_(torch.log(torch.stack(residues).mean(0) + 0.1))
