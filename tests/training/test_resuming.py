"""Going on where a run stopped, whatever stopped it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from short_runs import train
from torch import Tensor

from imuge_cli.checkpoints import load_weights
from imuge_cli.errors import InputError, UsageError
from imuge_cli.training import lessons, run
from imuge_cli.training.state import State, stoppable, uninterrupted


class Stopped(Exception):
    """As if something had gone wrong."""


def state_of(folder: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(folder / "state.pt", weights_only=True)
    return state


def at_call(number: int, before: Callable[[], None], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with something that happens before its call of that number (from 0)."""
    calls = iter(range(10**6))

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if next(calls) == number:
            before()
        return function(*arguments, **named)

    return wrapped


def stop() -> None:
    raise Stopped


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def whole(shard: Path, small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Tensor], Path]:
    """Weights and folder of a run that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_validated", lambda *_, **__: ("", {}))
        out = tmp_path_factory.mktemp("whole")
        return train(shard, small_weights, out), out


# Where a run stops, and how many steps are done by then. Ctrl-C in the midst of a step waits for its end.
STOPS = {
    "batch": (lessons, "make_batch", 2, stop, Stopped, 2),
    "gradients": (run, "recoverer_loss", 1, interrupt, KeyboardInterrupt, 1),
    "step": (torch.optim.AdamW, "step", 1, interrupt, KeyboardInterrupt, 2),
    "average": (State, "update_average", 2, interrupt, KeyboardInterrupt, 3),
    "validation": (run, "validate", 0, interrupt, KeyboardInterrupt, 2),
}


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize("where", STOPS)
def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    where: str,
    whole: tuple[dict[str, Tensor], Path],
    shard: Path,
    small_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    holder, name, number, happening, error, done = STOPS[where]
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(holder, name, at_call(number, happening, getattr(holder, name)))
        with pytest.raises(error):
            train(shard, small_weights, tmp_path, validate_every=2, progress=said.append)
    assert f"stopped at step {done}; --resume goes on from there" in said
    assert state_of(tmp_path)["step"] == done
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]
    parts = train(shard, None, tmp_path, resume=True, progress=said.append)
    assert f"resumed at step {done}" in said
    tensors, folder = whole
    for name, tensor in tensors.items():
        torch.testing.assert_close(parts[name], tensor, rtol=0, atol=1e-6, msg=name)
    one, other = state_of(folder), state_of(tmp_path)
    assert one["step"] == other["step"] == 4
    for kind in ("networks", "average"):
        for name, tensor in one[kind].items():
            torch.testing.assert_close(other[kind][name], tensor, rtol=0, atol=1e-6, msg=f"{kind} {name}")
    untrained = load_weights("lattice", small_weights).tensors
    for name in ("verifier.net.leave.weight", "recoverer.net.leave.weight"):
        assert float((tensors[name] - untrained[name]).abs().max()) > 0


@pytest.mark.usefixtures("unmeasured")
def test_the_state_is_saved_every_few_minutes(
    shard: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(run, "_SAVE_SECONDS", -1.0)
    look = at_call(1, lambda: seen.append(state_of(tmp_path)["step"]), lessons.make_batch)
    monkeypatch.setattr(lessons, "make_batch", look)
    train(shard, small_weights, tmp_path, steps=2, nets=("v",))
    assert seen == [1]


@pytest.mark.usefixtures("unmeasured")
def test_a_run_that_did_nothing_leaves_an_older_state_alone(
    shard: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(shard, small_weights, tmp_path, steps=1, nets=("v",))
    before = (tmp_path / "state.pt").read_bytes()
    for resume in (False, True):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(lessons, "make_batch", at_call(0, interrupt, lessons.make_batch))
            train(shard, None if resume else small_weights, tmp_path, resume=resume, nets=("v",))
        assert (tmp_path / "state.pt").read_bytes() == before


@pytest.mark.usefixtures("unmeasured")
def test_a_step_that_failed_half_done_is_not_saved(
    shard: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_SAVE_SECONDS", -1.0)
    monkeypatch.setattr(State, "update_average", at_call(1, stop, State.update_average))
    with pytest.raises(Stopped):
        train(shard, small_weights, tmp_path, nets=("v",))
    assert state_of(tmp_path)["step"] == 1


@pytest.mark.usefixtures("unmeasured")
def test_a_state_that_cannot_be_written_leaves_the_older_one(
    shard: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(shard, small_weights, tmp_path, steps=1, nets=("v",))
    before = (tmp_path / "state.pt").read_bytes()

    def full(_: Any, stream: Any) -> None:
        stream.write(b"part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        train(shard, None, tmp_path, steps=2, nets=("v",), resume=True)
    assert (tmp_path / "state.pt").read_bytes() == before


@pytest.mark.usefixtures("unmeasured")
def test_the_order_of_the_networks_does_not_matter(
    whole: tuple[dict[str, Tensor], Path], shard: Path, small_weights: Path, tmp_path: Path
) -> None:
    train(shard, small_weights, tmp_path, steps=2, nets=("r", "v", "r"))
    parts = train(shard, None, tmp_path, nets=("v", "r"), resume=True)
    for name, tensor in whole[0].items():
        torch.testing.assert_close(parts[name], tensor, rtol=0, atol=1e-6, msg=name)


@pytest.mark.usefixtures("unmeasured")
def test_networks_are_built_as_they_were_saved(
    shard: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Encoder and all, without the weights that the run began from, whatever this version's widths are."""
    monkeypatch.setattr(run, "ENCODER_WIDTHS", (4, 4, 4, 4, 4, 4))
    train(shard, small_weights, tmp_path, steps=1, nets=("r", "e"))
    monkeypatch.setattr(run, "ENCODER_WIDTHS", (8, 8, 8, 8, 8, 8))
    train(shard, None, tmp_path, steps=2, nets=("r", "e"), resume=True)
    config = state_of(tmp_path)["config"]
    assert config["verifier_widths"] == [8, 12, 16]
    assert config["encoder_widths"] == [4, 4, 4, 4, 4, 4]
    assert dict(load_weights("lattice", tmp_path).config) == config


@pytest.mark.parametrize("content", [None, b"", b"garbage", b"torn"])
def test_a_state_that_cannot_be_read_is_an_input_error(shard: Path, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(InputError, match="resume"):
        train(shard, None, tmp_path, resume=True)


@pytest.fixture
def saved(shard: Path, small_weights: Path, tmp_path: Path, unmeasured: None) -> Path:
    train(shard, small_weights, tmp_path, steps=1, nets=("v",))
    return tmp_path


def test_a_state_whose_parts_do_not_fit_is_an_input_error(shard: Path, saved: Path) -> None:
    state = state_of(saved)
    wider = {**state["config"], "verifier_widths": [8, 12, 20]}
    without = {name: tensor for name, tensor in state["networks"].items() if "log_residue" not in name}
    less = {name: tensor for name, tensor in state["average"].items() if "log_residue" not in name}
    changes: list[dict[str, Any]] = [
        {"config": wider},
        {"config": {}},
        {"config": None},
        {"networks": without},
        {"average": less},
        {"optimizer": None},
        {"step": "many"},
    ]
    for change in changes:
        torch.save({**state, **change}, saved / "state.pt")
        with pytest.raises(InputError, match=r"state\.pt.*--resume") as caught:
            train(shard, None, saved, nets=("v",), resume=True)
        assert len(str(caught.value).splitlines()) == 1
        assert "reinstall" not in str(caught.value)


def test_a_run_of_other_networks_is_not_resumed(shard: Path, saved: Path) -> None:
    with pytest.raises(InputError, match="--net"):
        train(shard, None, saved, nets=("v", "r"), resume=True)
    with pytest.raises(UsageError, match="no encoder"):
        train(shard, None, saved, nets=("r", "e"), resume=True)
    with pytest.raises(UsageError, match="no resolver"):
        train(shard, None, saved, nets=("s",), resume=True)


@pytest.fixture
def listening() -> Iterator[None]:
    """Ctrl-C as at a terminal, wherever the tests were started from."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


@pytest.mark.usefixtures("listening")
def test_ctrl_c_waits_for_the_end_of_a_block() -> None:
    usual, reached = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        interrupt()
        reached.append(True)
    assert reached == [True]
    assert signal.getsignal(signal.SIGINT) is usual
    with pytest.raises(Stopped), uninterrupted():
        raise Stopped
    assert signal.getsignal(signal.SIGINT) is usual


def test_threads_need_not_wait() -> None:
    reached: list[bool] = []

    def work() -> None:
        with uninterrupted():
            reached.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert reached == [True]


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_end_stops_like_at_ctrl_c(number: signal.Signals, ignored: bool) -> None:
    """ignored: as in a shell's background job, where Ctrl-C is switched off."""
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    if ignored:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    done = []
    try:
        with pytest.raises(KeyboardInterrupt), stoppable():
            with uninterrupted():
                signal.raise_signal(number)
                done.append("what must not be interrupted")
            done.append("never")
        assert done == ["what must not be interrupted"]
        assert signal.getsignal(signal.SIGTERM) == handlers[1]
        assert (signal.getsignal(signal.SIGINT) is signal.SIG_IGN) == ignored
    finally:
        signal.signal(signal.SIGINT, handlers[0])
