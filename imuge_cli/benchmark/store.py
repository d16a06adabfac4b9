"""The results' folder: results.json, results.csv and tables.md."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, fields
from io import StringIO
from pathlib import Path

from imuge_cli.benchmark.aggregate import Summary, grouped, summarise
from imuge_cli.benchmark.goals import check
from imuge_cli.benchmark.rows import CaseRow, Results
from imuge_cli.benchmark.tables import page
from imuge_cli.errors import OutputError
from imuge_cli.image.atomic import write_bytes
from imuge_cli.reporting.schema import plain

SCHEMA = "imuge.bench/1"
JSON, CSV, MARKDOWN = "results.json", "results.csv", "tables.md"
JOURNAL = "journal.jsonl"
"""Of a run that is not over yet."""


@dataclass(frozen=True)
class Group:
    """Cases of one kind together. tamper: "" for all of them."""

    size: str
    attack: str
    share: float
    tamper: str
    summary: Summary


def require_free(folder: Path, *, force: bool, names: tuple[str, ...] = (JSON, CSV, MARKDOWN, JOURNAL)) -> None:
    """Raises OutputError where results are there already, before hours of work, unless `force`."""
    taken = [name for name in names if (folder / name).exists()]
    if taken and not force:
        raise OutputError(f"{folder}: holds {taken[0]} of another run; use --force to replace it or another --out")


def write_results(results: Results, folder: Path) -> str:
    """Write the three files over those of an earlier state of this run; returns the Markdown page."""
    text = page(results)
    write_bytes(folder / JSON, to_json(results).encode("ascii"), force=True)
    write_bytes(folder / CSV, to_csv(results.cases).encode("utf-8"), force=True)
    write_bytes(folder / MARKDOWN, text.encode("utf-8"), force=True)
    return text


def to_json(results: Results) -> str:
    """Settings, machine, goals, groups of cases, and all rows but the cases, which the CSV has."""
    body = {
        "schema": SCHEMA,
        "version": results.version,
        "complete": results.complete,
        "seconds": results.seconds,
        "jobs": results.jobs,
        "settings": results.settings,
        "pictures": results.pictures,
        "engine": results.engine,
        "machine": results.machine,
        "goals": check(results),
        "groups": groups(results.cases),
        "embedding": results.embedding,
        "untampered": results.untampered,
        "foreign": results.foreign,
    }
    return json.dumps(plain(body), indent=1, allow_nan=False) + "\n"


def to_csv(cases: tuple[CaseRow, ...]) -> str:
    """One line per case, with a header; empty where there is nothing to measure, `inf` where bit-exact."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [field.name for field in fields(CaseRow)]
    writer.writerow([*names, "failed"])
    writer.writerows([*(getattr(case, name) for name in names), case.failed] for case in cases)
    return stream.getvalue()


def groups(cases: tuple[CaseRow, ...]) -> list[Group]:
    """Summaries by size, attack and share, over all tampers and for each one."""
    found = []
    for members in grouped(cases, lambda row: f"{row.size} {row.attack} {row.share}").values():
        first = members[0]
        parts = {"": members, **grouped(members, lambda row: row.tamper)}
        found += [
            Group(first.size, first.attack, first.share, tamper, summarise(part)) for tamper, part in parts.items()
        ]
    return found
