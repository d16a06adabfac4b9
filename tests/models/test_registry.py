"""Families and devices by name."""

from __future__ import annotations

import pytest
import torch

from imuge_cli.errors import DeviceError, UsageError
from imuge_cli.keys import Secret
from imuge_cli.models.registry import open_model, pick_device


def test_the_default_family_opens_with_its_bundled_weights() -> None:
    model = open_model("lattice", Secret.default(), torch.device("cpu"), None)
    assert model.name == "lattice"
    assert model.weights_sha256 is not None
    assert len(model.weights_sha256) == 64


def test_unknown_families_and_devices_are_refused() -> None:
    with pytest.raises(UsageError, match="no-such"):
        open_model("no-such", Secret.default(), torch.device("cpu"), None)
    with pytest.raises(UsageError, match="tpu"):
        pick_device("tpu")


def test_an_explicit_cuda_never_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(DeviceError, match="cuda"):
        pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == pick_device("cuda") == torch.device("cuda")
