from __future__ import annotations

import re
from pathlib import Path

import pytest
from running import run

from imuge_cli.cli.reference import commands, man, markdown

DOCS = Path(__file__).parents[2] / "docs"


def test_the_document_is_what_the_program_says() -> None:
    remedy = "run: python -m imuge_cli.cli.reference markdown > docs/cli.md"
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == markdown(), remedy


def test_the_manual_page_is_what_the_program_says() -> None:
    remedy = "run: python -m imuge_cli.cli.reference man > docs/imuge.1"
    assert (DOCS / "imuge.1").read_text(encoding="utf-8") == man(), remedy


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.name)
def test_no_option_is_left_out_or_made_up(command: object) -> None:
    """Against what --help prints, which Typer makes in another way."""
    (found,) = (one for one in commands() if one == command)
    shown = run(*found.name.split()[1:], "--help", env={"COLUMNS": "240", "TERM": "dumb"}).out
    by_help = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", "\n".join(re.findall(r"^\W*--?\w.*$", shown, re.M))))
    documented = {
        spelling
        for parameter in found.parameters
        if not parameter.argument
        for spelling in re.findall(r"--[a-z][a-z-]+", parameter.spelling)
    }
    assert documented and documented <= by_help
    mentioned = {"--help", *re.findall(r"--[a-z][a-z-]+", " ".join(p.help for p in found.parameters))}
    assert by_help - documented <= mentioned


def test_lines_of_the_manual_page_are_no_requests_by_accident() -> None:
    known = (".TH", ".SH", ".SS", ".B", ".I", ".TP", ".PP")
    requests = [line for line in man().splitlines() if line.startswith((".", "'"))]
    assert requests and all(line.startswith(known) for line in requests)
