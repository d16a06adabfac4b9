"""The paper's Table 3: a training for each row, resumed row by row."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from paper_networks import train_small_ones

from imuge_cli.checkpoints import load_weights
from imuge_cli.errors import UsageError
from imuge_cli.training import imuge_ablation, run_ablation
from imuge_cli.training.imuge_plan import ABLATION, Mechanisms


def test_every_row_is_trained_alike_and_measured(shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_small_ones(monkeypatch, measured=True)
    told: list[str] = []
    rows = run_ablation(data=[shard], steps=1, batch=2, out=tmp_path, device="cpu", progress=told.append)
    assert [row.name for row in rows] == list(ABLATION)
    assert rows[0].f1 is None and all(row.f1 is not None for row in rows[1:])
    assert (rows[0].paper, rows[-1].paper) == (13.16, 27.43)
    assert all(row.l_psnr > 5 and row.psnr > 30 for row in rows)
    for number, mechanisms in enumerate(ABLATION.values()):
        saved = torch.load(tmp_path / f"row-{number}" / "state.pt", weights_only=True)
        assert Mechanisms(**saved["mechanisms"]) == mechanisms and saved["step"] == 1
        shared = load_weights("imuge", tmp_path / f"row-{number}").config["shared_levels"]
        assert shared == ([0, 1] if mechanisms.sharing else [])
    with pytest.raises(UsageError, match="--resume"):
        run_ablation(data=[shard], steps=1, out=tmp_path, device="cpu", progress=told.append)


def test_rows_that_are_done_are_kept(shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_small_ones(monkeypatch, measured=True)
    told: list[str] = []

    def stop(line: str) -> None:
        told.append(line)
        if line.startswith("ablation, row 3"):
            raise KeyboardInterrupt

    settings = {"data": [shard], "steps": 1, "batch": 2, "out": tmp_path, "device": "cpu"}
    with pytest.raises(KeyboardInterrupt):
        run_ablation(**settings, progress=stop)  # type: ignore[arg-type]
    trained: list[Path] = []
    train = imuge_ablation.train_imuge
    monkeypatch.setattr(
        imuge_ablation, "train_imuge", lambda **given: (trained.append(given["out"]), train(**given))[1]
    )
    rows = run_ablation(**settings, resume=True, progress=told.append)  # type: ignore[arg-type]
    assert len(rows) == 6 and [folder.name for folder in trained] == ["row-2", "row-3", "row-4", "row-5"]
