"""The batch suite, with a program that stands in for the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from imuge_cli.benchmark.batches import Watched, batch_table, run_batches
from imuge_cli.errors import OutputError, UsageError

# Copies what it can read as <stem>.immunized.bmp into the same tree, and says so in JSON lines; --blind takes broken
# files for good ones.
PRETENDER = """
import json, sys, time
from pathlib import Path
from PIL import Image
command, folder, *rest = sys.argv[1:]
output, code = Path(rest[rest.index("-o") + 1]), 0
for path in sorted(Path(folder).rglob("*.*")):
    error = None
    try:
        picture = Image.open(path)
        picture.load()
        if command == "immunize":
            target = output / path.parent.relative_to(folder) / (path.stem + ".immunized.bmp")
            target.parent.mkdir(parents=True, exist_ok=True)
            picture.save(target)
    except Exception as fault:
        if "--blind" not in rest:
            error, code = str(fault), 2
    print(json.dumps({"file": str(path), "error": error}))
time.sleep(0.4)
sys.exit(code)
"""


def command(tmp_path: Path) -> tuple[str, ...]:
    script = tmp_path / "pretender.py"
    script.write_text(PRETENDER)
    return sys.executable, str(script)


def test_broken_files_are_counted_and_named(tmp_path: Path, photos: Path) -> None:
    out, readme = tmp_path / "out", tmp_path / "R.md"
    readme.write_text("<!-- bench:begin batch -->\n<!-- bench:end batch -->\n")
    text = run_batches(data=photos, out=out, files=15, command=command(tmp_path), update_readme=readme)
    rows = json.loads((out / "batch.json").read_text())["commands"]
    assert [row["command"] for row in rows] == ["immunize", "verify"]
    for row in rows:
        assert (row["files"], row["done"], row["failed"], row["named"], row["exit_code"]) == (15, 12, 3, True, 2)
    assert "| imuge verify | 15 | 12 | 3 | yes | 2 |" in text and "| imuge immunize | 15 | 12 |" in readme.read_text()
    if sys.platform == "linux":
        assert rows[0]["memory"] and (out / "batch.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match="--force"):
        run_batches(data=photos, out=out, files=15, command=command(tmp_path))


def test_a_program_that_hides_them_is_found_out(tmp_path: Path, photos: Path) -> None:
    text = run_batches(data=photos, out=tmp_path / "out", files=6, command=command(tmp_path), options=("--blind",))
    assert "| imuge immunize | 6 | 6 | 0 | **no** | 0 |" in text


def test_memory_is_told_by_shares_of_the_time() -> None:
    memory = tuple((float(when), 100.0 + 10 * when) for when in range(101))
    done = Watched("verify", 10, 10, 0, True, 0, 100.0, memory)
    assert done.level(0.1, 0.2) == 250 and done.level(0.9, 1.0) == 1050 and done.most == 1100
    (row,) = batch_table([done]).rows
    assert row[-3:] == ("250", "1050", "1100") and row[7] == "10.00"
    blank = Watched("verify", 10, 10, 0, True, 0, 100.0, ())
    assert batch_table([blank]).rows[0][-3:] == ("-", "-", "-")


def test_nonsense_is_refused(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(UsageError, match="--data is missing"):
        run_batches(data=None, out=tmp_path / "out")
    with pytest.raises(UsageError, match="--pictures 3"):
        run_batches(data=photos, out=tmp_path / "out", files=3)
