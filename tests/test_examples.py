"""The examples, where their libraries are: each is skipped without its extra."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from photographs import photograph

from imuge_cli import Imuge, read_picture
from imuge_cli.image.picture import Picture
from imuge_cli.image.write import encode_picture, write_picture

EXAMPLES = Path(__file__).parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))


def spliced() -> bytes:
    sent = Imuge(device="cpu").immunize(Picture(pixels=photograph("astronaut", 0, 130)), image_id=5).picture
    pixels = sent.pixels.copy()
    pixels[90:150, 100:170] = photograph("coffee", 60, 200)[90:150, 100:170]
    return encode_picture(Picture(pixels=pixels), "png").data


def test_the_service_verifies_and_recovers() -> None:
    pytest.importorskip("multipart", reason="pip install 'imuge[service]'")
    pytest.importorskip("httpx", reason="pip install httpx")
    testing = pytest.importorskip("fastapi.testclient", reason="pip install 'imuge[service]'")
    import service

    client = testing.TestClient(service.app)
    suspect = spliced()
    report = client.post("/verify", files={"picture": ("s.png", suspect)}).json()
    assert report["file"] == "s.png" and report["verification"]["verdict"] == "tampered"
    answer = client.post("/recover", files={"picture": ("s.png", suspect)})
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    sent = Imuge(device="cpu").verify(read_picture(BytesIO(answer.content)))
    assert sent.verdict == "exact"
    assert client.post("/verify", files={"picture": ("s.png", b"no picture")}).status_code == 400
    plain = encode_picture(Picture(pixels=photograph("coffee", 0, 0)), "png").data
    assert client.post("/recover", files={"picture": ("p.png", plain)}).status_code == 422


@pytest.mark.slow
def test_ray_works_through_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="pip install 'imuge[ray]'")
    source = tmp_path / "in"
    for number, folder in enumerate(("a", "a", "b")):
        pixels = photograph("astronaut", 40 * number, 130)
        write_picture(Picture(pixels=pixels), source / folder / f"{number}.png")
    (source / "b" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))

    def start(*arguments: object) -> tuple[int, dict[str, int]]:
        words = [sys.executable, str(EXAMPLES / "ray_folder.py"), *map(str, arguments)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, cwd=tmp_path)
        return done.returncode, json.loads(done.stdout.splitlines()[-1])

    assert start("immunize", source, tmp_path / "out") == (2, {"immunized": 3, "error": 1})
    assert {p.name for p in (tmp_path / "out").rglob("*.png")} == {f"{n}.immunized.png" for n in range(3)}
    assert (tmp_path / "out" / "b" / "2.immunized.png").is_file()
    published = read_picture(tmp_path / "out" / "a" / "0.immunized.png")
    pixels = published.pixels.copy()
    pixels[20:60, 30:90] = 200
    write_picture(Picture(pixels=pixels), tmp_path / "out" / "a" / "0.immunized.png", force=True)
    (tmp_path / "out" / "reports.jsonl").unlink()
    assert start("verify", tmp_path / "out", tmp_path / "told") == (0, {"exact": 2, "tampered": 1})
    lines = (tmp_path / "told" / "reports.jsonl").read_text().splitlines()
    verdicts = {Path(r["file"]).name: r["verification"]["verdict"] for r in map(json.loads, lines)}
    assert verdicts["0.immunized.png"] == "tampered" and len(lines) == 3


def test_one_engine_serves_many_threads() -> None:
    """What the service relies on: the same answers, whoever asks beside it."""
    from concurrent.futures import ThreadPoolExecutor

    engine = Imuge(device="cpu")
    pictures = [Picture(pixels=photograph("astronaut", top, 100, 160, 160)) for top in (0, 60, 120, 180)]
    alone = [
        engine.immunize(picture, image_id=number, exact=False).picture.pixels for number, picture in enumerate(pictures)
    ]

    def work(number: int) -> tuple[bool, str, int | None]:
        sent = engine.immunize(pictures[number], image_id=number, exact=False).picture
        found = engine.verify(sent)
        return bool((sent.pixels == alone[number]).all()), found.verdict, found.image_id

    with ThreadPoolExecutor(4) as pool:
        for number, told in zip((0, 1, 2, 3) * 3, pool.map(work, (0, 1, 2, 3) * 3), strict=True):
            assert told == (True, "intact", number)
