"""What stands around the package for others to use: container, GitHub action, pre-commit hook."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from imuge_cli.cli.reference import commands
from imuge_cli.image.picture import Picture
from imuge_cli.image.write import write_picture
from imuge_cli.keys import new_secret_text

CHECKOUT = Path(__file__).resolve().parents[1]


def test_the_container_is_built_from_what_is_there_and_let_in() -> None:
    lines = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    let_in = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == let_in and all((CHECKOUT / name).exists() for name in copied)
    assert "USER imuge" in lines and 'ENTRYPOINT ["imuge"]' in lines


@pytest.mark.parametrize("file", ["Dockerfile", "action.yml"])
def test_torch_is_the_one_that_is_tested(file: str) -> None:
    (pinned,) = re.findall(r"^torch==(\S+)$", (CHECKOUT / "constraints.txt").read_text(), re.M)
    assert f"'torch=={pinned}+cpu'" in (CHECKOUT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("file", [".pre-commit-hooks.yaml", "action.yml"])
def test_their_options_exist(file: str) -> None:
    (verify,) = (command for command in commands() if command.name == "imuge verify")
    known = {name for p in verify.parameters for name in re.findall(r"--[a-z-]+", p.spelling)}
    text = (CHECKOUT / file).read_text(encoding="utf-8")
    used = {
        option
        for line in text.splitlines()
        if "verify" in line or "options" in line
        for option in re.findall(r"(?<=[\s(])--[a-z][a-z-]+", line)
    }
    assert used and used <= known


def script() -> str:
    """The action's last step, as its shell gets it."""
    text = (CHECKOUT / "action.yml").read_text(encoding="utf-8")
    block = text.rsplit("      run: |\n", 1)[1]
    return "".join(line.removeprefix(" " * 8) for line in block.splitlines(keepends=True))


@pytest.mark.skipif(shutil.which("bash") is None, reason="the action's steps are written for bash")
@pytest.mark.parametrize(("allowed", "code"), [("false", 3), ("true", 0)])
def test_the_action_verifies_and_leaves_no_key_behind(tmp_path: Path, allowed: str, code: int) -> None:
    program = tmp_path / "imuge" / "bin" / "imuge"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m imuge_cli "$@"\n')
    program.chmod(0o755)
    pictures = tmp_path / "published here" / "deeper"
    noise = np.random.default_rng(0).integers(0, 255, (130, 140, 3), dtype=np.uint8)
    write_picture(Picture(pixels=noise), pictures / "a.png")
    given = {"PICTURES": str(pictures.parent), "KEY": new_secret_text().strip(), "ALLOW_NOT_FOUND": allowed}
    outputs = tmp_path / "outputs"
    env = {**os.environ, **given, "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(outputs)}
    env["PYTHONPATH"] = str(CHECKOUT)
    steps = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script()]
    done = subprocess.run(steps, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    assert '"verdict": "not-found"' in done.stdout and '"kind": "secret"' in done.stdout
    assert (tmp_path / "imuge-report.html").is_file() and not (tmp_path / "imuge.key").exists()
    assert outputs.read_text().splitlines() == [
        f"report={tmp_path}/imuge-report.html",
        f"verdicts={tmp_path}/imuge-verdicts.jsonl",
    ]
