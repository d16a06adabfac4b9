"""What a field of the report may hold beyond its type, said in its annotation: for the JSON Schema alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class OneOf:
    """The only values there are."""

    values: tuple[str | int, ...]

    def keywords(self) -> dict[str, Any]:
        return {"enum": list(self.values)}


@dataclass(frozen=True)
class AtLeast:
    """A number with a lower bound and, where there is one, an upper bound."""

    least: float
    most: float | None = None

    def keywords(self) -> dict[str, Any]:
        return {"minimum": self.least} | ({} if self.most is None else {"maximum": self.most})


@dataclass(frozen=True)
class Like:
    """Text that matches a regular expression."""

    pattern: str

    def keywords(self) -> dict[str, Any]:
        return {"pattern": self.pattern}
