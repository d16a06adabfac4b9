"""What the exact layer answers of a suspect, in the suspect's own frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imuge_cli.exact.carrier import SLOT_BYTES, Samples
from imuge_cli.exact.examine import Examination, examine
from imuge_cli.exact.repair import COARSE, FINE, INTACT, LOST, PROVEN, Repaired, repair
from imuge_cli.keys import Secret
from imuge_cli.mask.refine import changed_exactly, changed_probably, without_islands

# Where fewer of its tiles are untouched a suspect was processed as a whole, and the lattice has more to say of it.
LEAST_INTACT = 0.15


@dataclass(frozen=True)
class Tiles:
    """Tiles of the original by what became of them; total: all. quality_fine, quality_coarse: expected PSNR in dB of
    what came back from two layers and from one, against the published picture.
    """

    total: int
    intact: int
    proven: int
    fine: int
    coarse: int
    lost: int
    quality_fine: float
    quality_coarse: float


@dataclass(frozen=True)
class Answer:
    """samples: the suspect's, h x w x C. found, repaired: in the original's frame.

    fate: h x w, what became of the tile of each of the suspect's samples; INTACT where its own edge cuts a tile that
    nothing speaks against, and that did not come back bit for bit to be compared with. doubted: h x w, where seals
    speak against a tile. unproven: h x w, where a tile is cut and nothing of this layer speaks for or against it.
    """

    samples: Samples
    found: Examination
    repaired: Repaired
    fate: NDArray[np.uint8]
    doubted: NDArray[np.bool_]
    unproven: NDArray[np.bool_]

    @property
    def image_id(self) -> int:
        """The published picture's id."""
        return self.found.header.image_id

    @property
    def information(self) -> int:
        """Bits that the untouched tiles carry about the others."""
        return int(self.found.valid.sum()) * self.found.header.profile.slots * SLOT_BYTES * 8

    @property
    def tiles(self) -> Tiles:
        """The tally."""
        counts = np.bincount(self.repaired.fate.ravel(), minlength=LOST + 1).tolist()
        coarse, fine = (quality / 4 for quality in self.found.header.qualities)
        return Tiles(
            sum(counts), counts[INTACT], counts[PROVEN], counts[FINE], counts[COARSE], counts[LOST], fine, coarse
        )

    def fate_of(self, wanted: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """`fate`, and in wanted samples (h x w) whose tile is cut, what became of that tile, whatever it shows."""
        told = self.found.layout.tile_samples(self.repaired.fate, self.found.window)
        result: NDArray[np.uint8] = np.where(wanted & self.unproven, told, self.fate).astype(np.uint8)
        return result

    def restored(self) -> Samples:
        """What the suspect should show, h x w x C: its own samples, and what came back for its lost tiles."""
        return self._restored(self.fate)

    def restored_for(self, wanted: NDArray[np.bool_]) -> Samples:
        """The same with what came back for wanted samples (h x w) of cut tiles."""
        return self._restored(self.fate_of(wanted))

    def _restored(self, fate: NDArray[np.uint8]) -> Samples:
        if self.repaired.samples is None:
            return self.samples
        back = self.repaired.samples[self.found.window]
        result: Samples = np.where((fate == INTACT)[..., None], self.samples, back)
        return result


def ask(samples: Samples, alpha: Samples | None, secret: Secret, origin: tuple[int, int] = (0, 0)) -> Answer | None:
    """Examine and repair h x w x C samples that begin at row and column `origin` of the original.

    None where the exact layer has no answer: absent, of another key, or nearly nothing of it left.
    """
    found = examine(samples, alpha, secret, origin)
    if found is None or found.valid.sum() < LEAST_INTACT * found.inside.sum():
        return None
    repaired = repair(samples, alpha, found, secret)
    # Tiles that the suspect's own edge cuts have no seal here. What came back of them can be compared.
    doubted = found.mask()
    fate = found.layout.tile_samples(repaired.fate, found.window)
    cut = found.layout.tile_samples(~found.inside & ~found.valid, found.window) & ~doubted
    known = doubted | cut & (fate == PROVEN)
    told = np.where(known, fate, INTACT).astype(np.uint8)
    return Answer(samples, found, repaired, told, doubted, cut & ~known)


def changed(answer: Answer) -> NDArray[np.bool_]:
    """Which of the suspect's h x w samples were changed.

    Where a tile came back bit for bit, the samples that differ; where it came back nearly, those that differ by more
    than it is wrong; else, and where a tile differs in no sample (in alpha, say), all of the tile.
    """
    samples, restored, fate, tiles = answer.samples, answer.restored(), answer.fate, answer.tiles
    mask: NDArray[np.bool_] = fate == LOST
    differs = changed_exactly(samples, restored)
    mask |= differs & (fate == PROVEN)
    nearly = (fate == FINE) | (fate == COARSE)
    for kind, quality in ((FINE, tiles.quality_fine), (COARSE, tiles.quality_coarse)):
        if (fate == kind).any():
            mask |= changed_probably(_grey_levels(samples), _grey_levels(restored), quality) & (fate == kind)
    if nearly.any():
        mask |= without_islands(mask, ~mask & ~nearly) & nearly
    whole: NDArray[np.bool_] = mask | _unexplained(answer, mask)
    return whole


def _unexplained(answer: Answer, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Samples of doubted tiles in which no sample is marked."""
    row, column = answer.found.layout.tiles_of(answer.found.window)
    rows, of_row = np.unique(row, return_index=True)
    columns, of_column = np.unique(column, return_index=True)
    marked = np.logical_or.reduceat(np.logical_or.reduceat(mask, of_row, axis=0), of_column, axis=1)
    empty = ~marked[(row - rows[0])[:, None], column - columns[0]]
    result: NDArray[np.bool_] = empty & (answer.fate != INTACT) & answer.doubted
    return result


def _grey_levels(samples: Samples) -> NDArray[np.float32]:
    return samples.astype(np.float32) * np.float32(255 / np.iinfo(samples.dtype).max)
