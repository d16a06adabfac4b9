from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from imuge_cli.errors import InputError
from imuge_cli.reporting.digest import sha256_of, sha256_of_outputs


def test_a_file_of_several_pieces(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    (tmp_path / "empty").touch()
    assert sha256_of(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone: cannot be read to compute its SHA-256 \(No such file"):
        sha256_of(tmp_path / "gone")


def test_outputs_on_the_disk_only(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"mask")
    outputs = {"picture": "-", "mask": str(tmp_path / "m.png")}
    assert sha256_of_outputs(outputs) == {"mask": hashlib.sha256(b"mask").hexdigest()}
