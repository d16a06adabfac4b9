"""A small verification service: `pip install '.[service]'`, then `uvicorn service:app`.

    curl -F picture=@suspect.jpg http://127.0.0.1:8000/verify
    curl -F picture=@suspect.jpg http://127.0.0.1:8000/recover -o recovered.png

One engine serves all requests: it is loaded once and safe to share between threads. Whoever may ask a service with a
secret key often learns from its answers (docs/threat-model.md): put it behind a login and a limit.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, File, HTTPException, Response, UploadFile

from imuge_cli import Imuge, read_picture
from imuge_cli.errors import ImugeError, InputError
from imuge_cli.image.picture import Picture
from imuge_cli.image.write import encode_picture
from imuge_cli.keys import load_secret
from imuge_cli.reporting import to_json, verify_report

MOST_BYTES = 50_000_000
MOST_PIXELS = 50_000_000

app = FastAPI(title="imuge")
_key_file = os.environ.get("IMUGE_KEY_FILE")
engine = Imuge(key=load_secret(Path(_key_file) if _key_file else None))
Upload = Annotated[UploadFile, File()]


# Plain functions, not coroutines: FastAPI runs them in threads, and the networks let go of Python's lock.
@app.post("/verify")
def verify(picture: Upload) -> dict[str, Any]:
    """The report that `imuge verify --json` gives."""
    suspect = _read(picture)
    result = engine.verify(suspect)
    name = picture.filename or "upload"
    return to_json(verify_report(result, file=name, input_sha256=suspect.source_sha256))


@app.post("/recover")
def recover(picture: Upload) -> Response:
    """The recovered picture as PNG; 422 where nothing can be recovered."""
    suspect = _read(picture)
    try:
        recovered = engine.recover(suspect).picture
    except ImugeError as error:
        raise HTTPException(422, str(error)) from error
    return Response(encode_picture(recovered, "png").data, media_type="image/png")


def _read(upload: UploadFile) -> Picture:
    content = upload.file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise HTTPException(413, f"more than {MOST_BYTES:,} bytes")
    try:
        return read_picture(BytesIO(content), max_pixels=MOST_PIXELS)
    except InputError as error:
        raise HTTPException(400, str(error)) from error
