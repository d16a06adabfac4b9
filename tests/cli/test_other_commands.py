from __future__ import annotations

import json
import pickle
import stat
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from fake_engine import FakeEngine
from running import run

from imuge_cli import training
from imuge_cli.checkpoints import save_weights
from imuge_cli.image.read import read_mask, read_picture
from imuge_cli.keys import load_secret
from imuge_cli.training.imuge_ablation import AblationRow


def test_keygen_writes_a_secret_for_its_owner_alone() -> None:
    ran = run("keygen", "my.key")
    assert ran.code == 0 and ran.out == ""
    assert stat.S_IMODE(Path("my.key").stat().st_mode) == 0o600
    assert load_secret(Path("my.key")).kind == "secret"
    before = Path("my.key").read_bytes()
    assert run("keygen", "my.key").code == 2
    assert Path("my.key").read_bytes() == before
    assert run("keygen", "my.key", "--force").code == 0
    assert Path("my.key").read_bytes() != before


def test_keygen_without_a_file_prints_the_secret() -> None:
    first, second = run("keygen"), run("keygen", "-")
    assert first.code == 0 and first.out != second.out
    Path("k").write_text(first.out)
    assert load_secret(Path("k")).kind == "secret"


def weights_folder() -> Path:
    save_weights(Path("w"), "lattice", {"a": torch.ones(3)}, {}, {}, training_steps=9)
    save_weights(Path("w"), "other", {"a": torch.zeros(5)}, {}, {})
    return Path("w")


def test_weights_list() -> None:
    ran = run("weights", "list", "--weights", weights_folder())
    assert ran.code == 0
    assert ran.out.splitlines()[0].startswith("lattice ") and "9 steps" in ran.out
    told = run("weights", "list", "--json", env={"IMUGE_WEIGHTS": "w"}).objects
    assert [entry["family"] for entry in told] == ["lattice", "other"]
    assert told[0]["parameters"] == 3


def test_weights_check_names_what_differs() -> None:
    folder = weights_folder()
    assert run("weights", "check", "--weights", folder).code == 0
    path = next(folder.glob("other-*"))
    path.write_bytes(b"rubbish")
    ran = run("weights", "check", "--weights", folder)
    assert ran.code == 2
    assert "lattice: intact" in ran.out and "other: damaged" in ran.out
    assert path.name in ran.err and "expected sha256" in ran.err and "found" in ran.err and "reinstall" in ran.err
    path.unlink()
    told = run("weights", "check", "--weights", folder, "--json")
    assert told.code == 2
    assert [entry["status"] for entry in told.objects] == ["intact", "missing"]
    assert run("weights", "check", "--weights", "nowhere").code == 2


def test_demo_writes_every_file_and_prints_the_figures(engines: list[FakeEngine]) -> None:
    ran = run("demo", "d", "--quiet")
    assert ran.code == 0
    assert "mask, F1" in ran.out and "41.50 dB" in ran.out and "d" in ran.out.splitlines()[-1]
    pictures = "original.png immunized.bmp suspect.jpg truth.png mask.png heatmap.png recovered.png"
    names = [*pictures.split(), "report.json", "report.html"]
    assert sorted(path.name for path in Path("d").iterdir()) == sorted(names)
    truth = read_mask(Path("d/truth.png"))
    assert 0.09 <= truth.mean() <= 0.11
    immunized, suspect = (read_picture(Path("d", name)).pixels for name in ("immunized.bmp", "suspect.jpg"))
    difference = np.abs(immunized.astype(int) - suspect).mean(axis=2)
    assert difference[truth].mean() > 3 * difference[~truth].mean()
    body = json.loads(Path("d/report.json").read_text())
    assert body["schema"] == "imuge.demo/1"
    assert body["figures"]["tampered_share_true"] == pytest.approx(truth.mean())
    assert body["verify"]["schema"] == "imuge.report/1"


def test_demo_overwrites_nothing_and_speaks_json(engines: list[FakeEngine]) -> None:
    Path("d").mkdir()
    Path("d/heatmap.png").write_bytes(b"precious")
    ran = run("demo", "d")
    assert ran.code == 2 and "heatmap.png" in ran.err and engines == []
    assert [path.name for path in Path("d").iterdir()] == ["heatmap.png"]
    (figures,) = run("demo", "d", "--force", "--json", "--quiet").objects
    assert figures["immunized_psnr"] == 41.5


def test_bench_hands_its_options_over(engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}

    def run_bench(**options: Any) -> str:
        called.update(options)
        return "| table |"

    module = ModuleType("imuge_cli.benchmark")
    module.run_bench = run_bench  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "imuge_cli.benchmark", module)
    ran = run(
        "bench", "--data", "k", "--size", "256", "--size", "full", "--pictures", 3, "--attacks", "jpeg:70",
        "--tampers", "clone", "--shares", "0.25", "--seed", 4, "--out", "o", "--device", "cpu", "-j", 2,
    )  # fmt: skip
    assert ran.code == 0 and ran.out == "| table |\n"
    assert called["data"] == Path("k") and called["out"] == Path("o")
    assert called["sizes"] == ("256", "full") and called["pictures"] == 3 and called["seed"] == 4
    assert called["jobs"] == 2
    assert (called["attacks"], called["tampers"], called["shares"]) == (("jpeg:70",), ("clone",), (0.25,))
    called["make_engine"]()
    assert engines[0].settings.device == "cpu" and engines[0].settings.key is None
    called["make_stranger"]()
    assert engines[1].settings.device == "cpu" and engines[1].settings.key != load_secret(None)


def test_bench_leaves_the_sizes_to_the_suite(engines: list[FakeEngine], monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}
    module = ModuleType("imuge_cli.benchmark")
    module.run_bench = lambda **options: called.update(options)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "imuge_cli.benchmark", module)
    ran = run("bench", "--data", "k", "--suite", "full", "--sheet", 4, "--update-readme", "R.md", "--force")
    assert ran.code == 0 and ran.out == ""
    assert (called["suite"], called["sizes"], called["sheet"], called["force"]) == ("full", None, 4, True)
    assert called["update_readme"] == Path("R.md") and called["jobs"] == 1


def test_bench_makes_its_engines_in_other_processes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}
    module = ModuleType("imuge_cli.benchmark")
    module.run_bench = lambda **options: called.update(options)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "imuge_cli.benchmark", module)
    assert run("bench", "--data", "k", "--strength", "strong", "--jobs", 2).code == 0
    for name in ("make_engine", "make_stranger"):
        there = pickle.loads(pickle.dumps(called[name]))
        assert (there.func, there.args) == (called[name].func, called[name].args)
        assert there.args[0].strength == "strong"


def test_bench_speed_passes_the_engines_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}
    module = ModuleType("imuge_cli.benchmark")

    def run_speed(**options: Any) -> str:
        called.update(options)
        return "| speed |"

    module.run_speed = run_speed  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "imuge_cli.benchmark", module)
    ran = run(
        "bench", "--suite", "speed", "--megapixels", 24, "--key-file", "my.key", "--strength", "strong",
        "--weights", "w",
    )  # fmt: skip
    assert ran.code == 0 and ran.out == "| speed |\n"
    given = dict(zip(called["options"][::2], called["options"][1::2], strict=True))
    assert given == {"--model": "lattice", "--device": "auto", "--key-file": "my.key", "--weights": "w"}
    assert called["immunize_options"] == ("--strength", "strong") and called["megapixels"] == (24.0,)
    assert called["photograph"]().shape == (512, 512, 3)


def test_bench_times_commands_alone() -> None:
    ran = run("bench", "--suite", "speed", "--jobs", 2)
    assert ran.code == 2 and "--jobs 2: the speed suite" in ran.err
    assert run("bench", "--data", "k", "--jobs", 0).code == 2


def test_bench_measures_with_a_whole_engine(engines: list[FakeEngine]) -> None:
    from imuge_cli.image.picture import Picture
    from imuge_cli.image.write import write_picture

    for number in range(2):
        pixels = np.random.default_rng(number).integers(60, 200, (64, 64, 3), dtype=np.uint8)
        write_picture(Picture(pixels=pixels), Path("k", f"{number}.png"))
    ran = run("bench", "--data", "k", "--suite", "smoke", "--size", "full", "--attacks", "none", "--pictures", 1)
    assert ran.code == 0 and "## Recovery, original size, 10 % tampered" in ran.out
    assert sorted(path.name for path in Path("imuge-bench").iterdir()) == [
        "results.csv", "results.json", "tables.md",
    ]  # fmt: skip
    again = run("bench", "--data", "k", "--suite", "smoke")
    assert again.code == 2 and "--force" in again.err
    assert run("bench", "--suite", "smoke").code == 2


def test_train_hands_its_options_over(monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}
    monkeypatch.setattr(training, "run_training", lambda **options: called.update(options), raising=False)
    ran = run("train", "--data", "a", "--data", "b", "--net", "v", "--minutes", "1.5", "--resume", "--lr", "0.001")
    assert ran.code == 0 and ran.out == ""
    assert called["data"] == (Path("a"), Path("b")) and called["nets"] == ("v",)
    assert called["minutes"] == 1.5 and called["resume"] is True and called["lr"] == 0.001
    assert called["device"] == "auto" and called["batch"] is None
    assert (called["start"], called["limit"], called["validate_every"]) == (None, None, 200)


def test_train_begins_where_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}
    threads: list[int] = []
    monkeypatch.setattr(training, "run_training", lambda **options: called.update(options), raising=False)
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    ran = run(
        "train", "--data", "a", "--steps", 9, "--start", "w.safetensors", "--limit", 40, "--validate-every", 3,
        "--threads", 2,
    )  # fmt: skip
    assert ran.code == 0 and threads == [2]
    assert (called["start"], called["limit"], called["validate_every"]) == (Path("w.safetensors"), 40, 3)
    assert called["steps"] == 9 and called["minutes"] is None


def test_train_of_the_papers_system(monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}
    monkeypatch.setattr(training, "run_training", lambda **options: called.update(options), raising=False)
    of = ("train", "--data", "a", "--model", "imuge")
    assert run(*of, "--steps", 9, "--without", "sharing", "--without", "progressive").code == 0
    assert (called["model"], called["steps"], called["without"]) == ("imuge", 9, ("sharing", "progressive"))
    assert called["width"] is None
    assert run(*of, "--resume").code == 0
    assert called["resume"] is True and called["steps"] is None and called["without"] == ()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--minutes", 1), "--data"),
        (("--data", "a"), "--minutes or --steps"),
        (("--data", "a", "--minutes", 1, "--resume", "--start", "w"), "--resume"),
        (("--data", "a", "--minutes", 1, "--threads", 0), "--threads"),
    ],
)
def test_train_refuses_what_cannot_be_meant(
    arguments: tuple[object, ...], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[object] = []
    monkeypatch.setattr(training, "run_training", lambda **options: called.append(options), raising=False)
    ran = run("train", *arguments)
    assert ran.code == 2 and named in ran.err and ran.out == "" and called == []


def test_bench_ablation_trains_and_writes_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: dict[str, Any] = {}

    def rows(**options: Any) -> tuple[AblationRow, ...]:
        called.update(options)
        return (AblationRow("nothing", 33.25, 12.5, None, 13.16), AblationRow("+ V", 34.0, 20.25, 0.875, 20.99))

    monkeypatch.setattr(training, "run_ablation", rows, raising=False)
    out = tmp_path / "out"
    out.mkdir()
    asked = ("bench", "--ablation", "--data", tmp_path, "--steps", 7, "--out", out, "--resume")
    ran = run(*asked, "--width", 8, "--side", 128)
    assert ran.code == 0, ran.err
    assert (called["data"], called["steps"], called["resume"]) == ((tmp_path,), 7, True)
    assert (called["width"], called["side"]) == (8, 128)
    assert "Each row of width 8 was trained for 7 steps on windows of 128 x 128 from" in ran.out
    assert "| nothing | 33.25 | 12.50 | - | 13.16 |" in ran.out and "| + V | 34.00 | 20.25 | 0.875 | 20.99 |" in ran.out
    assert (out / "ablation.md").read_text() == ran.out
    for wrong in (
        ("--ablation", "--data", tmp_path),
        ("--steps", 3, "--data", tmp_path),
        ("--ablation", "--steps", 3),
        ("--width", 8),
    ):
        ran = run("bench", *wrong)
        assert ran.code == 2 and "--ablation" in ran.err
