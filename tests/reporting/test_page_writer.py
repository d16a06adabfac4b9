from __future__ import annotations

import io
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from imuge_cli.errors import OutputError
from imuge_cli.image import atomic
from imuge_cli.reporting import Report, error_report
from imuge_cli.reporting.html import PageWriter, Thumbnail, page

REPORT = Report("verify", "0", "a.png", 0)
FAILED = error_report("verify", file="a.png", exit_code=2, error=ValueError("bad"))
OTHER = error_report("verify", file="b.png", exit_code=2, error=ValueError("worse"))


def test_a_page_is_written_when_it_is_closed(tmp_path: Path) -> None:
    target = tmp_path / "new" / "page.html"
    with PageWriter(target, title="t") as writer:
        writer.add(FAILED)
        assert os.listdir(tmp_path) == []
        writer.add(OTHER)
    assert target.read_text(encoding="utf-8") == page([(FAILED, []), (OTHER, [])], title="t")
    assert os.listdir(tmp_path / "new") == ["page.html"]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_no_page_and_the_old_one(tmp_path: Path, fault: type[BaseException]) -> None:
    target = tmp_path / "page.html"
    target.write_text("old")
    with pytest.raises(fault), PageWriter(target, title="t", force=True) as writer:
        writer.add(FAILED)
        raise fault
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["page.html"]


def test_a_page_that_cannot_be_put_together_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    target = tmp_path / "page.html"
    target.write_text("old")
    writer = PageWriter(target, title="t", force=True)
    writer.add(FAILED)
    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(OutputError, match=r"page\.html: cannot be written \(No space left on device\)"):
        writer.close()
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["page.html"]


def test_a_full_disk_is_told_when_a_file_is_added(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, *_: object) -> int:
            raise OSError(28, "No space left on device")

    writer = PageWriter(tmp_path / "page.html", title="t")
    writer._sections = Full()
    with pytest.raises(OutputError, match=r"page\.html: cannot be written \(No space left on device\)"):
        writer.add(FAILED)


def test_what_is_in_the_way_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    with pytest.raises(OutputError, match=r"page\.html: exists already; use --force"):
        PageWriter(tmp_path / "page.html", title="t")
    with pytest.raises(OutputError, match="is a folder"):
        PageWriter(tmp_path, title="t", force=True)
    with pytest.raises(OutputError, match="cannot be written"):
        PageWriter(tmp_path / "page.html" / "page.html", title="t")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match=r"page\.html: cannot be written \(Permission denied\)"):
        PageWriter(tmp_path / "page.html", title="t")


def test_somebody_elses_page_that_appears_meanwhile_survives(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    writer = PageWriter(target, title="t")
    target.write_text("somebody else's")
    with pytest.raises(OutputError, match="exists already"):
        writer.close()
    assert target.read_text() == "somebody else's"


def test_streams_and_devices() -> None:
    stream = io.BytesIO()
    with PageWriter(stream, title="t") as writer:
        writer.add(FAILED)
        assert stream.getvalue() == b""
    assert stream.getvalue().decode() == page([(FAILED, [])], title="t")
    with PageWriter(Path(os.devnull), title="t") as writer:
        writer.add(FAILED)


def test_once_closed_it_stays_closed(tmp_path: Path) -> None:
    with PageWriter(tmp_path / "page.html", title="t") as writer:
        writer.add(FAILED)
        writer.close()
        (tmp_path / "page.html").unlink()
        writer.close()
    assert os.listdir(tmp_path) == []
    with pytest.raises(ValueError, match="closed"):
        writer.add(OTHER)
    dropped = PageWriter(tmp_path / "page.html", title="t")
    dropped.abort()
    dropped.close()
    assert os.listdir(tmp_path) == []


def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    picture = Thumbnail.of("suspect", noise)
    assert len(picture.data) > 50_000
    tracemalloc.start()
    try:
        with PageWriter(tmp_path / "page.html", title="t") as writer:
            for _ in range(200):
                writer.add(REPORT, [picture])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    size = (tmp_path / "page.html").stat().st_size
    assert size > 200 * 50_000 and peak < size / 3
