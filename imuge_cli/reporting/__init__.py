"""What is told about a picture: versioned reports as JSON, one HTML page, and overlays."""

from __future__ import annotations

from imuge_cli.reporting.build import (
    confidence_of,
    error_report,
    immunize_report,
    recover_report,
    verify_report,
)
from imuge_cli.reporting.digest import sha256_of, sha256_of_outputs
from imuge_cli.reporting.reference import ReferenceFigures, compare
from imuge_cli.reporting.schema import SCHEMA, Report, to_json, to_line

__all__ = [
    "SCHEMA",
    "ReferenceFigures",
    "Report",
    "compare",
    "confidence_of",
    "error_report",
    "immunize_report",
    "recover_report",
    "sha256_of",
    "sha256_of_outputs",
    "to_json",
    "to_line",
    "verify_report",
]
