from __future__ import annotations

from pathlib import Path

import pytest

from imuge_cli.benchmark.readme import names_in, update_markdown
from imuge_cli.errors import InputError, UsageError

TEXT = """# A
<!-- bench:begin goals -->
old
<!-- bench:end goals -->
between
<!-- bench:begin recovery-256 -->
<!-- bench:end recovery-256 -->
  <!-- bench:begin unknown -->
kept
  <!-- bench:end unknown -->
end
"""


def test_sections_are_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "R.md"
    path.write_text(TEXT)
    tables = {"goals": "| 1 |\n| 2 |", "recovery-256": "| 3 |", "not-there": "| 4 |"}
    assert names_in(path) == ["goals", "recovery-256", "unknown"]
    assert update_markdown(path, tables) == ["goals", "recovery-256"]
    text = path.read_text()
    assert "old" not in text and "| 4 |" not in text and "kept" in text
    assert "<!-- bench:begin goals -->\n\n| 1 |\n| 2 |\n\n<!-- bench:end goals -->\nbetween\n" in text
    assert text.startswith("# A\n") and text.endswith("end\n")
    update_markdown(path, tables)
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("no marker", "no markers"),
        ("<!-- bench:begin a -->\n", "no end"),
        ("<!-- bench:end a -->\n", "no partner"),
        ("<!-- bench:begin a -->\n<!-- bench:begin b -->\n", "line 2"),
        ("<!-- bench:begin a -->\n<!-- bench:end b -->\n", "line 2"),
    ],
)
def test_markers_that_do_not_pair_up(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "R.md"
    path.write_text(text)
    with pytest.raises(UsageError, match=word):
        update_markdown(path, {"a": "x"})
    assert path.read_text() == text


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        names_in(tmp_path / "no.md")
