"""Everything a training of the paper's system needs to go on as if it had never stopped, in one file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imuge_cli.errors import InputError, WeightsError
from imuge_cli.models.imuge.family import ImugeNetworks
from imuge_cli.networks.progressive import ProgressiveDiscriminator
from imuge_cli.training.imuge_plan import Mechanisms
from imuge_cli.training.imuge_step import Players
from imuge_cli.training.state import STATE_FILE, UNREADABLE, move_average, uninterrupted, write_state

_KIND = "imuge"
# The paper names Adam and its rate; these are usual where discriminators learn beside (Radford et al. 2016).
_BETAS = (0.5, 0.999)


@dataclass
class ImugeState:
    """Players, their optimizers, the running average of E, V and R, and how many steps were done.

    judges: of the discriminators; None where there are none. total: steps of the whole training, on which the
    schedule depends. saved_step: the step that the file last written or read is at. whole: False while, or after, a
    step broke off half done.
    """

    players: Players
    mechanisms: Mechanisms
    total: int
    optimizer: torch.optim.Optimizer
    judges: torch.optim.Optimizer | None
    average: dict[str, Tensor]
    step: int = 0
    saved_step: int = 0
    whole: bool = True

    @classmethod
    def begin(
        cls, networks: ImugeNetworks, mechanisms: Mechanisms, total: int, rate: float, device: torch.device
    ) -> ImugeState:
        """A training's first state, on a device."""
        # On CPUs the gradient of a group normalization takes eight times as long over channels that come last.
        layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        networks = networks.to(device, memory_format=layout)  # type: ignore[call-overload]
        pair = [ProgressiveDiscriminator().to(device) if mechanisms.discriminators else None for _ in range(2)]
        judging = [p for judge in pair if judge is not None for p in judge.parameters()]
        return cls(
            players=Players(networks, pair[0], pair[1]),
            mechanisms=mechanisms,
            total=total,
            optimizer=torch.optim.Adam(networks.parameters(), lr=rate, betas=_BETAS),
            judges=torch.optim.Adam(judging, lr=rate, betas=_BETAS) if judging else None,
            average={name: tensor.detach().float().clone() for name, tensor in networks.state_dict().items()},
        )

    def advance(self) -> None:
        """Take the step that the gradients ask for. Ctrl-C waits until it is done."""
        with uninterrupted():
            self.whole = False
            self.optimizer.step()
            if self.judges is not None:
                self.judges.step()
            self.step += 1
            move_average(self.average, self.players.networks, self.step)
            self.whole = True

    def save(self, folder: Path) -> None:
        """Write the state atomically."""
        write_state(folder, self._payload())
        self.saved_step = self.step

    @classmethod
    def load(cls, folder: Path, rate: float | None, device: torch.device) -> ImugeState:
        """The state in a folder, on a device. rate: of learning from here on; None: as it was. Raises InputError."""
        path = folder / STATE_FILE
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            if saved.get("kind") != _KIND:
                raise ValueError("it is of another model; give that --model")
            networks = ImugeNetworks.from_tensors(saved["networks"], saved["config"])
            state = cls.begin(networks, Mechanisms(**saved["mechanisms"]), int(saved["total"]), rate or 0.0, device)
            state._restore(saved)
            for optimizer in (state.optimizer, state.judges):
                for group in [] if rate is None or optimizer is None else optimizer.param_groups:
                    group["lr"] = rate
        except FileNotFoundError as error:
            raise InputError(f"{path}: no training state to resume; start without --resume") from error
        except (*UNREADABLE, WeightsError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(
                f"{path}: this training state cannot be resumed ({reason}); start without --resume"
            ) from error
        return state

    def _payload(self) -> dict[str, Any]:
        networks = self.players.networks
        return {
            "kind": _KIND,
            "config": networks.config,
            "mechanisms": asdict(self.mechanisms),
            "total": self.total,
            "step": self.step,
            "networks": networks.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "discriminators": [judge.state_dict() for judge in self._pair()],
            "judges": None if self.judges is None else self.judges.state_dict(),
        }

    def _restore(self, saved: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(saved["optimizer"])
        for judge, tensors in zip(self._pair(), saved["discriminators"], strict=True):
            judge.load_state_dict(tensors)
        if self.judges is not None:
            self.judges.load_state_dict(saved["judges"])
        for name, tensor in self.average.items():
            tensor.copy_(saved["average"][name])
        self.step = self.saved_step = int(saved["step"])

    def _pair(self) -> list[ProgressiveDiscriminator]:
        pair = (self.players.of_immunized, self.players.of_recovered)
        return [judge for judge in pair if judge is not None]
