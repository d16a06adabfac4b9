"""The HTML report as a reader sees it: opened in Chromium, with and without scripts, in light and in dark.

Needs `pip install 'imuge[browser]'` and a Chromium, which IMUGE_CHROMIUM or the search path names.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from photographs import photograph
from PIL import Image
from reporting_results import part, picture, verify_result

from imuge_cli.reporting import error_report, recover_report, verify_report
from imuge_cli.reporting.html import PageWriter, Thumbnail, suspect_thumbnails

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is missing: pip install 'imuge[browser]'")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("IMUGE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install one, or name it in IMUGE_CHROMIUM")

# Nothing of its own may go out; Chromium refuses to run as root inside its sandbox.
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
ROOT = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []

Opener = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`one.html`: a recovered file. `many.html`: several files, one of which failed."""
    made = tmp_path_factory.mktemp("pages")
    suspect = photograph("astronaut", 0, 0, 400, 480).copy()
    recovered = suspect.copy()
    suspect[50:150, 100:300] = (20, 160, 40)
    mask = np.zeros((400, 480), bool)
    mask[50:150, 100:300] = True
    regions = (part(top=50, left=100, bottom=150, right=300, pixels=20_000, confidence=0.97, foreign=False),)
    found = verify_result(mask=mask, probability=mask * np.float32(0.97), regions=regions)
    pictures = suspect_thumbnails(suspect, found.probability, mask)
    whole = part(
        picture=picture(400, 480), verification=found, restored_share=0.1, proven=None, seconds=2.5, reframed=False
    )
    after = (*pictures, Thumbnail.of("recovered", recovered))
    written = {"picture": "suspect.recovered.bmp"}
    told = recover_report(
        whole, file="suspect.jpg", outputs=written, input_sha256="12" * 32, output_sha256={"picture": "ab" * 32}
    )
    with PageWriter(made / "one.html", title="imuge: recovered pictures") as writer:
        writer.add(told, after)
    with PageWriter(made / "many.html", title="imuge: verified pictures") as writer:
        writer.add(told, after)
        writer.add(error_report("verify", file="broken.png", exit_code=2, error=ValueError("damaged")))
        for number in range(3):
            writer.add(verify_report(found, file=f"incoming/a-rather-long-name-{number}.jpg"), pictures)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *ROOT])
        yield launched
        launched.close()


@pytest.fixture
def opened(browser: Any, folder: Path) -> Iterator[Opener]:
    """Opens a page of `folder`, by its name or address; what goes wrong inside it is a failure."""
    contexts, faults = [], []

    def open_page(name: str, *, width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.goto(name if "://" in name else (folder / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a server for `folder`, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_: object) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def screenshot(page: Any, **options: Any) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(page.screenshot(**options))).convert("RGB"))


def divider(page: Any) -> float:
    """Where the suspect ends, as a share of the picture's width; measured in the picture itself.

    The suspect is green in its region, and what was recovered is not.
    """
    shown = screenshot(page.locator(".panes")).astype(int)
    height, width = shown.shape[:2]
    row = shown[height * 100 // 400]
    green = np.flatnonzero(np.abs(row - (20, 160, 40)).max(axis=1) < 40)
    inside = green[(green > width * 110 // 480) & (green < width * 290 // 480)]
    return float((inside.max() + 1) / width) if inside.size else 0.0


def move(page: Any, share: float) -> None:
    """Drags the divider by mouse from where it is to a share of the width."""
    box = page.locator(".panes").bounding_box()
    now = float(page.locator(".compare input[type=range]").input_value()) / 100
    across, level = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(across + now * box["width"], level)
    page.mouse.down()
    page.mouse.move(across + share * box["width"], level, steps=5)
    page.mouse.up()


def test_the_mouse_moves_the_divider(opened: Opener) -> None:
    page = opened("one.html")
    page.locator(".toggle input").uncheck()
    assert divider(page) == pytest.approx(0.5, abs=0.02)
    for share in (0.3, 0.55, 0.4):
        move(page, share)
        assert divider(page) == pytest.approx(share, abs=0.02)
    box = page.locator(".panes").bounding_box()
    page.mouse.click(box["x"] + 0.35 * box["width"], box["y"] + 40)  # the pictures need not be dragged
    assert divider(page) == pytest.approx(0.35, abs=0.02)
    move(page, 0)
    assert divider(page) == 0
    move(page, 1)
    assert page.locator(".compare input[type=range]").input_value() == "100"


def test_the_keyboard_moves_the_divider(opened: Opener) -> None:
    page = opened("one.html")
    slider = page.get_by_role("slider", name="suspect against recovered: how much of the suspect is shown")
    page.keyboard.press("Tab")
    assert slider.evaluate("element => element === document.activeElement")
    outline = page.locator(".panes").evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline == "solid"  # one sees where the keyboard is
    page.locator(".toggle input").evaluate("element => element.click()")  # leaves it there
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    assert slider.input_value() == "40" and divider(page) == pytest.approx(0.4, abs=0.02)
    page.keyboard.press("Home")
    assert slider.input_value() == "0" and divider(page) == 0
    page.keyboard.press("End")
    assert slider.input_value() == "100"


def test_a_finger_moves_the_divider(opened: Opener) -> None:
    page = opened("one.html", width=400, has_touch=True, is_mobile=True)
    page.locator(".toggle input").uncheck()
    box = page.locator(".panes").bounding_box()
    page.touchscreen.tap(box["x"] + 0.35 * box["width"], box["y"] + box["height"] / 2)
    assert divider(page) == pytest.approx(0.35, abs=0.03)


def test_a_region_is_shown_where_it_lies(opened: Opener) -> None:
    page = opened("one.html")
    frame = page.locator(".before .frame").bounding_box()
    drawn = page.locator("#region-1-1 .box").bounding_box()
    for edge, wanted in (("x", 100 / 480), ("y", 50 / 400)):
        side = {"x": "width", "y": "height"}[edge]
        assert (drawn[edge] - frame[edge]) / frame[side] == pytest.approx(wanted, abs=0.01)
    assert drawn["width"] / frame["width"] == pytest.approx(200 / 480, abs=0.02)
    fill = "element => getComputedStyle(element).fill"
    assert page.locator("#region-1-1 .box").evaluate(fill) == "none"
    page.locator(".regions tbody tr").hover()
    assert page.locator("#region-1-1 .box").evaluate(fill) != "none"
    page.mouse.move(0, 0)
    assert page.locator("#region-1-1 .box").evaluate(fill) == "none"
    page.get_by_role("link", name="Region 1").click()
    page.mouse.move(0, 0)
    assert page.locator("#region-1-1 .box").evaluate(fill) != "none"
    assert page.locator(".compare input[type=range]").input_value() == "100"  # no part of it is covered
    page.locator(".toggle input").uncheck()
    assert not page.locator("#region-1-1 .box").is_visible()


def test_nothing_is_asked_for_but_the_page(opened: Opener, served: tuple[str, list[str]], browser: Any) -> None:
    address, asked = served
    wanted: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    protocol = context.new_cdp_session(page)
    protocol.send("Network.enable")
    protocol.on("Network.requestWillBeSent", lambda event: wanted.append(event["request"]["url"]))
    page.goto(f"{address}/many.html")
    page.locator(".compare input[type=range]").press("ArrowLeft")
    page.locator(".sheet a").last.click()
    page.wait_for_load_state("networkidle")
    context.close()
    assert [url for url in wanted if not url.startswith("data:")] == [f"{address}/many.html"]
    assert asked == ["/many.html"]


SMUGGLED = """async (address) => {
    const blocked = new Promise((done) => addEventListener("securitypolicyviolation", (event) => done(event)));
    %s
    const event = await Promise.race([blocked, new Promise((done) => setTimeout(done, 5000))]);
    return event ? event.effectiveDirective : "let through";
}"""


@pytest.mark.parametrize(
    ("smuggle", "rule"),
    [
        ('document.body.append(Object.assign(new Image(), {src: address + "/x.png"}));', "img-src"),
        ('fetch(address + "/x").catch(() => {});', "connect-src"),
        ('document.body.append(Object.assign(document.createElement("script"), {src: address + "/x.js"}));', "script"),
        ('document.body.append(Object.assign(document.createElement("script"), {text: "window.ran = 1"}));', "script"),
        ('document.body.append(Object.assign(document.createElement("iframe"), {src: address + "/x"}));', "frame-src"),
        ('const form = document.createElement("form"); form.action = address; document.body.append(form);'
         " form.submit();", "form-action"),
    ],
)  # fmt: skip
def test_the_policy_blocks_what_does_not_belong(
    browser: Any, served: tuple[str, list[str]], smuggle: str, rule: str
) -> None:
    """Even if a file's name or a message could break out of its place, it could load and run nothing."""
    address, asked = served
    page = browser.new_page()
    page.goto(f"{address}/one.html")
    assert page.evaluate(SMUGGLED % smuggle, address).startswith(rule)
    assert page.evaluate("window.ran") is None
    page.close()
    assert asked == ["/one.html"]


@pytest.mark.parametrize("name", ["one.html", "many.html"])
def test_without_scripts_both_pictures_stand_side_by_side(opened: Opener, name: str) -> None:
    page = opened(name, java_script_enabled=False)
    images = page.locator("img")
    assert images.count() == {"one.html": 4, "many.html": 4 + 3 * 3 + 4}[name]
    for number in range(images.count()):
        image = images.nth(number)
        image.scroll_into_view_if_needed()
        assert image.is_visible() and min(image.bounding_box()[side] for side in ("width", "height")) > 40
        assert np.ptp(screenshot(image)) > 100
    before, after = (page.locator(f".{which} img").bounding_box() for which in ("before", "after"))
    assert before["x"] + before["width"] <= after["x"] and before["y"] == after["y"]
    assert not page.locator("input[type=range]").is_visible()


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", ["one.html", "many.html"])
def test_light_and_dark(opened: Opener, tmp_path: Path, name: str, width: int) -> None:
    shots = {}
    for scheme in ("light", "dark"):
        page = opened(name, width=width, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") == width  # nothing has to be scrolled sideways
        shots[scheme] = screenshot(page, full_page=True, path=tmp_path / f"{scheme}.png")
        assert shots[scheme].shape[1] == width and np.ptp(shots[scheme]) > 200
        assert len(np.unique(shots[scheme][::2, ::2].astype(int) @ [65536, 256, 1])) > 5000  # photographs
    corner = {scheme: int(shot[:10, :10].mean()) for scheme, shot in shots.items()}
    assert corner["light"] > 240 and corner["dark"] < 40
    dim = {scheme: float((shot.mean(axis=2) < 128).mean()) for scheme, shot in shots.items()}
    assert dim["light"] < 0.5 < dim["dark"]


def test_on_paper_both_pictures_stand_side_by_side_in_black_on_white(opened: Opener) -> None:
    page = opened("one.html", width=720, color_scheme="dark")
    page.emulate_media(media="print")
    before, after = (page.locator(f".{which} img").bounding_box() for which in ("before", "after"))
    assert before["x"] + before["width"] <= after["x"] and before["width"] > 200
    assert page.locator(".before").evaluate("element => getComputedStyle(element).clipPath") == "none"
    assert not page.locator("input[type=range]").is_visible() and not page.locator(".toggle").is_visible()
    body = page.locator("body")
    assert body.evaluate("element => getComputedStyle(element).backgroundColor") == "rgb(255, 255, 255)"
    assert body.evaluate("element => getComputedStyle(element).color") == "rgb(27, 27, 31)"
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_the_contact_sheet_leads_to_every_file(opened: Opener) -> None:
    page = opened("many.html")
    cells = page.locator(".sheet li")
    assert cells.count() == 5
    for number in range(5):
        page.evaluate("scrollTo(0, 0)")
        cells.nth(number).locator("a").click()
        title = page.locator("section h2").nth(number).bounding_box()
        assert 0 <= title["y"] < 900
