"""Immunize or verify millions of pictures with Ray Data: `pip install '.[ray]'`.

    python ray_folder.py immunize s3://newsroom/incoming s3://newsroom/published
    python ray_folder.py verify   s3://newsroom/suspects s3://newsroom/verdicts
    python ray_folder.py verify   ./pictures ./verdicts

Folders or buckets, whatever pyarrow reads and writes. Each worker loads the weights once; pictures stream through, so
that memory does not grow with their number. A broken file becomes a report with its error and stops nothing. Reports go
to reports.jsonl in the target, pictures beside it in the source's tree.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import ray
from pyarrow.fs import FileSystem


class Worker:
    """One process with an engine. command: immunize or verify. source, target: folders or buckets."""

    def __init__(self, command: str, source: str, target: str, key_file: str | None) -> None:
        from imuge_cli import Imuge
        from imuge_cli.keys import load_secret

        self._command = command
        self._engine = Imuge(key=load_secret(Path(key_file) if key_file else None))
        self._source = PurePosixPath(FileSystem.from_uri(source)[1])
        self._files, folder = FileSystem.from_uri(target)
        self._target = PurePosixPath(folder)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row with bytes and path in, a row with a report, one line of JSON, out."""
        from imuge_cli import read_picture
        from imuge_cli.errors import ImugeError
        from imuge_cli.reporting import error_report, immunize_report, to_line, verify_report

        path = PurePosixPath(str(row["path"]))
        told: dict[str, Any] = {"file": str(path)}
        try:
            picture = read_picture(BytesIO(row["bytes"]))
            told["input_sha256"] = picture.source_sha256
            if self._command == "immunize":
                done = self._engine.immunize(picture)
                report = immunize_report(done, outputs={"picture": self._write(done.picture, path)}, **told)
            else:
                report = verify_report(self._engine.verify(picture), **told)
        except ImugeError as error:
            report = error_report(self._command, exit_code=2, error=error, **told)
        return {"report": to_line(report)}

    def _write(self, picture: Any, path: PurePosixPath) -> str:
        from imuge_cli.image.write import encode_picture

        below = path.relative_to(self._source) if path.is_relative_to(self._source) else PurePosixPath(path.name)
        place = self._target / below.with_name(f"{path.stem}.immunized.png")
        self._files.create_dir(str(place.parent))
        with self._files.open_output_stream(str(place)) as stream:
            stream.write(encode_picture(picture, "png").data)
        return str(place)


def run(command: str, source: str, target: str, *, key_file: str | None = None, workers: int = 1) -> Counter[str]:
    """Work through a folder or bucket; returns how many files came to what. source, target: URIs, or local folders."""
    source, target = (place if "://" in place else Path(place).resolve().as_uri() for place in (source, target))
    rows = ray.data.read_binary_files(source, include_paths=True)
    done = rows.map(
        Worker,
        fn_constructor_kwargs={"command": command, "source": source, "target": target, "key_file": key_file},
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    files, folder = FileSystem.from_uri(target)
    files.create_dir(folder)
    counted: Counter[str] = Counter()
    with files.open_output_stream(f"{folder}/reports.jsonl") as stream:
        for row in done.iter_rows():
            report = json.loads(row["report"])
            stream.write(row["report"].encode("ascii") + b"\n")
            verdict = (report["verification"] or {}).get("verdict", "immunized")
            counted["error" if report["error"] else verdict] += 1
    return counted


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("immunize", "verify"))
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    given = parser.parse_args()
    key = os.environ.get("IMUGE_KEY_FILE")
    counts = run(given.command, given.source, given.target, key_file=key, workers=given.workers)
    sys.stdout.write(json.dumps(counts) + "\n")
    sys.exit(2 if counts["error"] else 0)
