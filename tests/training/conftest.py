from __future__ import annotations

from pathlib import Path

import pytest
from shards import write_shard
from torch import Tensor

from imuge_cli.checkpoints import save_weights
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.training import run
from imuge_cli.training.data import load_pictures
from imuge_cli.training.validation import Case, Validation


@pytest.fixture(scope="session")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 pictures of 320 x 320."""
    return write_shard(tmp_path_factory.mktemp("data") / "a.tar", [(320, 320)] * 20)


@pytest.fixture(scope="session")
def pictures(shard: Path) -> Tensor:
    return load_pictures([shard])


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained networks a few channels wide, to begin a run from."""
    folder = tmp_path_factory.mktemp("weights")
    networks = LatticeNetworks((8, 12, 16), (8, 8, 12, 16))
    save_weights(folder, "lattice", networks.state_dict(), networks.config, {})
    return folder


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No validation at the end of a run: it costs more than the run."""
    result = Validation((Case("splice none", 20.0, 20.5, 21.0, 0.5, 0.6),))
    monkeypatch.setattr(run, "validate", lambda *_: result)
