"""One table, as Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from imuge_cli.benchmark.aggregate import Figure

EMPTY = "-"


@dataclass(frozen=True)
class Table:
    """name: for markers and files, no spaces. rows: cells as text, as many as columns."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.name}: every row needs {len(self.columns)} cells")

    def body(self) -> str:
        """Without the title: what stands between markers."""
        lines = [_line(self.columns), _line(("---", *("---:" for _ in self.columns[1:])))]
        lines += [_line(row) for row in self.rows]
        return "\n".join([*lines, *(f"\n{note}" for note in self.notes)])

    def markdown(self) -> str:
        """With a heading."""
        return f"## {self.title}\n\n{self.body()}\n"


def number(value: float | None, digits: int) -> str:
    """`EMPTY` for None."""
    return EMPTY if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as per cent."""
    return EMPTY if value is None else f"{100 * value:.{digits}f} %"


def mean(value: Figure | None, digits: int) -> str:
    """The mean of a figure that may not exist."""
    return EMPTY if value is None else number(value.mean, digits)


def tenth(value: Figure | None, digits: int) -> str:
    """The 10th percentile of a figure that may not exist."""
    return EMPTY if value is None else number(value.tenth, digits)


def least(value: Figure | None, digits: int) -> str:
    """The smallest value of a figure that may not exist."""
    return EMPTY if value is None else number(value.least, digits)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
