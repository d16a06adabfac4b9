from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from photographs import photograph
from reporting_results import part, picture, verify_result

from imuge_cli.exact.answer import Tiles
from imuge_cli.reporting import (
    ReferenceFigures,
    Report,
    error_report,
    json_schema,
    recover_report,
    to_json,
    to_line,
    verify_report,
)

SCHEMA = json.loads(resources.files("imuge_cli.reporting").joinpath("report.schema.json").read_text(encoding="ascii"))


def faults(body: object) -> list[str]:
    return [f"{fault.json_path}: {fault.message}" for fault in Draft202012Validator(SCHEMA).iter_errors(body)]


def full() -> dict[str, Any]:
    """A report with every part but the error and the immunization."""
    tiles = Tiles(total=256, intact=240, proven=9, fine=0, coarse=4, lost=3, quality_fine=41.5, quality_coarse=36.25)
    fields = {"verification": verify_result(tiles=tiles), "restored_share": 0.3, "proven": None, "seconds": 1.0}
    report = recover_report(
        part(picture=picture(), **fields),
        file="s.jpg",
        reference=ReferenceFigures("o.png", psnr=31.5, ssim=0.9, local_psnr=None),
        outputs={"picture": "s.png"},
        warnings=("a warning",),
        input_sha256="1" * 64,
        output_sha256={"picture": "2" * 64},
    )
    body: dict[str, Any] = json.loads(to_line(report))
    return body


def test_the_committed_file_is_what_the_dataclasses_say() -> None:
    made = json_schema.schema_text()
    assert json_schema.SCHEMA_FILE.read_text(encoding="ascii") == made, (
        "the report changed: run python -m imuge_cli.reporting.json_schema"
    )
    Draft202012Validator.check_schema(json.loads(made))


def test_the_module_writes_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("old")
    json_schema.write(tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text(encoding="ascii") == json_schema.schema_text()


def kinds(kind: type[Any] = Report) -> Iterator[type[Any]]:
    yield kind
    for hint in get_type_hints(kind).values():
        for inner in (hint, *get_args(hint)):
            if is_dataclass(inner) and isinstance(inner, type):
                yield from kinds(inner)


@pytest.mark.parametrize("kind", sorted(set(kinds()), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_every_field_is_there_and_what_has_no_default_is_required(kind: type[Any]) -> None:
    part = SCHEMA if kind is Report else SCHEMA["$defs"][kind.__name__]
    names = [field.name for field in fields(kind)]
    assert [name for name in part["properties"] if name != "schema"] == names
    assert set(part["required"]) <= {"schema", *names}
    assert part["description"] and "None" not in part["description"]


def test_full_reports_and_their_fields_are_checked() -> None:
    assert faults(full()) == []
    assert faults(full() | {"from_a_later_version": 1}) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"schema": "imuge.report/2"}, "$.schema"),
        ({"command": "bake"}, "$.command"),
        ({"exit_code": 4}, "$.exit_code"),
        ({"file": None}, "$.file"),
        ({"warnings": "one"}, "$.warnings"),
        ({"size": {"height": -1, "width": 1}}, "$.size"),
        ({"size": {"height": 1}}, "$.size"),
        ({"seconds": "1"}, "$.seconds"),
        ({"input_sha256": "A" * 64}, "$.input_sha256"),
        ({"output_sha256": {"mask": 3}}, "$.output_sha256"),
        ({"finished": "yesterday"}, "$.finished"),
        ({"verification": {**full()["verification"], "verdict": "maybe"}}, "$.verification"),
        ({"verification": {**full()["verification"], "tampered_share": 1.5}}, "$.verification"),
        ({"verification": {**full()["verification"], "regions": [{}]}}, "$.verification"),
        ({"key": {"kind": "stolen", "meaning": ""}}, "$.key"),
    ],
)
def test_wrong_values_are_found(change: dict[str, Any], where: str) -> None:
    found = faults(full() | change)
    assert len(found) == 1 and found[0].startswith(f"{where}:")


@pytest.mark.parametrize("missing", ["schema", "command", "version", "file", "exit_code"])
def test_what_is_required(missing: str) -> None:
    assert "required" in faults({name: value for name, value in full().items() if name != missing})[0]


def test_reports_from_before_a_field_was_added_stay_valid() -> None:
    old = full()
    for name in ("input_sha256", "output_sha256", "finished"):
        del old[name]
    del old["verification"]["tiles"], old["verification"]["synchronisation"]["orientation"]
    del old["recovery"]["proven_share"]
    assert faults(old) == []


@pytest.mark.parametrize("error", [ValueError("bad"), KeyError("x")])
@pytest.mark.parametrize("command", ["immunize", "verify", "recover"])
def test_failed_files(command: str, error: Exception) -> None:
    assert faults(to_json(error_report(command, file="a\udcff\n.png", exit_code=2, error=error))) == []


@dataclass(frozen=True)
class Odd:
    """A field that JSON Schema could not be made for."""

    field: set[int]


def test_a_type_without_a_schema_is_refused() -> None:
    with pytest.raises(TypeError, match="no place in a report"):
        json_schema._object(Odd, {})


@pytest.mark.slow
def test_the_reports_of_the_real_engine_are_valid() -> None:
    """Every command and every verdict, as `--json` writes them."""
    told = dict(_real_reports())
    found = {name: body["verification"]["verdict"] for name, body in told.items() if body.get("verification")}
    assert found == {
        "exact": "exact", "intact": "intact", "tampered": "tampered", "not-found": "not-found",
        "recovered": "tampered", "repaired": "tampered",
    }  # fmt: skip
    assert told["repaired"]["verification"]["tiles"]["proven"] > 0
    assert {name: faults(body) for name, body in told.items()} == dict.fromkeys(told, [])


def _real_reports() -> Iterator[tuple[str, Mapping[str, Any]]]:
    from imuge_cli import Imuge
    from imuge_cli.attacks.encoders import encode_jpeg
    from imuge_cli.image.picture import Picture
    from imuge_cli.image.read import read_picture
    from imuge_cli.reporting import immunize_report

    def line(report: Report) -> Mapping[str, Any]:
        body: Mapping[str, Any] = json.loads(to_line(report))
        return body

    def sent(pixels: Any) -> Picture:
        return read_picture(BytesIO(encode_jpeg(pixels, 85)))

    engine = Imuge(device="cpu")
    original = Picture(pixels=photograph("coffee", 20, 60))
    made = engine.immunize(original)
    yield "immunized", line(immunize_report(made, file="a.png"))
    changed = made.picture.pixels.copy()
    changed[64:112, 80:144] = np.roll(changed, 90, axis=1)[64:112, 80:144]
    suspects = {
        "exact": made.picture,
        "intact": sent(made.picture.pixels),
        "tampered": sent(changed),
        "not-found": original,
    }
    for name, suspect in suspects.items():
        yield name, line(verify_report(engine.verify(suspect), file=name))
    yield "recovered", line(recover_report(engine.recover(suspects["tampered"]), file="s.jpg"))
    yield "repaired", line(recover_report(engine.recover(Picture(pixels=changed)), file="s.png"))
