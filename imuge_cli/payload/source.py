"""What the symbols describe: the low frequencies of 64 x 64 blocks of luma and chroma.

The sender's constants (which coefficients, centre, scale) are part of the format. The receiver's ideas of how
large a coefficient is and how well the suspect's own pixels tell it may be learned and may change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from imuge_cli.lattice.transform import BLOCK, LUMA, dct_matrix

CPU = torch.device("cpu")
# N x K to the same.
Operator = Callable[[Tensor], Tensor]
SOURCE_BLOCK = 64
BAND = 4
COEFFICIENT_COUNTS = (800, 120, 120)
COEFFICIENTS = sum(COEFFICIENT_COUNTS)
# Frequencies 0 .. REACH - 1 occur among the coefficients.
REACH = 40
# Model of a coefficient's variance, c * (1 + r) ** -p with r the radial frequency, fitted to photographs.
_SPECTRUM = ((2.6e6, 2.44), (4.3e5, 3.0), (4.3e5, 3.0))
# The sender divides by the standard deviation to this power: what is large gets more of the channel.
FLATTENING = 0.25


@dataclass(frozen=True)
class SourceGrid:
    """The grid of source blocks a working picture is described on: rows x columns blocks of 64 x 64 pixels."""

    rows: int
    columns: int

    @classmethod
    def of(cls, height: int, width: int) -> SourceGrid:
        """The grid for a working picture of height x width pixels: as many whole blocks as fit, and one more where
        three quarters of it do. Rather a little fewer coefficients than the symbols could carry than more."""
        return cls(max(1, (height + 16) // SOURCE_BLOCK), max(1, (width + 16) // SOURCE_BLOCK))

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.rows * SOURCE_BLOCK

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.columns * SOURCE_BLOCK

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.rows * self.columns * COEFFICIENTS


@lru_cache(maxsize=4)
def frequencies(device: torch.device = CPU) -> tuple[Tensor, Tensor, Tensor]:
    """Channel, row frequency and column frequency of each coefficient (three int64 vectors of COEFFICIENTS)."""
    rows: list[tuple[int, int, int]] = []
    for channel, count in enumerate(COEFFICIENT_COUNTS):
        order = sorted(
            ((u, v) for u in range(SOURCE_BLOCK) for v in range(SOURCE_BLOCK)),
            key=lambda f: (f[0] + f[1], f[0]),
        )
        rows += [(channel, u, v) for u, v in order[:count]]
    table = torch.tensor(rows, dtype=torch.int64).T.to(device)
    return table[0], table[1], table[2]


@lru_cache(maxsize=4)
def model_variance(device: torch.device = CPU) -> Tensor:
    """The spectrum model's variance of each coefficient, grey levels squared: COEFFICIENTS values."""
    channel, u, v = (t.double().to(device) for t in frequencies())
    level = torch.tensor([c for c, _ in _SPECTRUM], dtype=torch.float64, device=device)[channel.long()]
    slope = torch.tensor([p for _, p in _SPECTRUM], dtype=torch.float64, device=device)[channel.long()]
    return (level * (1 + (u * u + v * v).sqrt()) ** -slope).float()


@lru_cache(maxsize=4)
def sender_scale(device: torch.device = CPU) -> Tensor:
    """What the sender divides each coefficient by: COEFFICIENTS values, grey levels."""
    return model_variance(device) ** (FLATTENING / 2)


def rgb_to_ycc(rgb: Tensor) -> Tensor:
    """N x 3 x H x W RGB in grey levels to luma (minus 128) and two colour differences, grey levels."""
    r, g, b = rgb[:, 0], rgb[:, 1], rgb[:, 2]
    y = LUMA[0] * r + LUMA[1] * g + LUMA[2] * b
    return torch.stack([y - 128, (b - y) / 1.772, (r - y) / 1.402], 1)


def ycc_to_rgb(ycc: Tensor) -> Tensor:
    """Inverse of rgb_to_ycc."""
    y = ycc[:, 0] + 128
    b, r = y + 1.772 * ycc[:, 1], y + 1.402 * ycc[:, 2]
    g = (y - LUMA[0] * r - LUMA[2] * b) / LUMA[1]
    return torch.stack([r, g, b], 1)


def to_grid(picture: Tensor, grid: SourceGrid) -> Tensor:
    """Resample N x C x H x W to the grid's size (antialiased bilinear); unchanged where it fits."""
    if picture.shape[-2:] == (grid.height, grid.width):
        return picture
    size = (grid.height, grid.width)
    return functional.interpolate(picture, size=size, mode="bilinear", antialias=True, align_corners=False)


def from_grid(picture: Tensor, height: int, width: int) -> Tensor:
    """Resample a picture on the grid to height x width pixels (bicubic); unchanged where it fits."""
    if picture.shape[-2:] == (height, width):
        return picture
    return functional.interpolate(picture, size=(height, width), mode="bicubic", align_corners=False)


@lru_cache(maxsize=4)
def _block_matrix(device: torch.device) -> Tensor:
    """REACH x 64: the DCT basis functions of the frequencies that are described."""
    return dct_matrix(SOURCE_BLOCK)[:REACH].float().to(device)


def _averages() -> Tensor:
    """32 x 64: averages of neighbouring samples, times the root of two."""
    return torch.kron(torch.eye(SOURCE_BLOCK // 2, dtype=torch.float64), torch.full((1, 2), 0.5**0.5).double())


def _box(blocks: int) -> Tensor:
    """Averages of neighbouring samples and then DCTs of four: 64 samples to the bands of eight runs of 8."""
    transform: Tensor = torch.block_diag(*[dct_matrix(BAND)] * blocks)  # type: ignore[no-untyped-call]
    return transform @ _averages()


@lru_cache(maxsize=4)
def _band_matrix(device: torch.device) -> Tensor:
    """32 x REACH: from the DCT of 64 samples to bands."""
    return (_box(SOURCE_BLOCK // BLOCK) @ dct_matrix(SOURCE_BLOCK)[:REACH].T).float().to(device)


@lru_cache(maxsize=4)
def _cell_matrix(device: torch.device) -> Tensor:
    """32 x REACH: from the DCT of 64 samples to cells."""
    return (_averages() @ dct_matrix(SOURCE_BLOCK)[:REACH].T).float().to(device)


@lru_cache(maxsize=4)
def _picture_matrix(device: torch.device) -> Tensor:
    """32 x 64: from 64 samples to bands."""
    return _box(SOURCE_BLOCK // BLOCK).float().to(device)


def _split(plane: Tensor) -> Tensor:
    n, c, height, width = plane.shape
    b = SOURCE_BLOCK
    return plane.view(n, c, height // b, b, width // b, b).transpose(3, 4)


def _join(blocks: Tensor) -> Tensor:
    n, c, rows, columns, b, _ = blocks.shape
    return blocks.transpose(3, 4).reshape(n, c, rows * b, columns * b)


@lru_cache(maxsize=8)
def _places(device: torch.device, first: int = 0, last: int = 3) -> tuple[Tensor, int]:
    """Where each coefficient of channels first .. last - 1 lies in a flattened (last - first) x reach x reach array.

    And reach: frequencies 0 .. reach - 1 occur among them.
    """
    part = slice(sum(COEFFICIENT_COUNTS[:first]), sum(COEFFICIENT_COUNTS[:last]))
    channel, u, v = (t[part] for t in frequencies(device))
    reach = int(torch.maximum(u, v).max()) + 1
    return ((channel - first) * reach + u) * reach + v, reach


@lru_cache(maxsize=4)
def _origins(device: torch.device) -> Tensor:
    """The inverse of `_places` for all channels: which coefficient lies there, COEFFICIENTS where none does."""
    places, reach = _places(device)
    origins = torch.full((3 * reach * reach,), COEFFICIENTS, dtype=torch.int64, device=device)
    origins[places] = torch.arange(COEFFICIENTS, device=device)
    return origins


def _pick(blocks: Tensor) -> Tensor:
    n, _, rows, columns, _, _ = blocks.shape
    flat = blocks.permute(0, 2, 3, 1, 4, 5).reshape(n, rows, columns, -1)
    return flat.index_select(-1, _places(blocks.device)[0])


def _place(coefficients: Tensor) -> Tensor:
    """N x rows x columns x COEFFICIENTS to N x channels x rows x columns x REACH x REACH."""
    n, rows, columns, _ = coefficients.shape
    flat = functional.pad(coefficients, (0, 1)).index_select(-1, _origins(coefficients.device))
    return flat.view(n, rows, columns, 3, REACH, REACH).permute(0, 3, 1, 2, 4, 5)


def analyse_source(rgb: Tensor) -> Tensor:
    """Coefficients of N x 3 x H x W RGB (grey levels, on the grid): N x rows x columns x COEFFICIENTS."""
    d = _block_matrix(rgb.device)
    return _pick(d @ _split(rgb_to_ycc(rgb)) @ d.T)


def synthesise_source(coefficients: Tensor) -> Tensor:
    """The RGB picture (grey levels, on the grid, not clipped) that N x rows x columns x COEFFICIENTS describe."""
    d = _block_matrix(coefficients.device)
    return ycc_to_rgb(_join(d.T @ _place(coefficients) @ d))


def bands(coefficients: Tensor) -> Tensor:
    """What 8 x 8 pixel blocks show of the picture that coefficients describe: N x 3 x rows x columns x 32 x 32.

    Each 8 x 8 block is halved in size by averaging (times 2, so that the transform is orthonormal on what it
    keeps) and its 4 x 4 DCT taken; block (i, j) of a source block lies at [4i:4i+4, 4j:4j+4].
    """
    q = _band_matrix(coefficients.device)
    return q @ _place(coefficients) @ q.T


def bands_transposed(values: Tensor) -> Tensor:
    """The adjoint of `bands`."""
    q = _band_matrix(values.device)
    return _pick(q.T @ values @ q)


def bands_of_picture(rgb: Tensor) -> Tensor:
    """The same bands of any picture on the grid, N x 3 x H x W in grey levels."""
    q = _picture_matrix(rgb.device)
    return q @ _split(rgb_to_ycc(rgb)) @ q.T


def cells_of_picture(rgb: Tensor) -> Tensor:
    """Cells of any picture on the grid: 2 x 2 pixels averaged, times 2.

    N x 3 x H x W in grey levels to N x 3 x rows x columns x 32 x 32. The bands of an 8 x 8 block are the orthonormal
    DCT of its 4 x 4 cells.
    """
    averages = _averages().float().to(rgb.device)
    return averages @ _split(rgb_to_ycc(rgb)) @ averages.T


def cells_transposed(values: Tensor) -> Tensor:
    """The adjoint of what cells show of coefficients; see `normal`."""
    c = _cell_matrix(values.device)
    return _pick(c.T @ values @ c)


def cell_diagonal(precision: Tensor) -> Tensor:
    """How much cells of some precision say of each coefficient: N x rows x columns x COEFFICIENTS."""
    c = _cell_matrix(precision.device) ** 2
    return _pick(c.T @ precision @ c)


def bands_normal(precision: Tensor) -> Operator:
    """What `bands_transposed` makes of precision * `bands`, as an operator on the coefficients of B blocks, B x
    COEFFICIENTS to the same. precision: 3 x B x 32 x 32.

    What a solver asks hundreds of times.
    """
    return _there_and_back(_band_matrix(precision.device), precision)


def cells_normal(precision: Tensor) -> Operator:
    """The same by cells."""
    return _there_and_back(_cell_matrix(precision.device), precision)


def _there_and_back(view: Tensor, precision: Tensor) -> Operator:
    """The adjoint of a view of the precision times the view. Luma and the colour differences, which have far lower
    frequencies alone, are laid out apart."""
    places, origins, reach = _layout(precision.device)
    count, chroma = precision.shape[1], view[:, :reach]
    of_luma, of_chroma = precision[0], precision[1:].transpose(0, 1).reshape(2 * count, *precision.shape[2:])

    def operator(coefficients: Tensor) -> Tensor:
        laid = functional.pad(coefficients, (0, 1)).index_select(1, origins)
        luma = laid[:, : REACH * REACH].view(count, REACH, REACH)
        colours = laid[:, REACH * REACH :].reshape(2 * count, reach, reach)
        luma = view.T @ (of_luma * (view @ luma @ view.T)) @ view
        colours = chroma.T @ (of_chroma * (chroma @ colours @ chroma.T)) @ chroma
        return torch.cat([luma.view(count, -1), colours.view(count, -1)], 1).index_select(1, places)

    return operator


@lru_cache(maxsize=4)
def _layout(device: torch.device) -> tuple[Tensor, Tensor, int]:
    """Where each coefficient lies in a row of luma's REACH x REACH frequencies and of twice reach x reach, which are
    the colour differences'; which coefficient lies where, COEFFICIENTS where none does; and that reach."""
    (luma, _), (colours, reach) = _places(device, 0, 1), _places(device, 1, 3)
    places = torch.cat([luma, colours + REACH * REACH])
    origins = torch.full((REACH * REACH + 2 * reach * reach,), COEFFICIENTS, dtype=torch.int32, device=device)
    origins[places] = torch.arange(COEFFICIENTS, dtype=torch.int32, device=device)
    return places.int(), origins, reach
