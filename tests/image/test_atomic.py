from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from imuge_cli.errors import OutputError
from imuge_cli.image.atomic import write_chunks


def test_chunks_are_written_one_after_the_other(tmp_path: Path) -> None:
    write_chunks(tmp_path / "new" / "a", (bytes([number]) * 3 for number in range(4)))
    assert (tmp_path / "new" / "a").read_bytes() == b"\0\0\0\1\1\1\2\2\2\3\3\3"
    with pytest.raises(OutputError, match="exists already"):
        write_chunks(tmp_path / "new" / "a", [b"other"])


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("a fault"), KeyboardInterrupt()])
def test_where_the_chunks_break_off_the_old_file_stays(tmp_path: Path, error: BaseException) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise error

    (tmp_path / "a").write_bytes(b"old")
    wanted = OutputError if isinstance(error, OSError) else type(error)
    with pytest.raises(wanted):
        write_chunks(tmp_path / "a", broken(), force=True)
    assert (tmp_path / "a").read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]
