"""Families by name."""

from __future__ import annotations

from pathlib import Path

import torch

from imuge_cli.checkpoints import load_weights
from imuge_cli.errors import DeviceError, UsageError
from imuge_cli.keys import Secret
from imuge_cli.models.imuge.family import FAMILY as IMUGE
from imuge_cli.models.imuge.family import ImugeNetworks
from imuge_cli.models.imuge.model import ImugeModel
from imuge_cli.models.lattice.family import FAMILY, LatticeNetworks
from imuge_cli.models.lattice.model import LatticeModel
from imuge_cli.models.protocol import Model


def pick_device(name: str) -> torch.device:
    """`auto`, `cpu` or `cuda` as a device; an explicit cuda never falls back. Raises DeviceError, UsageError."""
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device '{name}' is unknown; choose auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("--device cuda: PyTorch finds no CUDA device here; use --device cpu or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def open_model(family: str, secret: Secret, device: torch.device, weights: Path | None) -> Model:
    """A family with its weights loaded and checked. Raises UsageError, WeightsError."""
    if family not in (FAMILY, IMUGE):
        raise UsageError(f"model '{family}' is unknown; this version has: {FAMILY}, {IMUGE}")
    loaded = load_weights(family, weights)
    if family == IMUGE:
        return ImugeModel(ImugeNetworks.from_tensors(loaded.tensors, loaded.config), device, loaded.sha256)
    networks = LatticeNetworks.from_tensors(loaded.tensors, loaded.config)
    return LatticeModel(networks, secret, device, loaded.sha256)
