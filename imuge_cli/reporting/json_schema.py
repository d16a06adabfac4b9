"""The report's JSON Schema (draft 2020-12), made from the dataclasses of `schema`.

It lies beside this module as `report.schema.json`; `python -m imuge_cli.reporting.json_schema` writes it anew.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin, get_type_hints

from imuge_cli.image.atomic import write_bytes
from imuge_cli.reporting.schema import SCHEMA, Report

SCHEMA_FILE = Path(__file__).with_name("report.schema.json")

Schema: TypeAlias = dict[str, Any]

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def json_schema() -> Schema:
    """The schema as plain JSON values.

    Fields that a report of this version may lack (they were added later, and have a default) are not required; fields
    it does not know yet are allowed.
    """
    parts: dict[str, Schema] = {}
    body = _object(Report, parts)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('.', ':').replace('/', ':')}",
        "title": SCHEMA,
        **body,
        "properties": {"schema": {"const": SCHEMA}, **body["properties"]},
        "required": ["schema", *body["required"]],
        "$defs": dict(sorted(parts.items())),
    }


def schema_text() -> str:
    """The file's content."""
    return json.dumps(json_schema(), indent=2) + "\n"


def write(path: Path = SCHEMA_FILE) -> None:
    """Write the file anew. Raises OutputError."""
    write_bytes(path, schema_text().encode("ascii"), force=True)


def _object(kind: type[Any], parts: dict[str, Schema]) -> Schema:
    hints = get_type_hints(kind, include_extras=True)
    listed = fields(kind)
    return {
        "description": _told(kind.__doc__ or ""),
        "type": "object",
        "properties": {field.name: _value(hints[field.name], parts) for field in listed},
        "required": [field.name for field in listed if _required(field)],
    }


def _told(docstring: str) -> str:
    """A docstring in one line, with JSON's words for Python's values."""
    words = {"None": "null", "True": "true", "False": "false"}
    return re.sub(r"\b(None|True|False)\b", lambda found: words[found[0]], " ".join(docstring.split()))


def _required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _value(hint: Any, parts: dict[str, Schema]) -> Schema:
    """One annotation as a schema; dataclasses go into `parts` and are referred to."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in parts:
            parts[hint.__name__] = _object(hint, parts)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if origin is Annotated:
        bounds = [limit.keywords() for limit in hint.__metadata__]
        return {key: value for part in (_value(arguments[0], parts), *bounds) for key, value in part.items()}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_value(argument, parts) for argument in arguments]}
    if origin is tuple and arguments[1:] == (...,):
        return {"type": "array", "items": _value(arguments[0], parts)}
    if origin is Mapping and arguments[0] is str:
        return {"type": "object", "additionalProperties": _value(arguments[1], parts)}
    raise TypeError(f"{hint} has no place in a report: JSON Schema is made from plain types and dataclasses only")


if __name__ == "__main__":
    write()
