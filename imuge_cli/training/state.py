"""Everything a run needs to go on as if it had never stopped, in one file."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from imuge_cli.errors import InputError, WeightsError
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.training.adversary import Adversary

STATE_FILE = "state.pt"
AVERAGE_DECAY = 0.998
UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
    pickle.UnpicklingError,
)
"""What torch raises for files that hold something else, or a part."""


@dataclass(frozen=True)
class Saved:
    """What `State.save` wrote: networks, built as they were saved, and the rest as stored. All on the CPU."""

    path: Path
    networks: LatticeNetworks
    average: dict[str, Tensor]
    optimizer: dict[str, Any]
    adversary: dict[str, Any] | None
    step: int

    @classmethod
    def read(cls, folder: Path) -> Saved:
        """Read the state in a folder. Raises InputError."""
        path = folder / STATE_FILE
        try:
            payload = torch.load(path, map_location="cpu", weights_only=True)
            networks = LatticeNetworks.from_tensors(payload["networks"], payload["config"])
            average, optimizer = dict(payload["average"]), dict(payload["optimizer"])
            if shapes(average) != shapes(networks.state_dict()):
                raise ValueError("the average is of other networks")
            return cls(path, networks, average, optimizer, payload.get("adversary"), int(payload["step"]))
        except FileNotFoundError as error:
            raise InputError(f"{path}: no training state to resume; start without --resume") from error
        except WeightsError as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise InputError(
                f"{path}: holds other networks than this version builds ({reason}); start without --resume"
            ) from error
        except UNREADABLE as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(
                f"{path}: this training state cannot be resumed ({reason}); start without --resume"
            ) from error


@dataclass
class State:
    """Networks, their running average, the optimizer, a discriminator if there is one, and how many steps were done.

    saved_step: the step that the file last written or read is at. whole: False while, or after, a step broke off
    half done; such a state is worth nothing.
    """

    networks: LatticeNetworks
    average: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    adversary: Adversary | None = None
    step: int = 0
    saved_step: int = 0
    whole: bool = True

    @property
    def optimizers(self) -> tuple[torch.optim.Optimizer, ...]:
        """The networks' own, and the discriminator's."""
        return (self.optimizer,) if self.adversary is None else (self.optimizer, self.adversary.optimizer)

    def advance(self) -> None:
        """Take the step that the gradients ask for. Ctrl-C waits until it is done."""
        with uninterrupted():
            self.whole = False
            self.optimizer.step()
            if self.adversary is not None:
                self.adversary.advance()
            self.step += 1
            self.update_average()
            self.whole = True

    def update_average(self) -> None:
        """See `move_average`."""
        move_average(self.average, self.networks, self.step)

    def save(self, folder: Path) -> None:
        """Write the state atomically."""
        payload: dict[str, Any] = {
            "config": self.networks.config,
            "networks": self.networks.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "adversary": None if self.adversary is None else self.adversary.state_dict(),
            "step": self.step,
        }
        write_state(folder, payload)
        self.saved_step = self.step

    def restore(self, saved: Saved) -> None:
        """Go on from a saved state, whose networks these must be. Raises InputError: other networks were trained."""
        if (saved.adversary is None) != (self.adversary is None):
            had = "without" if saved.adversary is None else "with"
            raise InputError(
                f"{saved.path}: this run trained {had} a discriminator; give the same --adversarial, or start without "
                "--resume"
            )
        try:
            self.optimizer.load_state_dict(saved.optimizer)
            if self.adversary is not None and saved.adversary is not None:
                self.adversary.load_state_dict(saved.adversary)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"{saved.path}: this run trained other networks; give the same --net, or start without --resume"
            ) from error
        for name, tensor in saved.average.items():
            self.average[name].copy_(tensor)
        self.step = self.saved_step = saved.step


def move_average(average: dict[str, Tensor], networks: nn.Module, step: int) -> None:
    """Exponential moving average of the weights, after so many steps; a short memory at first."""
    decay = min(AVERAGE_DECAY, (1 + step) / (20 + step))
    with torch.no_grad():
        for name, tensor in networks.state_dict().items():
            average[name].lerp_(tensor.float(), 1 - decay)


def write_state(folder: Path, payload: dict[str, Any]) -> None:
    """Write a state's file atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{STATE_FILE}.tmp"
    with temporary.open("wb") as stream:
        torch.save(payload, stream)
        stream.flush()
        # Else a power failure may leave the name of the new file with nothing in it.
        os.fsync(stream.fileno())
    os.replace(temporary, folder / STATE_FILE)


class Savable(Protocol):
    """A training's state."""

    step: int
    saved_step: int
    whole: bool

    def save(self, folder: Path) -> None:
        """Write it."""
        ...


@contextmanager
def kept(state: Savable, folder: Path, progress: Callable[[str], None]) -> Iterator[None]:
    """Save the state whatever ends the block, Ctrl-C too."""
    try:
        yield
    except BaseException:
        # A run that has done nothing yet has nothing to save, and may have been begun over a longer one by mistake.
        if state.whole and state.step > state.saved_step:
            state.save(folder)
            progress(f"stopped at step {state.step}; --resume goes on from there")
        raise


def shapes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    """The shape of each tensor."""
    return {name: tensor.shape for name, tensor in tensors.items()}


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block is done. Only the main thread is ever interrupted."""
    usual = signal.getsignal(signal.SIGINT)
    # None: a handler that was not set from Python, and cannot be set again.
    if threading.current_thread() is not threading.main_thread() or usual is None:
        yield
        return
    held: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if held:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM (`kill`, a machine that goes down, a batch system's end) stop the block like Ctrl-C.

    Ctrl-C works in it even where a shell has switched it off, as shells do for what scripts start in the background.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if before[signal.SIGINT] is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: a handler that was not set from Python, and cannot be set again.
            if handler is not None:
                signal.signal(number, handler)
