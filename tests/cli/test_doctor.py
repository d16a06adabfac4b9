from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from running import run

from imuge_cli.checkpoints import find_weights
from imuge_cli.cli import doctor
from imuge_cli.image.picture import Picture


def findings(*arguments: str, code: int = 0) -> dict[str, dict[str, object]]:
    ran = run("doctor", "--json", *arguments)
    assert ran.code == code, ran.out
    return {finding["topic"]: finding for finding in ran.objects}


def test_a_whole_installation_passes_its_self_test() -> None:
    told = findings("--device", "cpu")
    assert not [finding for finding in told.values() if finding["state"] == "failed"]
    assert told["torch"]["told"] == torch.__version__
    assert "published" in str(told["key"]["told"]) and told["key"]["state"] == "note"
    for step in ("immunize", "verify, untouched", "verify, tampered with and JPEG 70", "recover"):
        assert told[step]["state"] == "ok" and float(str(told[step]["seconds"])) > 0


def test_text_is_one_line_each() -> None:
    ran = run("doctor", "--no-self-test", "--device", "cpu")
    assert ran.code == 0 and "ok      device: cpu, as asked for" in ran.out
    assert all(line[:8] in ("ok      ", "note    ") for line in ran.out.splitlines())


def test_damaged_weights_fail_and_the_rest_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(find_weights(None), folder)
    (file,) = folder.glob("lattice-*.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    told = findings("--weights", str(folder), code=2)
    assert told["weights of lattice"]["state"] == "failed" and told["engine"]["state"] == "failed"
    assert told["numpy"]["state"] == "ok" and "immunize" not in told


def test_what_does_not_work_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor._Trial, "verify", lambda self: (_ for _ in ()).throw(MemoryError("no more")))
    told = findings("--device", "cpu", code=2)
    assert told["verify, untouched"]["state"] == "ok" and "recover" not in told
    assert told["verify, tampered with and JPEG 70"]["told"] == "MemoryError: no more"


def test_a_picture_that_is_not_repaired_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    original = doctor._Trial.__init__

    def spoil(self: doctor._Trial, engine: object) -> None:
        original(self, engine)  # type: ignore[arg-type]
        kept = self._engine.immunize

        class Blind:
            immunize = staticmethod(kept)

            @staticmethod
            def verify(picture: Picture) -> object:
                return self._plain.verify(Picture(pixels=self._original))

        self._plain, self._engine = self._engine, Blind()  # type: ignore[attr-defined, assignment]

    monkeypatch.setattr(doctor._Trial, "__init__", spoil)
    told = findings("--device", "cpu", code=2)
    assert (told["verify, untouched"]["state"], told["verify, untouched"]["told"]) == ("failed", "not-found")


def test_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in ("scipy", "matplotlib") else "1")
    told = findings("--no-self-test", code=2)
    assert told["scipy"]["state"] == "failed" and "pip install scipy" in str(told["scipy"]["told"])
    assert told["matplotlib"]["state"] == "note"


def test_cuda_that_is_not_there_fails() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    told = findings("--no-self-test", "--device", "cuda", code=2)
    assert "cuda was asked for, but" in str(told["device"]["told"])


def test_a_key_that_others_can_read_is_pointed_out(tmp_path: Path) -> None:
    key = tmp_path / "k"
    assert run("keygen", key).code == 0
    told = findings("--no-self-test", "--key-file", str(key))["key"]
    assert (told["state"], told["told"]) == ("ok", str(key))
    key.chmod(0o644)
    told = findings("--no-self-test", "--key-file", str(key))["key"]
    assert told["state"] == "note" and "chmod 600" in str(told["told"])
    assert findings("--no-self-test", "--key-file", "none", code=2)["key"]["state"] == "failed"
