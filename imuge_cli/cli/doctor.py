"""`imuge doctor`: what this installation is, whether it is whole, and whether it works."""

from __future__ import annotations

import json as json_module
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imuge_cli import __version__
from imuge_cli.cli import options
from imuge_cli.cli.config import default_path
from imuge_cli.cli.console import Console, configure
from imuge_cli.cli.demo import bundled_photograph
from imuge_cli.errors import ImugeError

if TYPE_CHECKING:
    from imuge_cli.api import Imuge

OK, NOTE, FAILED = "ok", "note", "failed"
_PACKAGES = (
    "torch", "numpy", "opencv-python-headless", "pillow", "scikit-image", "scipy", "safetensors", "raptorq", "typer",
    "rich",
)  # fmt: skip
_OPTIONAL = {"pillow-heif": "HEIF pictures (imuge[heif])", "matplotlib": "plots of imuge bench (imuge[bench])"}
_SIDE, _QUALITY, _SHARE, _LEAST_F1 = 256, 70, 0.1, 0.8
"""The self-test: a square of this side, a tenth of it replaced, JPEG 70; masks as good as this have always been found
there by far (.97 on average), and one that is worse shows that something is broken."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. state: ok, note (worth knowing) or failed. seconds: what it took, where timed."""

    topic: str
    state: str
    told: str
    seconds: float | None = None


def doctor(
    self_test: Annotated[
        bool, typer.Option("--self-test/--no-self-test", help="Immunize, tamper, verify and recover a small picture.")
    ] = True,
    key_file: options.KeyFileOption = None,
    model: options.ModelOption = "lattice",
    device: options.DeviceOption = options.Device.auto,
    weights: options.WeightsOption = None,
    json: options.JsonOption = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Say what is installed, where networks run and why, whether the weights are whole, and try everything once.

    Exit code 0: all well; 2: something failed.
    """
    console = configure(quiet=quiet, verbose=verbose)
    settings = options.EngineSettings(key_file=key_file, model=model, device=device.value, weights=weights)
    options.leave_busy_cores()
    failed = False
    for finding in _findings(settings, self_test):
        failed |= finding.state == FAILED
        _tell(finding, json, console)
    raise typer.Exit(2 if failed else 0)


def _findings(settings: options.EngineSettings, self_test: bool) -> Iterator[Finding]:
    yield Finding("imuge", OK, f"{__version__} in {Path(__file__).parents[1]}")
    yield Finding("python", OK, f"{platform.python_version()} ({sys.executable}), {platform.platform()}")
    yield from _packages()
    yield from _settings(settings)
    yield _guarded("device", lambda: _device(settings.device))
    yield from _weights(settings.weights)
    if self_test:
        yield from _self_test(settings)


def _packages() -> Iterator[Finding]:
    for name in _PACKAGES:
        found = _version(name) or (_version("opencv-python") if name.startswith("opencv") else None)
        yield Finding(name, OK if found else FAILED, found or f"is not installed; pip install {name}")
    for name, purpose in _OPTIONAL.items():
        found = _version(name)
        yield Finding(name, OK if found else NOTE, found or f"is not installed; it is for {purpose}")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _settings(settings: options.EngineSettings) -> Iterator[Finding]:
    path = Path(os.environ.get("IMUGE_CONFIG") or default_path())
    yield Finding("configuration", OK, str(path) if path.exists() else f"none ({path} would be read)")
    given = sorted(name for name in os.environ if name.startswith("IMUGE_"))
    yield Finding("environment", OK, ", ".join(given) or "no IMUGE_ variables")
    if settings.key_file is None:
        told = "published: everybody can verify, and forge; 'imuge keygen' makes a secret"
        yield Finding("key", NOTE, told)
    else:
        yield _guarded("key", lambda: _key(settings.key_file))


def _key(path: Path | None) -> tuple[str, str]:
    from imuge_cli.keys import load_secret

    load_secret(path)
    assert path is not None
    if os.name == "posix" and path.stat().st_mode & 0o077:
        return NOTE, f"{path} can be read by other users of this machine; chmod 600 {path}"
    return OK, str(path)


def _device(wanted: str) -> tuple[str, str]:
    import torch

    threads = f"{torch.get_num_threads()} threads"
    if wanted == "cpu":
        return OK, f"cpu, as asked for; {threads}"
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 1e9
        return OK, f"cuda: {torch.cuda.get_device_name(0)}, {memory:.0f} GB"
    why = "PyTorch finds no CUDA device (nvidia-smi says what the driver sees)"
    if torch.version.cuda is None:
        why = "this PyTorch was built without CUDA"
    if wanted == "cuda":
        return FAILED, f"cuda was asked for, but {why}"
    return NOTE, f"cpu: {why}; {threads}"


def _weights(folder: Path | None) -> Iterator[Finding]:
    from imuge_cli.checkpoints import check_weights

    try:
        for checked in check_weights(folder):
            told = f"{checked.path.name}, {checked.entry.size / 1e6:.1f} MB, sha256 {checked.entry.sha256[:16]}"
            state = OK if checked.status == "intact" else FAILED
            yield Finding(f"weights of {checked.entry.family}", state, f"{checked.status}: {told}")
    except ImugeError as error:
        yield Finding("weights", FAILED, str(error))


def _self_test(settings: options.EngineSettings) -> Iterator[Finding]:
    """The whole way; what cannot be tried any more after a failure is left out."""
    engine: list[Imuge] = []

    def load() -> tuple[str, str]:
        engine.append(options.make_engine(settings))
        return OK, "loaded"

    yield (finding := _guarded("engine", load))
    if finding.state == FAILED:
        return
    trial = _Trial(engine[0])
    for topic, step in (
        ("immunize", trial.immunize),
        ("verify, untouched", trial.verify_exactly),
        ("verify, tampered with and JPEG 70", trial.verify),
        ("recover", trial.recover),
    ):
        yield (finding := _guarded(topic, step))
        if finding.state == FAILED:
            return


class _Trial:
    """One picture's way; every step says how it went."""

    def __init__(self, engine: Imuge) -> None:
        import numpy as np

        from imuge_cli.attacks.resample import resize
        from imuge_cli.image.picture import Picture

        self._engine, self._rng = engine, np.random.default_rng(1)
        self._original = resize(bundled_photograph(), _SIDE, _SIDE, "lanczos")
        self._picture = Picture(pixels=self._original)

    def immunize(self) -> tuple[str, str]:
        done = self._engine.immunize(self._picture)
        self._picture = done.picture
        return OK if done.psnr > 35 else FAILED, f"{_SIDE} x {_SIDE} pixels, PSNR {done.psnr:.2f} dB"

    def verify_exactly(self) -> tuple[str, str]:
        verdict = self._engine.verify(self._picture).verdict
        return OK if verdict == "exact" else FAILED, verdict

    def verify(self) -> tuple[str, str]:
        import io

        from imuge_cli.attacks.encoders import encode_jpeg
        from imuge_cli.attacks.tampers import random_tamper
        from imuge_cli.image.read import read_picture
        from imuge_cli.metrics.localization import f1

        tampered, self._truth = random_tamper(self._picture.as_uint8(), "clone", _SHARE, self._rng)
        self._suspect = read_picture(io.BytesIO(encode_jpeg(tampered, _QUALITY)))
        found = self._engine.verify(self._suspect)
        score = f1(found.mask, self._truth)
        good = found.verdict == "tampered" and score >= _LEAST_F1
        return OK if good else FAILED, f"{found.verdict}, mask F1 {score:.3f}"

    def recover(self) -> tuple[str, str]:
        from imuge_cli.metrics.fidelity import local_psnr

        recovered = self._engine.recover(self._suspect).picture.as_uint8()
        before = local_psnr(self._original, self._suspect.as_uint8(), self._truth)
        after = local_psnr(self._original, recovered, self._truth)
        good = after > before + 3
        return OK if good else FAILED, f"L-PSNR {before:.1f} dB before, {after:.1f} dB after"


def _guarded(topic: str, step: Callable[[], tuple[str, str]]) -> Finding:
    started = time.perf_counter()
    try:
        state, told = step()
    except Exception as error:  # whatever is wrong, the rest is still worth knowing
        return Finding(topic, FAILED, f"{type(error).__name__}: {error}")
    return Finding(topic, state, told, time.perf_counter() - started)


def _tell(finding: Finding, json: bool, console: Console) -> None:
    if json:
        from imuge_cli.reporting.schema import plain

        console.data(json_module.dumps(plain(finding), allow_nan=False))
        return
    seconds = "" if finding.seconds is None else f"  ({finding.seconds:.2f} s)"
    console.data(f"{finding.state:6}  {finding.topic}: {finding.told}{seconds}")
