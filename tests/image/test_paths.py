"""Which files arguments mean, where results go, and collisions found before any work starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from imuge_cli.errors import OutputError, UsageError
from imuge_cli.image.paths import (
    STREAM,
    Output,
    Source,
    check_outputs,
    expand_inputs,
    output_name,
    plan_outputs,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "a.mask.png", "sub/c.tif", "sub/deep/d.webp"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def names(sources: list[Source], root: Path) -> list[str]:
    return [source.path.relative_to(root).as_posix() for source in sources]


def test_folders_give_pictures_and_subfolders_only_when_asked(tree: Path) -> None:
    assert names(expand_inputs([tree]), tree) == ["a.JPG", "a.mask.png", "b.png"]
    deep = expand_inputs([tree], recursive=True, skip=(".mask",))
    assert names(deep, tree) == ["a.JPG", "b.png", "sub/c.tif", "sub/deep/d.webp"]
    assert [str(source.folder) for source in deep] == [".", ".", "sub", "sub/deep"]


def test_files_named_directly_are_taken_whatever_they_are_called(tree: Path) -> None:
    assert names(expand_inputs([tree / "notes.txt", tree / "a.mask.png"], skip=(".mask",)), tree) == [
        "a.mask.png",
        "notes.txt",
    ]


def test_globs(tree: Path) -> None:
    assert {source.folder for source in expand_inputs([f"{tree}/*.png"])} == {None}
    assert names(expand_inputs([f"{tree}/*.png"]), tree) == ["a.mask.png", "b.png"]
    assert names(expand_inputs([f"{tree}/**/*.webp"]), tree) == ["sub/deep/d.webp"]
    assert names(expand_inputs([f"{tree}/s*"], recursive=True), tree) == ["sub/c.tif", "sub/deep/d.webp"]


def test_a_file_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    (tmp_path / "a[1].png").touch()
    (tmp_path / "a1.png").touch()
    assert names(expand_inputs([tmp_path / "a[1].png"]), tmp_path) == ["a[1].png"]


def test_each_file_once(tree: Path) -> None:
    twice = [tree / "b.png", tree / "sub" / ".." / "b.png", f"{tree}/b.*"]
    assert len(expand_inputs(twice)) == 1
    assert expand_inputs(["-", "-"]) == [Source(STREAM)]


def test_what_is_not_there_stays_in_the_list(tree: Path) -> None:
    empty = tree / "empty"
    empty.mkdir()
    missing = [tree / "no.png", f"{tree}/*.bmp", empty]
    assert names(expand_inputs(missing), tree) == ["*.bmp", "empty", "no.png"]


@pytest.mark.parametrize(
    ("source", "kind", "suffix", "expected"),
    [
        ("x/photo.jpg", "immunized", ".bmp", "photo.immunized.bmp"),
        ("photo.immunized.bmp", "recovered", ".bmp", "photo.immunized.recovered.bmp"),
        ("photo.suspect.png", "mask", ".png", "photo.suspect.mask.png"),
        ("-", "mask", ".png", "stdin.mask.png"),
    ],
)
def test_output_names(source: str, kind: str, suffix: str, expected: str) -> None:
    assert output_name(Path(source), kind, suffix) == expected


def planned(sources: list[Source], output: Path | None) -> list[Path]:
    return [one.path for one in plan_outputs(sources, "immunized", ".bmp", output)]


def test_results_go_beside_their_inputs(tree: Path) -> None:
    sources = expand_inputs([tree], recursive=True, skip=(".mask",))
    assert planned(sources, None)[2] == tree / "sub" / "c.immunized.bmp"
    assert planned([Source(STREAM)], None) == [STREAM]


def test_output_as_file_or_folder(tree: Path) -> None:
    one = [Source(tree / "b.png")]
    assert planned(one, tree / "out.png") == [tree / "out.png"]
    assert planned(one, tree / "sub") == [tree / "sub" / "b.immunized.bmp"]
    assert planned(one, STREAM) == [STREAM]
    assert planned([Source(STREAM)], tree / "sub") == [tree / "sub" / "stdin.immunized.bmp"]


def test_a_batch_keeps_its_tree_below_the_output(tree: Path) -> None:
    sources = expand_inputs([tree], recursive=True, skip=(".mask",))
    relative = [path.relative_to(tree / "new").as_posix() for path in planned(sources, tree / "new")]
    assert relative == [
        "a.immunized.bmp",
        "b.immunized.bmp",
        "sub/c.immunized.bmp",
        "sub/deep/d.immunized.bmp",
    ]


def test_one_file_out_of_a_searched_folder_still_goes_into_a_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").touch()
    sources = expand_inputs([tmp_path / "in"])
    assert planned(sources, tmp_path / "new") == [tmp_path / "new" / "a.immunized.bmp"]


def test_several_results_need_room(tree: Path) -> None:
    two = [Source(tree / "a.JPG"), Source(tree / "b.png")]
    with pytest.raises(UsageError, match="standard output"):
        planned(two, STREAM)
    with pytest.raises(UsageError, match="is a file"):
        planned(two, tree / "notes.txt")


def test_collision_among_outputs_names_both_inputs(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "a.jpg").touch()
    outputs = plan_outputs(expand_inputs([tmp_path]), "immunized", ".bmp")
    for force in (False, True):
        with pytest.raises(OutputError) as caught:
            check_outputs(outputs, force=force)
        for name in ("a.png", "a.jpg", "a.immunized.bmp"):
            assert str(tmp_path / name) in str(caught.value)


def test_existing_outputs(tree: Path) -> None:
    (tree / "b.immunized.bmp").touch()
    outputs = plan_outputs([Source(tree / "b.png")], "immunized", ".bmp")
    with pytest.raises(OutputError, match="b.png exists already; use --force"):
        check_outputs(outputs)
    check_outputs(outputs, force=True)
    check_outputs(outputs, skip_existing=True)


def test_no_input_is_ever_replaced(tree: Path) -> None:
    with pytest.raises(OutputError, match="would replace the input"):
        check_outputs([Output(tree / "b.png", tree / "b.png")], force=True)
    (tree / "link.png").symlink_to(tree / "b.png")
    with pytest.raises(OutputError, match="would replace the input"):
        check_outputs([Output(tree / "a.JPG", tree / "link.png")], inputs=[tree / "b.png"], force=True)


def test_standard_output_collides_with_nothing() -> None:
    check_outputs([Output(STREAM, STREAM), Output(STREAM, STREAM)])
