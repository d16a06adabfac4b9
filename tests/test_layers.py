"""The house keeps its direction: who may import whom, and what importing the doors must not cost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "imuge_cli"

# Each room and the rooms it may look into (itself is always allowed). `errors` is a leaf open to all.
# The command line reads pictures, key files and weights on the way to `api`, so it sees those as well.
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "image": set(),
    "keys": set(),
    "metrics": set(),
    "mask": set(),
    "lattice": {"keys", "image"},
    "payload": {"keys", "lattice"},
    "exact": {"keys", "mask"},
    "networks": set(),
    "attacks": set(),
    "checkpoints": set(),
    "models": {"lattice", "exact", "networks", "checkpoints", "mask", "keys", "image", "payload"},
    "results": {"models", "exact", "mask", "image"},
    "framed": {"results", "models", "lattice", "mask", "image"},
    "api": {
        "framed", "results", "models", "lattice", "exact", "checkpoints", "mask", "metrics", "keys", "image", "payload",
    },
    "reporting": {"api", "image", "metrics", "mask"},
    "training": {
        "models", "networks", "lattice", "payload", "keys", "attacks", "metrics", "mask", "checkpoints",
        "image", "exact",
    },
    "benchmark": {"api", "attacks", "metrics", "reporting", "image", "keys"},
    "cli": {
        "api", "benchmark", "training", "reporting", "image", "keys", "attacks", "metrics", "mask",
        "checkpoints",
    },
    "__main__": {"cli"},
    "__init__": {"api", "image"},
}  # fmt: skip

# Libraries with a home: nobody else imports them.
HOMES: dict[str, set[str]] = {
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"cli"},
    "cv2": {"image", "mask", "attacks", "lattice"},
    "PIL": {"image", "attacks", "lattice"},
    "skimage": {"metrics", "cli", "attacks"},
    "safetensors": {"checkpoints", "training"},
    "matplotlib": {"benchmark"},
    "torch": {
        "networks",
        "attacks",
        "models",
        "lattice",
        "payload",
        "checkpoints",
        "training",
        "api",
        "benchmark",
        "cli",  # for `train --threads`; importing the doors still loads none of it (see below)
    },
}

# Modules whose distribution has another name.
DISTRIBUTIONS = {"PIL": "pillow", "cv2": "opencv-python-headless", "skimage": "scikit-image"}

MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: Path) -> str:
    first = module.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(module: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import, wherever it stands; relative ones made absolute.

    `from imuge_cli.image import write` gives `imuge_cli.image.write`, so that a name from the package
    itself (`from imuge_cli import api`) is seen as the room it is.
    """
    inside = ("imuge_cli", *module.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(inside[: len(inside) - node.level + 1]) if node.level else ""
            stem = ".".join(part for part in (base, node.module) if part)
            yield from ((node.lineno, f"{stem}.{alias.name}") for alias in node.names)


def wrong_imports(module: Path) -> list[str]:
    room, wrong = room_of(module), []
    allowed = ROOMS.get(room, set()) | {room, "errors", "__version__"}
    for line, name in imported(module):
        top, _, rest = name.partition(".")
        if top == "imuge_cli":
            target = rest.partition(".")[0]
            if target and target not in allowed:
                wrong.append(f"{module.relative_to(PACKAGE.parent)}:{line}: {room} imports {name}")
        elif top in HOMES and room not in HOMES[top]:
            wrong.append(f"{module.relative_to(PACKAGE.parent)}:{line}: {room} imports {top}")
    return wrong


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_imports_point_the_right_way(module: Path) -> None:
    assert room_of(module) in ROOMS, "a new room: say in ROOMS what it may import"
    assert wrong_imports(module) == []


def test_rooms_form_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(ROOMS):
        ready = {room for room, needs in ROOMS.items() if room not in done and needs <= done}
        assert ready, f"a circle among {sorted(set(ROOMS) - done)}"
        done |= ready


def test_this_test_sees_wrong_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "imuge_cli")
    module = tmp_path / "imuge_cli" / "networks" / "deep" / "x.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "import numpy\n"
        "from imuge_cli.errors import InputError\n"
        "from imuge_cli.networks import blocks\n"
        "from ..blocks import y\n"
        "from ... import api\n"
        "from ...image.read import read_picture\n"
        "from imuge_cli import keys\n"
        "def later():\n    import cv2.utils\n"
    )
    assert [line.split(":")[1] for line in wrong_imports(module)] == ["5", "6", "7", "9"]


def test_whatever_is_imported_is_asked_for() -> None:
    """Also what only some Python needs: the environment of the tests may have it by way of another library."""
    project = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    asked = {match.lower() for match in re.findall(r'^\s*(?:[a-z]+ = \[)?"([A-Za-z0-9_-]+)[>=]', project, re.MULTILINE)}
    tops = {name.partition(".")[0] for module in MODULES for _, name in imported(module)}
    foreign = tops - set(sys.stdlib_module_names) - {"imuge_cli", "tomllib"}
    assert {"torch", "tomli"} <= foreign, "this test sees imports"
    assert (
        sorted(foreign - {name for name in foreign if DISTRIBUTIONS.get(name, name).replace("_", "-") in asked}) == []
    )


def test_no_drawers_for_odds_and_ends() -> None:
    assert [module.name for module in MODULES if module.stem in ("utils", "helpers", "common", "misc")] == []


@pytest.mark.parametrize(
    "door", ["imuge_cli", "imuge_cli.errors", "imuge_cli.cli", "imuge_cli.cli.app", "imuge_cli.__main__"]
)
def test_doors_open_without_heavy_libraries(door: str) -> None:
    heavy = ("torch", "cv2", "skimage", "scipy", "numpy", "PIL", "safetensors")
    script = f"import sys, {door}; print(*(name for name in {heavy!r} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert done.stdout.split() == []


def test_public_names_are_found_and_others_are_not() -> None:
    import imuge_cli

    for name in imuge_cli.__all__:
        assert getattr(imuge_cli, name) is not None
    assert set(imuge_cli.__all__) <= set(dir(imuge_cli))
    with pytest.raises(AttributeError, match="no_such_name"):
        imuge_cli.no_such_name  # noqa: B018
