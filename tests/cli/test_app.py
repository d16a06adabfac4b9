from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from fake_engine import FakeEngine
from running import run

from imuge_cli import __version__
from imuge_cli.cli import app as app_module
from imuge_cli.cli import options

Maker = Callable[..., Path]
COMMANDS = ("immunize", "verify", "recover", "keygen", "attack", "demo", "doctor", "bench", "train", "weights")
SUBCOMMANDS = (*((name,) for name in COMMANDS), ("weights", "list"), ("weights", "check"))


def imuge(*arguments: str, **changes: Any) -> subprocess.CompletedProcess[str]:
    """The program itself, as a person would start it."""
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(Path(app_module.__file__).parents[2])}
    command = [sys.executable, "-m", "imuge_cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, **changes)


def test_version() -> None:
    ran = run("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"imuge {__version__}\n", "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command(flag: str) -> None:
    ran = run(flag)
    assert ran.code == 0
    for name in COMMANDS:
        assert re.search(rf"^\W*{name}\s+\S", ran.out, re.MULTILINE), name
    assert "Exit codes" in ran.out


@pytest.mark.parametrize("words", SUBCOMMANDS)
def test_every_command_has_help_and_every_option_a_text(words: tuple[str, ...]) -> None:
    ran = run(*words, "-h")
    assert ran.code == 0 and "Usage" in ran.out
    command: Any = typer.main.get_command(app_module.app)
    for word in words:
        command = command.commands[word]
    assert command.help
    for parameter in command.params:
        assert parameter.help, f"{' '.join(words)}: {parameter.name} is not documented"


def test_the_help_lists_exactly_the_commands_there_are() -> None:
    command: Any = typer.main.get_command(app_module.app)
    assert sorted(command.commands) == sorted(COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("verify",),
        ("verify", "--nonsense", "a.png"),
        ("verify", "a.png", "--device", "toaster"),
        ("verify", "a.png", "--jobs", "0"),
        ("immunize", "a.png", "--strength", "brutal"),
        ("attack", "a.png"),
    ],
)
def test_usage_errors_are_two_and_leave_stdout_empty(arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.out == "" and ran.err != ""


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, suspect: Maker) -> None:
    def interrupted(settings: options.EngineSettings) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(options, "make_engine", interrupted)
    ran = run("verify", suspect())
    assert ran.code == 130 and ran.out == ""


def test_an_unexpected_exception_is_two_and_one_line(monkeypatch: pytest.MonkeyPatch, suspect: Maker) -> None:
    def broken(settings: options.EngineSettings) -> Any:
        raise KeyError("nobody expects this")

    monkeypatch.setattr(options, "make_engine", broken)
    ran = run("verify", suspect())
    assert ran.code == 2 and ran.out == ""
    assert len(ran.err.splitlines()) == 1 and "KeyError" in ran.err
    assert "Traceback" in run("verify", "suspect.png", env={"IMUGE_DEBUG": "1"}).err


def test_a_missing_key_file_is_one_line(suspect: Maker) -> None:
    finished = imuge("verify", str(suspect()), "--key-file", "nowhere.key")
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert len(finished.stderr.strip().splitlines()) == 1 and "nowhere.key" in finished.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    # What makes help quick. How quick it is, `imuge bench --suite speed` measures.
    heavy = ("torch", "cv2", "skimage", "numpy", "PIL", "scipy", "safetensors")
    code = (
        "import sys\n"
        "from imuge_cli.cli.app import main\n"
        f"try:\n    main({arguments!r})\n"
        f"finally:\n    print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(app_module.__file__).parents[2])}
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert finished.returncode == 0
    assert finished.stderr.strip() == "[]"


def test_a_reader_that_goes_away_leaves_no_message() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(app_module.__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-m", "imuge_cli", "keygen"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 2


def test_configuration_gives_defaults_below_environment_and_options(engines: list[FakeEngine], picture: Maker) -> None:
    Path("c.toml").write_text('strength = "strong"\nformat = "png"\n[immunize]\ndevice = "cpu"\n')
    assert run("--config", "c.toml", "immunize", picture()).code == 0
    assert Path("photo.immunized.png").exists()
    assert (engines[0].settings.strength, engines[0].settings.device) == ("strong", "cpu")
    run("--config", "c.toml", "immunize", "photo.png", "--force", env={"IMUGE_STRENGTH": "subtle"})
    assert engines[1].settings.strength == "subtle"
    run("--config", "c.toml", "verify", "photo.png")
    assert engines[2].settings.device == "auto"


def test_the_usual_configuration_file_is_read(
    engines: list[FakeEngine], picture: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("xdg/imuge").mkdir(parents=True)
    Path("xdg/imuge/config.toml").write_text('strength = "subtle"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", "xdg")
    run("immunize", picture())
    assert engines[0].settings.strength == "subtle"


@pytest.mark.parametrize(
    ("content", "word"),
    [("strenght = 'strong'", "strenght"), ("[verify]\nstrength = 'strong'", "strength"), ("= 3", "TOML")],
)
def test_a_wrong_configuration_is_an_error(engines: list[FakeEngine], picture: Maker, content: str, word: str) -> None:
    Path("c.toml").write_text(content)
    ran = run("--config", "c.toml", "immunize", picture())
    assert ran.code == 2 and word in ran.err and engines == []
    assert run("--config", "missing.toml", "immunize", "photo.png").code == 2
