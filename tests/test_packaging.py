"""The wheel, installed apart from the checkout and started without a network: is everything in it?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import imuge_cli

pytestmark = pytest.mark.slow
CHECKOUT = Path(__file__).resolve().parents[1]
WEIGHTS = CHECKOUT / "weights"
UNREACHABLE = "http://127.0.0.1:9"  # the discard port: nobody answers
OFFLINE = {
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), UNREACHABLE),
    "PIP_NO_INDEX": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "NO_COLOR": "1",
}
# Settings of whoever runs the tests that would lead the program, pip or the build elsewhere.
_FORGOTTEN = ("PYTHONPATH", "PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "no_proxy", "NO_PROXY")


def environment(**more: str) -> dict[str, str]:
    kept = {n: v for n, v in os.environ.items() if n not in _FORGOTTEN and not n.startswith("IMUGE_")}
    return {**kept, **OFFLINE, **more}


def start(*command: object, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, *(str(word) for word in command)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=cwd, env=env, timeout=180)
    assert done.returncode == 0, f"{' '.join(words[1:])}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with the environment's own hatchling: both `build` and `hatchling` come with the dev extra."""
    out = tmp_path_factory.mktemp("dist")
    start("-m", "build", "--wheel", "--no-isolation", "--outdir", out, CHECKOUT, cwd=out, env=environment())
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("target")
    options = ("--quiet", "--no-deps", "--no-index", "--target", target)
    start("-m", "pip", "install", *options, wheel, cwd=target, env=environment())
    return target


@pytest.fixture
def python(installed: Path, tmp_path: Path) -> Iterator[object]:
    """Runs Python in an empty folder, with the installed package before everything else."""
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        home = {"XDG_CONFIG_HOME": str(tmp_path / "no-config"), "PYTHONPATH": str(installed)}
        return start(*command, cwd=empty, env=environment(**home))

    yield run
    assert list(empty.iterdir()) == []


def test_the_wheel_holds_the_package_and_exactly_the_checkouts_weights(wheel: Path) -> None:
    assert wheel.name == f"imuge-{imuge_cli.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for path in sorted(WEIGHTS.iterdir()):
            assert archive.read(f"imuge_cli/_weights/{path.name}") == path.read_bytes(), path.name
        metadata = archive.read(f"imuge-{imuge_cli.__version__}.dist-info/METADATA").decode()
    modules = {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "imuge_cli").rglob("*.py")}
    assert modules <= set(names)
    assert "imuge_cli/py.typed" in names and any(name.endswith("licenses/LICENSE") for name in names)
    own = f"imuge-{imuge_cli.__version__}"
    assert {name.split("/")[0] for name in names} == {"imuge_cli", f"{own}.dist-info", f"{own}.data"}
    assert [name for name in names if ".data/" in name] == [f"{own}.data/data/share/man/man1/imuge.1"]
    assert not any("__pycache__" in name for name in names)
    assert "\nRequires-Dist: torch>=" in metadata and "\nRequires-Python: >=3.10" in metadata


def test_the_checkouts_weights_are_the_manifest_its_file_and_the_model_card() -> None:
    manifest = json.loads((WEIGHTS / "manifest.json").read_text(encoding="utf-8"))
    files = {entry["file"] for entry in manifest["families"].values()}
    assert {path.name for path in WEIGHTS.iterdir()} == {"manifest.json", "MODEL_CARD.md", *files}


def test_the_installed_package_starts(python, installed: Path) -> None:  # type: ignore[no-untyped-def]
    assert python("-m", "imuge_cli", "--version").stdout == f"imuge {imuge_cli.__version__}\n"
    home = python("-c", "import imuge_cli; print(imuge_cli.__file__)").stdout.strip()
    assert Path(home) == installed / "imuge_cli" / "__init__.py"
    scripts = [path.name for path in installed.rglob("imuge*") if path.parent.name in ("bin", "Scripts")]
    assert len(scripts) == 1


def test_the_installed_package_brings_its_weights(python, installed: Path) -> None:  # type: ignore[no-untyped-def]
    lines = python("-m", "imuge_cli", "weights", "check", "--json").stdout.splitlines()
    assert lines
    for line in lines:
        checked = json.loads(line)
        assert checked["status"] == "intact"
        assert Path(checked["path"]).parent == installed / "imuge_cli" / "_weights"
    assert ": intact" in python("-m", "imuge_cli", "weights", "check").stdout


def test_the_installed_package_works(python, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Immunizing and verifying with the networks from the wheel, still without a network to fetch anything from."""
    script = (
        "import sys; from imuge_cli import Imuge, read_picture, write_picture\n"
        "engine = Imuge(device='cpu')\n"
        "sent = engine.immunize(read_picture(sys.argv[1])).picture\n"
        "write_picture(sent, sys.argv[2])\n"
        "print(engine.verify(read_picture(sys.argv[2])).verdict, engine.verify(read_picture(sys.argv[1])).verdict)"
    )
    from photographs import photograph
    from PIL import Image

    Image.fromarray(photograph("coffee", 20, 60, 150, 170)).save(tmp_path / "photo.png")
    done = python("-c", script, tmp_path / "photo.png", tmp_path / "sent.bmp")
    assert done.stdout.split() == ["exact", "not-found"]
