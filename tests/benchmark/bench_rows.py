"""Rows for tests, with everything but what a test is about already filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from imuge_cli.benchmark.machine import this_machine
from imuge_cli.benchmark.rows import CaseRow, EmbeddingRow, EngineFacts, Results
from imuge_cli.benchmark.suites import settle

_CASE = CaseRow(
    size="256", picture="a.png", tamper="splice", share=0.1, attack="jpeg:70", donor="plain",
    tampered_share=0.1, outcome="recovered", verdict="tampered", layer="lattice",
    found=True, offset_exact=True, identified=True, found_scale=1.0, z_score=30.0,
    precision=0.9, recall=0.8, f1=0.85, iou=0.75,
    suspect_local_psnr=12.0, local_psnr=26.0, published_local_psnr=27.0, exact=False, oracle_local_psnr=27.0,
    inpainted_local_psnr=18.0,
    information=9000.0, avif_local_psnr=25.0,
    psnr=30.0,
    canvas_psnr=None, seconds=0.5,
)  # fmt: skip


def case(**changes: Any) -> CaseRow:
    return replace(_CASE, **changes)


def embedding(**changes: Any) -> EmbeddingRow:
    return replace(EmbeddingRow("256", "a.png", 256, 256, 41.0, 0.98, 0.1), **changes)


def results(**changes: Any) -> Results:
    settings = settle(suite="first", sizes=None, attacks=None, tampers=None, shares=None, pictures=None, seed=5)
    facts = EngineFacts("lattice", "balanced", "published", None, "cpu")
    made = Results("1.2.3", settings, ("a.png",), this_machine(), facts, 12.0, True, (), (), (), ())
    return replace(made, **changes)
