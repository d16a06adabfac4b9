"""Results as the library hands them out, made up for tests of what is told about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Part:
    """Any attributes: stands for the library's frozen results."""

    fields: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(name) from None


def part(**fields: Any) -> Any:
    return Part(fields)


def origin(**changes: Any) -> dict[str, Any]:
    return {
        "model": "lattice",
        "key_kind": "published",
        "weights_sha256": "ab" * 32,
        "device": "cpu",
        "seconds": 1.25,
        **changes,
    }


def picture(height: int = 40, width: int = 60) -> Any:
    return part(height=height, width=width)


def verify_result(verdict: str = "tampered", **changes: Any) -> Any:
    mask = np.zeros((40, 60), bool)
    regions: tuple[Any, ...] = ()
    if verdict == "tampered":
        mask[5:15, 10:30] = True
        regions = (
            part(top=np.int64(5), left=10, bottom=15, right=30, pixels=200, confidence=np.float32(0.75), foreign=False),
            part(top=30, left=0, bottom=31, right=100, pixels=100, confidence=0.5, foreign=False),
        )
    fields = {
        "verdict": verdict,
        "exit_code": {"exact": 0, "intact": 0, "tampered": 1, "not-found": 3}[verdict],
        "mask": mask,
        "tiles": None,
        "foreign": None,
        "tone": None,
        "contradicted": False,
        "probability": mask.astype(np.float32) * 0.5,
        "synchronisation": part(
            offset_rows=3,
            offset_cols=4,
            scale=0.7,
            z_score=21.5,
            original_height=80,
            original_width=90,
            header_read=True,
            orientation="upright",
            turned_degrees=0.0,
        ),
        "image_id": 77,
        "tampered_share": float(mask.mean()),
        "regions": regions,
        "layer": "lattice",
    }
    return part(**fields, **origin()) if not changes else part(**{**fields, **origin(), **changes})
