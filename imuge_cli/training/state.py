"""Everything a run needs to go on as if it had never stopped, in one file."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imuge_cli.errors import InputError
from imuge_cli.models.lattice.family import LatticeNetworks

STATE_FILE = "state.pt"
AVERAGE_DECAY = 0.998


@dataclass
class State:
    """Networks, their running average, the optimizer and how many steps were done."""

    networks: LatticeNetworks
    average: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    step: int = 0

    def update_average(self) -> None:
        """Exponential moving average of the weights; a short memory at first."""
        decay = min(AVERAGE_DECAY, (1 + self.step) / (20 + self.step))
        with torch.no_grad():
            for name, tensor in self.networks.state_dict().items():
                self.average[name].lerp_(tensor.float(), 1 - decay)

    def save(self, folder: Path) -> None:
        """Write the state atomically."""
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{STATE_FILE}.tmp"
        payload: dict[str, Any] = {
            "config": self.networks.config,
            "networks": self.networks.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }
        torch.save(payload, temporary)
        os.replace(temporary, folder / STATE_FILE)

    def load(self, folder: Path) -> None:
        """Read a state that `save` wrote. Raises InputError."""
        path = folder / STATE_FILE
        try:
            payload = torch.load(path, map_location="cpu", weights_only=True)
            self.networks.load_state_dict(payload["networks"])
            self.optimizer.load_state_dict(payload["optimizer"])
            for name, tensor in payload["average"].items():
                self.average[name].copy_(tensor)
            self.step = int(payload["step"])
        except FileNotFoundError as error:
            raise InputError(f"{path}: no training state to resume; start without --resume") from error
        except (OSError, EOFError, RuntimeError, KeyError, ValueError, pickle.UnpicklingError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(
                f"{path}: this training state cannot be resumed ({reason}); start without --resume"
            ) from error
