"""The ways to lay a picture before a network that errs otherwise each time: mirrored, turned."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Way(NamedTuple):
    """Axes that are mirrored, and whether rows and columns change places afterwards."""

    mirrored: tuple[int, ...]
    transposed: bool

    def laid(self, planes: Tensor) -> Tensor:
        """... x H x W as the network is shown them, ... x W x H if transposed."""
        planes = planes.flip(self.mirrored)
        return planes.transpose(-2, -1) if self.transposed else planes

    def upright(self, planes: Tensor) -> Tensor:
        """What `laid` gave, as it was."""
        planes = planes.transpose(-2, -1) if self.transposed else planes
        return planes.flip(self.mirrored)


WAYS = tuple(Way(axes, turned) for turned in (False, True) for axes in ((), (-2, -1), (-1,), (-2,)))
"""All eight: upright, turned by 180 degrees, mirrored either way, and the same with rows and columns exchanged."""
