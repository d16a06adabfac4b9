"""`imuge demo`: the whole way, once, on a picture that comes with scikit-image."""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from imuge_cli.attacks.encoders import encode_jpeg
from imuge_cli.cli import options, pictures
from imuge_cli.cli.console import Console, configure
from imuge_cli.errors import NotImmunizedError, RecoveryError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imuge_cli.api import ImmunizeResult, Imuge, RecoverResult, VerifyResult
    from imuge_cli.image.picture import Picture
    from imuge_cli.reporting.html import Thumbnail

JPEG_QUALITY = 70
TAMPERED_SHARE = 0.1
FILES = {
    "original": "original.png",
    "immunized": "immunized.bmp",
    "suspect": "suspect.jpg",
    "truth": "truth.png",
    "mask": "mask.png",
    "heatmap": "heatmap.png",
    "recovered": "recovered.png",
    "json": "report.json",
    "html": "report.html",
}


@dataclass(frozen=True)
class Run:
    """Everything the demonstration made. truth: H x W bool, the pixels really replaced.

    recovered: None where recovery was impossible.
    """

    original: Picture
    immunized: ImmunizeResult
    suspect: Picture
    truth: NDArray[np.bool_]
    verified: VerifyResult
    recovered: RecoverResult | None


def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the pictures go.")] = Path("imuge-demo"),
    key_file: options.KeyFileOption = None,
    model: options.ModelOption = "lattice",
    strength: options.StrengthOption = options.Strength.balanced,
    device: options.DeviceOption = options.Device.auto,
    weights: options.WeightsOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same tampering.")] = 1,
    json: options.JsonOption = False,
    force: options.ForceOption = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Immunize, splice, compress (JPEG 70), verify and recover a bundled picture; print the figures."""
    console = configure(quiet=quiet, verbose=verbose)
    paths = {name: folder / file for name, file in FILES.items()}
    for path in paths.values():
        pictures.require_free(path, force=force)
    engine = options.make_engine(options.EngineSettings(key_file, model, strength.value, device.value, weights))
    run = _run(engine, paths, seed, console, force)
    figures = _figures(run)
    _write(run, figures, paths, device.value, console, force)
    if json:
        console.data(json_module.dumps(figures, allow_nan=False))
    else:
        _table(figures, folder)


def bundled_photograph() -> NDArray[np.uint8]:
    """A photograph that comes with scikit-image: 512 x 512 x 3 RGB uint8."""
    from skimage import data

    return cast("NDArray[np.uint8]", data.astronaut())  # type: ignore[no-untyped-call]


def _run(engine: Imuge, paths: dict[str, Path], seed: int, console: Console, force: bool) -> Run:
    """Every step through real files, as an owner, an attacker and a recipient would."""
    import numpy as np

    from imuge_cli.image.picture import Picture

    original = Picture(pixels=bundled_photograph())
    pictures.write(original, paths["original"], console=console, force=force)
    console.note(f"immunizing {original.width} x {original.height} pixels")
    immunized = engine.immunize(original)
    pictures.write(immunized.picture, paths["immunized"], console=console, force=force)
    console.note(f"splicing {100 * TAMPERED_SHARE:.0f} % of the area, then JPEG {JPEG_QUALITY}")
    truth = _tamper(paths, np.random.default_rng(seed), console, force)
    suspect = pictures.read(paths["suspect"])
    console.note("verifying and recovering")
    verified = engine.verify(suspect)
    try:
        recovered = engine.recover(suspect)
    except (NotImmunizedError, RecoveryError) as error:
        console.error(error, file=str(paths["suspect"]))
        recovered = None
    return Run(original, immunized, suspect, truth, verified, recovered)


def _tamper(paths: dict[str, Path], rng: np.random.Generator, console: Console, force: bool) -> NDArray[np.bool_]:
    from imuge_cli.attacks.tampers import random_tamper
    from imuge_cli.cli.attack import bundled_donor
    from imuge_cli.image.write import write_mask

    immunized = pictures.read(paths["immunized"]).as_uint8()
    tampered, truth = random_tamper(immunized, "splice", TAMPERED_SHARE, rng, bundled_donor())
    encoded = encode_jpeg(tampered, JPEG_QUALITY)
    pictures.write_bytes(encoded, paths["suspect"], console=console, force=force)
    write_mask(truth, paths["truth"], force=force)
    return truth


def _figures(run: Run) -> dict[str, Any]:
    """Plain numbers; None where there is none (a figure that is infinite or not a number included)."""
    from imuge_cli.metrics.fidelity import local_psnr, psnr, ssim
    from imuge_cli.metrics.localization import f1, iou
    from imuge_cli.reporting.schema import plain

    original, suspect = run.original.as_uint8(), run.suspect.as_uint8()
    figures: dict[str, Any] = {
        "immunized_psnr": run.immunized.psnr,
        "immunized_ssim": run.immunized.ssim,
        "verdict": run.verified.verdict,
        "tampered_share_true": float(run.truth.mean()),
        "tampered_share_found": run.verified.tampered_share,
        "mask_f1": f1(run.verified.mask, run.truth),
        "mask_iou": iou(run.verified.mask, run.truth),
        "suspect_local_psnr": local_psnr(original, suspect, run.truth),
        "seconds_immunize": run.immunized.seconds,
        "seconds_verify": run.verified.seconds,
    }
    if run.recovered is not None:
        recovered = run.recovered.picture.as_uint8()
        figures["recovered_local_psnr"] = local_psnr(original, recovered, run.truth)
        figures["recovered_psnr"] = psnr(original, recovered)
        figures["recovered_ssim"] = ssim(original, recovered)
        figures["seconds_recover"] = run.recovered.seconds
    plain_figures = plain(figures)
    assert isinstance(plain_figures, dict)
    return plain_figures


def _write(
    run: Run, figures: dict[str, Any], paths: dict[str, Path], device: str, console: Console, force: bool
) -> None:
    from imuge_cli.image.write import write_mask
    from imuge_cli.reporting import immunize_report, recover_report, sha256_of, to_json, verify_report
    from imuge_cli.reporting.html import page
    from imuge_cli.reporting.overlay import heatmap

    verified = run.verified
    write_mask(verified.mask, paths["mask"], force=force)
    overlay = heatmap(run.suspect.as_uint8(), verified.probability, verified.mask)
    pictures.write_pixels(overlay, paths["heatmap"], console=console, force=force)
    written = {name: {"picture": FILES[name]} for name in ("immunized", "recovered")}
    made = immunize_report(
        run.immunized,
        file=FILES["original"],
        requested_device=device,
        outputs=written["immunized"],
        input_sha256=sha256_of(paths["original"]),
        output_sha256={"picture": sha256_of(paths["immunized"])},
    )
    origin: dict[str, Any] = {
        "file": FILES["suspect"],
        "requested_device": device,
        "input_sha256": run.suspect.source_sha256,
    }
    told = verify_report(verified, **origin)
    reports = {"immunize": to_json(made), "verify": to_json(told)}
    if run.recovered is not None:
        pictures.write(run.recovered.picture, paths["recovered"], console=console, format="png", force=force)
        told = recover_report(
            run.recovered,
            outputs=written["recovered"],
            output_sha256={"picture": sha256_of(paths["recovered"])},
            **origin,
        )
        reports["recover"] = to_json(told)
    body = json_module.dumps({"schema": "imuge.demo/1", "figures": figures, **reports}, indent=2, allow_nan=False)
    pictures.write_bytes((body + "\n").encode("ascii"), paths["json"], console=console, force=force)
    text = page([(made, _before(run)), (told, _after(run))], title="imuge: demonstration")
    pictures.write_bytes(text.encode("utf-8"), paths["html"], console=console, force=force)


def _before(run: Run) -> list[Thumbnail]:
    from imuge_cli.reporting.html import Thumbnail

    return [
        Thumbnail.of("original", run.original.as_uint8()),
        Thumbnail.of("immunized", run.immunized.picture.as_uint8()),
    ]


def _after(run: Run) -> list[Thumbnail]:
    from imuge_cli.reporting.html import Thumbnail, suspect_thumbnails

    shown = [*suspect_thumbnails(run.suspect.as_uint8(), run.verified.probability, run.verified.mask)]
    shown.append(Thumbnail.of("the truth: what was replaced", run.truth))
    if run.recovered is not None:
        shown.append(Thumbnail.of("recovered", run.recovered.picture.as_uint8()))
    return shown


_ROWS = (
    ("immunized, PSNR", "immunized_psnr", "{:.2f} dB"),
    ("immunized, SSIM", "immunized_ssim", "{:.4f}"),
    ("verdict after splicing and JPEG 70", "verdict", "{}"),
    ("pixels replaced", "tampered_share_true", "{:.1%}"),
    ("pixels found", "tampered_share_found", "{:.1%}"),
    ("mask, F1", "mask_f1", "{:.3f}"),
    ("mask, IoU", "mask_iou", "{:.3f}"),
    ("replaced pixels before recovery, PSNR", "suspect_local_psnr", "{:.2f} dB"),
    ("replaced pixels after recovery, PSNR", "recovered_local_psnr", "{:.2f} dB"),
    ("recovered picture, PSNR", "recovered_psnr", "{:.2f} dB"),
    ("recovered picture, SSIM", "recovered_ssim", "{:.4f}"),
    ("time to immunize", "seconds_immunize", "{:.2f} s"),
    ("time to verify", "seconds_verify", "{:.2f} s"),
    ("time to recover", "seconds_recover", "{:.2f} s"),
)


def _table(figures: dict[str, Any], folder: Path) -> None:
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    table = Table(title="imuge: immunize, tamper, verify, recover", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for label, name, template in _ROWS:
        value = figures.get(name)
        table.add_row(label, "-" if value is None else template.format(value))
    rich = RichConsole()
    rich.print(table)
    rich.print(Text(f"pictures and reports in {folder}"), soft_wrap=True)
