from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from imuge_cli.checkpoints import (
    check_weights,
    find_weights,
    list_weights,
    load_weights,
    locate,
    read_manifest,
    save_weights,
)
from imuge_cli.errors import WeightsError

CONFIG = {"width": 8, "levels": [1, 2]}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMUGE_WEIGHTS", raising=False)


def tensors(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(4, 3, 3, 3, generator=generator)
    return {"a.weight": weight, "b.weight": weight[:, ::2], "count": torch.tensor([7])}


def test_round_trip_keeps_values_at_half_precision_and_integers_exactly(tmp_path: Path) -> None:
    source = tensors()
    path = save_weights(tmp_path, "lattice", source, CONFIG, {"f1": 0.9}, training_steps=12)
    loaded = load_weights("lattice", tmp_path)
    assert loaded.config == CONFIG
    assert loaded.path == path
    assert path.name == f"lattice-{loaded.sha256[:8]}.safetensors"
    assert loaded.tensors["a.weight"].dtype == torch.float32
    assert torch.equal(loaded.tensors["a.weight"], source["a.weight"].half().float())
    assert torch.equal(loaded.tensors["b.weight"], source["b.weight"].half().float())
    assert loaded.tensors["count"].tolist() == [7]


def test_the_file_stores_sixteen_bit_floats(tmp_path: Path) -> None:
    path = save_weights(tmp_path, "lattice", {"w": torch.zeros(1000)}, CONFIG, {})
    assert 2000 <= path.stat().st_size < 2600


def test_manifest_holds_what_a_reader_needs(tmp_path: Path) -> None:
    path = save_weights(tmp_path, "lattice", tensors(), CONFIG, {"f1": 0.9}, training_steps=12)
    document = json.loads((tmp_path / "manifest.json").read_text())
    entry = document["families"]["lattice"]
    assert document["version"] == 1
    assert entry["file"] == path.name
    assert entry["size"] == path.stat().st_size
    assert entry["dtype"] == "float16"
    assert entry["config"] == CONFIG
    assert entry["training_steps"] == 12
    assert entry["figures"] == {"f1": 0.9}
    assert len(entry["created"]) == 10


def test_saving_again_is_deterministic_and_replaces_only_its_own_family(tmp_path: Path) -> None:
    first = save_weights(tmp_path, "lattice", tensors(), CONFIG, {})
    other = save_weights(tmp_path, "imuge_plus", tensors(3), CONFIG, {})
    assert save_weights(tmp_path, "lattice", tensors(), CONFIG, {}) == first
    second = save_weights(tmp_path, "lattice", tensors(1), CONFIG, {})
    assert second != first
    assert not first.exists()
    assert other.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["manifest.json", other.name, second.name])


@pytest.mark.parametrize(("value", "word"), [(1e6, "65504"), (float("nan"), "finite"), (float("inf"), "finite")])
def test_numbers_that_would_be_lost_are_refused_and_nothing_is_written(tmp_path: Path, value: float, word: str) -> None:
    with pytest.raises(WeightsError, match=word):
        save_weights(tmp_path, "lattice", {"w": torch.tensor([value])}, CONFIG, {})
    assert list(tmp_path.iterdir()) == []


def test_a_changed_file_is_refused_naming_expected_found_and_remedy(tmp_path: Path) -> None:
    path = save_weights(tmp_path, "lattice", tensors(), CONFIG, {})
    expected = read_manifest(tmp_path).families["lattice"].sha256
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        load_weights("lattice", tmp_path)
    message = str(caught.value)
    found = check_weights(tmp_path)[0].found
    assert found is not None
    assert path.name in message and expected in message and found in message
    assert "reinstall" in message
    assert "\n" not in message


def test_a_single_file_is_checked_against_the_manifest_beside_it(tmp_path: Path) -> None:
    path = save_weights(tmp_path, "lattice", tensors(), CONFIG, {})
    assert load_weights("lattice", path).config == CONFIG
    with pytest.raises(WeightsError, match="asked for"):
        load_weights("imuge", path)


def test_a_lone_file_carries_its_config_and_is_checked_against_its_name(tmp_path: Path) -> None:
    path = save_weights(tmp_path / "made", "lattice", tensors(), CONFIG, {})
    lone = tmp_path / path.name
    lone.write_bytes(path.read_bytes())
    assert load_weights("lattice", lone).config == CONFIG
    lone.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match="expected sha256"):
        load_weights("lattice", lone)
    renamed = tmp_path / "best.safetensors"
    renamed.write_bytes(path.read_bytes())
    with pytest.raises(WeightsError, match="8 digits"):
        load_weights("lattice", renamed)


def test_look_up_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {name: tmp_path / name for name in ("explicit", "environment", "installed", "checkout", "here")}
    for folder in folders.values():
        save_weights(folder, "lattice", tensors(), CONFIG, {})
    save_weights(folders["here"] / "weights", "lattice", tensors(), CONFIG, {})
    monkeypatch.chdir(folders["here"])
    candidates = (folders["installed"], folders["checkout"])
    monkeypatch.setattr(locate, "bundled_candidates", lambda: candidates)
    monkeypatch.setenv("IMUGE_WEIGHTS", str(folders["environment"]))
    assert find_weights(folders["explicit"]) == folders["explicit"]
    assert find_weights() == folders["environment"]
    monkeypatch.delenv("IMUGE_WEIGHTS")
    assert find_weights() == folders["installed"]
    (folders["installed"] / "manifest.json").unlink()
    assert find_weights() == folders["checkout"]
    (folders["checkout"] / "manifest.json").unlink()
    with pytest.raises(WeightsError, match="reinstall"):
        find_weights()


def test_a_wrong_path_is_an_error_not_a_reason_to_look_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WeightsError, match="--weights"):
        find_weights(tmp_path / "nowhere")
    monkeypatch.setenv("IMUGE_WEIGHTS", str(tmp_path / "nowhere"))
    with pytest.raises(WeightsError, match="IMUGE_WEIGHTS"):
        find_weights()


def test_check_names_missing_and_damaged_files(tmp_path: Path) -> None:
    save_weights(tmp_path, "intact", tensors(), CONFIG, {})
    save_weights(tmp_path, "missing", tensors(1), CONFIG, {}).unlink()
    save_weights(tmp_path, "damaged", tensors(2), CONFIG, {}).write_bytes(b"short")
    statuses = {check.entry.family: check.status for check in check_weights(tmp_path)}
    assert statuses == {name: name for name in ("intact", "missing", "damaged")}
    assert [entry.family for entry in list_weights(tmp_path)] == ["damaged", "intact", "missing"]


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"version": 99, "families": {}}', '{"version": 1}', '{"version": 1, "families": {"a": {}}}'],
)
def test_a_damaged_manifest_is_a_weights_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(WeightsError, match="manifest"):
        list_weights(tmp_path)


def test_a_manifest_cannot_point_outside_its_folder(tmp_path: Path) -> None:
    save_weights(tmp_path, "lattice", tensors(), CONFIG, {})
    manifest = tmp_path / "manifest.json"
    document = json.loads(manifest.read_text())
    document["families"]["lattice"]["file"] = "../elsewhere.safetensors"
    manifest.write_text(json.dumps(document))
    with pytest.raises(WeightsError, match="plain file name"):
        load_weights("lattice", tmp_path)


def test_an_unknown_family_names_the_known_ones(tmp_path: Path) -> None:
    save_weights(tmp_path, "lattice", tensors(), CONFIG, {})
    with pytest.raises(WeightsError, match="there: lattice"):
        load_weights("imuge", tmp_path)


def test_a_listed_file_that_is_no_safetensors_file(tmp_path: Path) -> None:
    import hashlib

    path = save_weights(tmp_path, "lattice", tensors(), CONFIG, {})
    path.write_bytes(b"not tensors at all")
    manifest = tmp_path / "manifest.json"
    document = json.loads(manifest.read_text())
    document["families"]["lattice"]["sha256"] = hashlib.sha256(b"not tensors at all").hexdigest()
    manifest.write_text(json.dumps(document))
    with pytest.raises(WeightsError, match="no safetensors file"):
        load_weights("lattice", tmp_path)
