"""Reading what another run measured, to put it beside this one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from imuge_cli.benchmark.rows import Beside
from imuge_cli.benchmark.store import JSON, SCHEMA
from imuge_cli.errors import InputError, UsageError


def read_beside(folders: Sequence[Path]) -> tuple[Beside, ...]:
    """The runs in these folders. Raises InputError where there is none, or one of another version."""
    runs = [_read(folder) for folder in folders]
    names = [run.name for run in runs]
    return tuple(
        replace(run, name=f"{run.name} ({folder.name})") if names.count(run.name) > 1 else run
        for run, folder in zip(runs, folders, strict=True)
    )


def require_same_pictures(others: Sequence[Beside], pictures: Sequence[str]) -> None:
    """Raises UsageError: means over different pictures say nothing of the models."""
    for other in others:
        if set(other.pictures) != set(pictures):
            raise UsageError(
                f"--beside: the run of {other.name} measured {len(other.pictures)} pictures, which are not the "
                f"{len(pictures)} of this one; measure the same --data with the same --pictures"
            )


def _read(folder: Path) -> Beside:
    path = folder / JSON
    try:
        body = json.loads(path.read_bytes())
        if body["schema"] != SCHEMA:
            raise ValueError("it was written by another version")
        return _parsed(body)
    except OSError as error:
        raise InputError(
            f"--beside: {path} cannot be read ({error.strerror}); name the --out of another run"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"--beside: {path} is no run's result ({error}); measure it again") from error


def _parsed(body: dict[str, Any]) -> Beside:
    psnr: dict[str, list[float]] = {}
    for row in body["embedding"]:
        psnr.setdefault(row["size"], []).append(float(row["psnr"]))
    wholes = [group for group in body["groups"] if group["tamper"] == ""]
    return Beside(
        name=str(body["engine"]["model"]),
        pictures=tuple(body["pictures"]),
        psnr={size: sum(values) / len(values) for size, values in psnr.items()},
        figures={
            (group["size"], group["attack"], group["share"]): (
                _mean(group["summary"]["local_psnr"]),
                _mean(group["summary"]["f1"]),
            )
            for group in wholes
        },
    )


def _mean(stored: dict[str, float] | None) -> float | None:
    return None if stored is None else float(stored["mean"])
