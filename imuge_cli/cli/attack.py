"""`imuge attack`: tampers with a picture and post-processes it, with the truth beside it."""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from imuge_cli.attacks.encoders import encode_jpeg, encode_webp
from imuge_cli.cli import options, pictures
from imuge_cli.cli.console import Console, configure
from imuge_cli.errors import OutputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from imuge_cli.attacks.chain import Attack, Chain

_PLAIN_JPEG_QUALITY = 95
_BENIGN = "Post-processing (in this order; --chain comes last)"


@dataclass(frozen=True)
class Tampering:
    """What is done to the content. kind None: nothing. share: of the area. donor: for splice and paste."""

    kind: str | None
    share: float
    shape: str | None
    donor: Path | None


def attack(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Picture; '-' is stdin.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Written in the format of its name; '-' is stdout (PNG).")],
    tamper: Annotated[
        str | None,
        typer.Option("--tamper", help="splice, paste, clone, inpaint, colour, brush or text. Default: none."),
    ] = None,
    share: Annotated[float, typer.Option("--share", min=0.001, max=1.0, help="Tampered share of the area.")] = 0.1,
    mask_shape: Annotated[
        str | None,
        typer.Option("--mask-shape", help="box, ellipse, brush, object, text or any. Default: what suits the kind."),
    ] = None,
    donor: Annotated[
        Path | None,
        typer.Option("--donor", help="Picture that splice and paste take from. Default: a bundled one."),
    ] = None,
    crop: Annotated[
        float | None, typer.Option("--crop", help="Keep this share of the area.", rich_help_panel=_BENIGN)
    ] = None,
    scale: Annotated[
        float | None, typer.Option("--scale", help="Resize by this factor.", rich_help_panel=_BENIGN)
    ] = None,
    scale_back: Annotated[
        float | None,
        typer.Option("--scale-back", help="Resize by this factor, and back.", rich_help_panel=_BENIGN),
    ] = None,
    rotate: Annotated[
        float | None,
        typer.Option(
            "--rotate", help="Turn to the left by so many degrees, and cut the corners off.", rich_help_panel=_BENIGN
        ),
    ] = None,
    blur: Annotated[
        int | None,
        typer.Option("--blur", help="Gaussian blur, kernel in pixels (odd).", rich_help_panel=_BENIGN),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option("--noise", help="Gaussian noise, sigma in grey levels.", rich_help_panel=_BENIGN),
    ] = None,
    webp: Annotated[
        int | None,
        typer.Option("--webp", help="Compress as WebP of this quality.", rich_help_panel=_BENIGN),
    ] = None,
    jpeg: Annotated[
        int | None,
        typer.Option("--jpeg", help="Compress as JPEG of this quality.", rich_help_panel=_BENIGN),
    ] = None,
    chain: Annotated[
        str | None,
        typer.Option("--chain", help="Attacks in any order, e.g. 'jpeg:80+crop:0.7'.", rich_help_panel=_BENIGN),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same tampering.")] = 0,
    mask_out: Annotated[
        Path | None,
        typer.Option("--mask-out", help="Where the true mask goes. Default: <stem of OUT>.truth.png."),
    ] = None,
    json: options.JsonOption = False,
    force: options.ForceOption = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = False,
) -> None:
    """Tamper with a picture and post-process it, and write the true mask: for trying things out."""
    console = configure(quiet=quiet, verbose=verbose)
    strengths = {
        "crop": crop,
        "scale": scale,
        "scale-back": scale_back,
        "rotate": rotate,
        "blur": blur,
        "noise": noise,
        "webp": webp,
        "jpeg": jpeg,
    }
    steps = _chain(strengths, chain)
    truth_path = _truth_path(out, mask_out)
    _check(source, out, truth_path, tamper, json, force)
    tampering = Tampering(tamper, share, mask_shape, donor)
    image, truth = _attack(pictures.read(source).as_uint8(), tampering, steps, out, seed, console, force)
    if truth_path is not None:
        from imuge_cli.image.write import write_mask

        write_mask(truth, truth_path, force=force)
    summary = {
        "command": "attack",
        "file": str(source),
        "output": str(out),
        "truth": str(truth_path) if truth_path else None,
        "tamper": tamper,
        "chain": str(steps),
        "tampered_share": float(truth.mean()),
        "height": int(image.shape[0]),
        "width": int(image.shape[1]),
        "seed": seed,
    }
    _tell(summary, console, json=json, to_stdout=out == pictures.STDIO)


def _chain(strengths: dict[str, float | None], text: str | None) -> Chain:
    """The options' attacks in their fixed order, then the chain's."""
    from imuge_cli.attacks.chain import Chain, parse

    single = "+".join(f"{name}:{strength}" for name, strength in strengths.items() if strength is not None)
    return Chain(parse(single).attacks + parse(text or "").attacks)


def _truth_path(out: Path, mask_out: Path | None) -> Path | None:
    if mask_out is not None:
        return mask_out
    return None if out == pictures.STDIO else out.with_name(f"{out.stem}.truth.png")


def _check(source: Path, out: Path, truth: Path | None, tamper: str | None, json: bool, force: bool) -> None:
    """Everything that can be known to fail before any work."""
    from imuge_cli.attacks.tampers import TAMPERS
    from imuge_cli.image.write import format_of

    if tamper is not None and tamper not in TAMPERS:
        raise UsageError(f"--tamper {tamper}: no such kind; use one of {', '.join(TAMPERS)}")
    if json and out == pictures.STDIO:
        raise UsageError("--json: stdout cannot hold both the picture and the JSON; name a file for OUT")
    if out != pictures.STDIO:
        format_of(out)
    files = [path for path in (source, out, truth) if path is not None and path != pictures.STDIO]
    resolved = [path.resolve() for path in files]
    if len(set(resolved)) < len(resolved):
        raise OutputError(f"{out}: IN, OUT and the mask must be three different files; name another one")
    for path in (out, truth):
        if path is not None:
            pictures.require_free(path, force=force)


def _attack(
    image: NDArray[np.uint8],
    tampering: Tampering,
    steps: Chain,
    out: Path,
    seed: int,
    console: Console,
    force: bool,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Tamper, post-process, write OUT; returns what OUT shows (but for the codec), and the truth."""
    import numpy as np

    from imuge_cli.attacks.benign import apply
    from imuge_cli.attacks.chain import Chain

    rng = np.random.default_rng(seed)
    image, truth = _tamper(image, tampering, rng)
    last = _written_by_the_codec(steps, out)
    attacked = apply(Chain(steps.attacks[:-1]) if last else steps, image, rng)
    _write(attacked.image, out, last, console, force)
    return attacked.image, attacked.follow(truth)


def _tamper(
    image: NDArray[np.uint8], tampering: Tampering, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    import numpy as np

    from imuge_cli.attacks.masks import random_mask
    from imuge_cli.attacks.tampers import NEEDS_DONOR, apply_tamper, random_tamper

    if tampering.kind is None:
        return image, np.zeros(image.shape[:2], dtype=bool)
    donor = None
    if tampering.kind in NEEDS_DONOR:
        donor = pictures.read(tampering.donor).as_uint8() if tampering.donor else bundled_donor()
    if tampering.shape is None:
        return random_tamper(image, tampering.kind, tampering.share, rng, donor)
    mask = random_mask(image.shape[0], image.shape[1], tampering.share, rng, tampering.shape)
    return apply_tamper(image, tampering.kind, mask, rng, donor)


def bundled_donor() -> NDArray[np.uint8]:
    """A photograph that comes with scikit-image: H x W x 3 RGB uint8."""
    from skimage import data

    return cast("NDArray[np.uint8]", data.coffee())  # type: ignore[no-untyped-call]


def _written_by_the_codec(steps: Chain, out: Path) -> Attack | None:
    """The chain's last attack, if writing OUT is that very attack: nothing is compressed twice."""
    from imuge_cli.image.write import format_of

    if not steps.attacks or out == pictures.STDIO:
        return None
    last = steps.attacks[-1]
    return last if last.name in ("jpeg", "webp") and last.name == format_of(out) else None


def _write(image: NDArray[np.uint8], out: Path, last: Attack | None, console: Console, force: bool) -> None:
    from imuge_cli.image.write import format_of

    if last is not None and last.name == "webp":
        pictures.write_bytes(encode_webp(image, int(last.strength)), out, console=console, force=force)
    elif out != pictures.STDIO and format_of(out) == "jpeg":
        quality = int(last.strength) if last else _PLAIN_JPEG_QUALITY
        pictures.write_bytes(encode_jpeg(image, quality), out, console=console, force=force)
    else:
        pictures.write_pixels(image, out, console=console, force=force)


def _tell(summary: dict[str, Any], console: Console, *, json: bool, to_stdout: bool) -> None:
    if json:
        console.data(json_module.dumps({"schema": "imuge.attack/1", **summary}, allow_nan=False))
        return
    share = f"{100 * summary['tampered_share']:.1f} % of the pixels"
    done = f"{summary['tamper']} on {share}" if summary["tamper"] else "not tampered"
    text = f"{summary['file']}: {done}, {summary['chain']} -> {summary['output']}"
    if summary["truth"]:
        text += f" (true mask: {summary['truth']})"
    (console.note if to_stdout else console.data)(text)
