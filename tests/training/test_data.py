"""Shards of photographs."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from photographs import drawn
from shards import add, write_shard

from imuge_cli.errors import InputError, UsageError
from imuge_cli.training.data import VALIDATION, load_pictures


def test_pictures_come_whole_and_in_order(shard: Path) -> None:
    pictures = load_pictures([shard])
    assert pictures.shape == (20, 3, 320, 320)
    assert pictures.dtype == torch.uint8
    for number in (0, 7, 19):
        np.testing.assert_array_equal(pictures[number].permute(1, 2, 0).numpy(), drawn(320, 320, number))


def test_the_middle_of_larger_pictures_and_no_smaller_ones(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "b.tar", [(320, 320)] * 16 + [(319, 600), (340, 420)])
    pictures = load_pictures([shard])
    assert len(pictures) == 17
    middle = drawn(340, 420, 17)[10:330, 50:370]
    np.testing.assert_array_equal(pictures[16].permute(1, 2, 0).numpy(), middle)


def test_folders_and_several_shards(tmp_path: Path) -> None:
    write_shard(tmp_path / "1.tar", [(320, 320)] * 9)
    write_shard(tmp_path / "0.tar", [(320, 320)] * 9, first=9)
    pictures = load_pictures([tmp_path])
    torch.testing.assert_close(pictures, load_pictures([tmp_path / "0.tar", tmp_path / "1.tar"]))
    np.testing.assert_array_equal(pictures[0].permute(1, 2, 0).numpy(), drawn(320, 320, 9))
    assert len(load_pictures([tmp_path], limit=17)) == 17


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "few.tar", [(320, 320)] * VALIDATION)
    with pytest.raises(UsageError, match=f"only {VALIDATION} pictures"):
        load_pictures([shard])
    with pytest.raises(UsageError, match="only 0 pictures"):
        load_pictures([])


@pytest.mark.parametrize("content", [b"no tar at all", b"", None])
def test_what_is_no_shard_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.tar"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.tar"):
        load_pictures([path])


def test_a_damaged_picture_is_an_input_error(tmp_path: Path) -> None:
    path = write_shard(tmp_path / "c.tar", [(320, 320)] * 17)
    with tarfile.open(path, "a") as archive:
        add(archive, "zzz.png", b"\x89PNG\r\n\x1a\n damaged")
    with pytest.raises(InputError):
        load_pictures([path])
