"""Everything that sender and receiver share for one secret and one working size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from imuge_cli.keys import Secret
from imuge_cli.lattice.header import CODE_BITS, FINE_SINCE, FORMAT_VERSION
from imuge_cli.lattice.layout import DATA_SLOTS, SLOT_COUNT, fine_dither, make_layout
from imuge_cli.lattice.template import PITCH, template_dither
from imuge_cli.lattice.transform import BLOCK, FINE_SLOTS
from imuge_cli.payload.mixing import Mixing, MixingPair, make_mixing
from imuge_cli.payload.source import SourceGrid, model_variance, sender_scale

# Lattice step, grey levels, by strength: the carrier's one trade of visibility for robustness.
STEPS = {"subtle": 16.4, "balanced": 19.7, "strong": 23.6}
# Cells a symbol of one standard deviation spans, by slot. Above about .2 symbols wrap, and only a receiver that
# already has an idea of them (from the pixels that were not tampered with) tells the wraps apart; it is repaid in
# noise. Small gains survive more tampering, large ones say more where little was tampered with: .6 wins .2 to .4 dB
# over .5 where a tenth is lost, and loses everything where 40 % are.
GAINS = (0.47,) * SLOT_COUNT
# The step of fine slots, against that of the others, and their gain. They are seen less than all others, and JPEG below
# 90 leaves nothing of them; till then they tell what is gone where half of a picture is (docs/experiments.md).
FINE_STEP, FINE_GAIN = 0.18, 0.47
# Header chips sit a quarter of a cell to either side of the dither: antipodal phases.
CHIP_PHASE = 0.25
# A picture's symbols are brought to about one standard deviation by one of a few factors, so that a busy one does not
# wrap more often than a calm one: level k stands for 2 ** ((k - 5) / 2).
LEVELS, MIDDLE_LEVEL, LEVEL_OCTAVES = 8, 5, 0.5


def scale_of(levels: Tensor) -> Tensor:
    """What the symbols of a power level (int64, any shape) are divided by, in the model's standard deviations."""
    return torch.exp2((levels - MIDDLE_LEVEL) * LEVEL_OCTAVES)


@dataclass(frozen=True)
class FineCarrier:
    """The fine slots of the same blocks, all of them data slots.

    dither: 1 x 24 x rows x columns, cells. mixing: of the data symbols of all slots, the fine ones after the others.
    amplitude: see `Carrier`, for that mixing.
    """

    dither: Tensor
    mixing: MixingPair
    amplitude: float


@dataclass(frozen=True)
class Carrier:
    """Keyed tensors for working pictures of height x width pixels, rows x columns whole 8 x 8 blocks.

    order: 1 x 14 x rows x columns, slot numbers: pilot, header chip, 12 data slots. dither: the same shape, by
    slot, cells. chips: rows x columns, which code bit. flips: -1 where the chip is sent inverted, else 1.
    gains: 1 x 12 x rows x columns, cells per standard deviation of each data symbol.
    amplitude: standard deviation of mixed coefficients by the spectrum model. template: dither of the synchronization
    template's points, height // 20 x width // 20, cells. fine: None before format version 4.
    """

    height: int
    width: int
    rows: int
    columns: int
    grid: SourceGrid
    order: Tensor
    dither: Tensor
    chips: Tensor
    flips: Tensor
    mixing: Mixing
    gains: Tensor
    amplitude: float
    template: Tensor
    fine: FineCarrier | None = None

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.dither.device

    def by_order(self, planes: Tensor) -> Tensor:
        """Planes by slot, N x 14 x rows x columns, to planes by use (pilot, header chip, data)."""
        return torch.gather(planes, 1, self.order.expand(planes.shape[0], -1, -1, -1))

    def by_slot(self, planes: Tensor) -> Tensor:
        """Inverse of by_order."""
        return torch.zeros_like(planes).scatter_(1, self.order.expand(planes.shape[0], -1, -1, -1), planes)

    def chip_phases(self, code: Tensor) -> Tensor:
        """Phases of the header chips for code bits N x 264 (0 or 1): N x 1 x rows x columns, cells."""
        signs = (code.float() * 2 - 1)[:, self.chips] * self.flips
        return (signs * CHIP_PHASE)[:, None]


@lru_cache(maxsize=8)
def make_carrier(
    secret: Secret, height: int, width: int, device: torch.device, version: int = FORMAT_VERSION
) -> Carrier:
    """The carrier of a secret for a working picture of height x width pixels in a format version."""
    rows, columns = height // BLOCK, width // BLOCK
    grid = SourceGrid.of(height, width)
    layout = make_layout(secret, rows, columns)
    order = torch.from_numpy(layout.order)[None].to(device)
    mixing = make_mixing(secret, grid.size, DATA_SLOTS * rows * columns, device)
    power = float((model_variance() / sender_scale() ** 2).sum()) * grid.rows * grid.columns
    fine = None
    if version >= FINE_SINCE:
        outputs = len(FINE_SLOTS) * rows * columns
        pair = MixingPair(mixing, make_mixing(secret, grid.size, outputs, device, name="payload fine mixing"))
        dither = torch.from_numpy(fine_dither(secret, rows, columns))[None].to(device)
        fine = FineCarrier(dither=dither, mixing=pair, amplitude=(power / pair.length) ** 0.5)
    return Carrier(
        height=height,
        width=width,
        rows=rows,
        columns=columns,
        grid=grid,
        order=order,
        dither=torch.from_numpy(layout.dither)[None].to(device),
        chips=torch.from_numpy(layout.chips % CODE_BITS).to(device),
        flips=torch.from_numpy(1.0 - 2.0 * layout.flips).float().to(device),
        mixing=mixing,
        gains=torch.tensor(GAINS, device=device)[order[:, 2:]],
        amplitude=(power / mixing.length) ** 0.5,
        template=torch.from_numpy(template_dither(secret, height // PITCH, width // PITCH)).to(device),
        fine=fine,
    )
