"""Makes the pictures of docs/how-it-works.md, and prints the figures that the page quotes.

    python docs/make_figures.py            # into docs/figures/, where it overwrites what it wrote before
    python docs/make_figures.py FOLDER

Two photographs that come with scikit-image, the published key and the bundled weights. The same machine makes the same
files every time; other processors and other versions of the libraries may differ in the last digit of a pixel. To be
run again, and looked at, whenever the format or the weights change. About ten seconds on two CPU cores.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from skimage.transform import resize

from imuge_cli import Imuge, Picture, RecoverResult, VerifyResult, read_picture
from imuge_cli.metrics.fidelity import local_psnr, psnr
from imuge_cli.metrics.localization import f1
from imuge_cli.reporting.overlay import heatmap

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

FOLDER = Path(__file__).resolve().parent / "figures"
IMAGE_ID = 1
# The face, rows and columns of the centre and half axes; and what of the other photograph is put there.
CENTRE, AXES = (112, 222), (82, 62)
DONOR = (slice(0, 300), slice(122, 349))
JPEG_QUALITY = 70
AMPLIFIED = 20
# What is shown pixel for pixel.
DETAIL = (slice(0, 300), slice(80, 380))
FACE = (slice(12, 212), slice(122, 322))


def tampered(picture: Pixels) -> tuple[Pixels, Mask]:
    """The picture with another face in it, and which pixels were replaced."""
    (row, column), (down, across) = CENTRE, AXES
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    mask = ((y - row) / down) ** 2 + ((x - column) / across) ** 2 < 1
    donor = resize(data.chelsea()[DONOR], (2 * down, 2 * across), anti_aliasing=True)  # type: ignore[no-untyped-call]
    other = picture.copy()
    other[row - down : row + down, column - across : column + across] = np.rint(donor * 255)
    return np.where(mask[..., None], other, picture), mask


def beside(*pictures: Pixels) -> Pixels:
    """Pictures of one size in a row, with white gaps."""
    gap = np.full((pictures[0].shape[0], 8, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)][:-1]
    return np.concatenate(parts, 1)


def difference(first: Pixels, second: Pixels) -> Pixels:
    """How two pictures differ, amplified, around medium grey."""
    return np.clip(128 + AMPLIFIED * (second.astype(int) - first), 0, 255).astype(np.uint8)


def save(pixels: Pixels, path: Path, quality: int = 85) -> None:
    """JPEG with full colour resolution, or PNG by the name."""
    options = {"quality": quality, "subsampling": 0, "optimize": True} if path.suffix == ".jpg" else {"optimize": True}
    Image.fromarray(pixels).save(path, **options)


def lattice(folder: Path) -> None:
    """Immunize, tamper, recompress, verify, recover, by the lattice alone: all pictures come from here."""
    engine, original = Imuge(device="cpu", exact=False), data.astronaut()  # type: ignore[no-untyped-call]
    sent = engine.immunize(Picture(pixels=original), image_id=IMAGE_ID)
    immunized = sent.picture.as_uint8()
    forged, truth = tampered(immunized)
    # As somebody would publish it: the usual halved colour resolution.
    Image.fromarray(forged).save(folder / "suspect.jpg", quality=JPEG_QUALITY)
    suspect = read_picture(folder / "suspect.jpg")
    found = engine.verify(suspect)
    healed = engine.recover(suspect, verification=found)
    parts = (original[DETAIL], immunized[DETAIL], difference(original, immunized)[DETAIL])
    save(beside(*parts), folder / "immunized.jpg", 92)
    save((found.mask * 255).astype(np.uint8), folder / "mask.png")
    save(heatmap(suspect.as_uint8(), found.probability, found.mask), folder / "heatmap.jpg", 80)
    recovered = healed.picture.as_uint8()
    save(recovered, folder / "recovered.jpg")
    shown = [picture[FACE] for picture in (original, suspect.as_uint8(), recovered)]
    save(beside(*shown), folder / "face.jpg", 90)
    _tell(f"immunized: PSNR {sent.psnr:.2f} dB, SSIM {sent.ssim:.4f}; weights {(sent.weights_sha256 or '')[:8]}")
    _tell_findings(f"JPEG {JPEG_QUALITY}", original, suspect.as_uint8(), truth, found, healed)


def exact() -> None:
    """The same tampering in a file that is not recompressed. No pictures: its last digits differ from run to run."""
    engine, original = Imuge(device="cpu"), data.astronaut()  # type: ignore[no-untyped-call]
    published = engine.immunize(Picture(pixels=original), image_id=IMAGE_ID).picture
    forged, truth = tampered(published.as_uint8())
    suspect = Picture(pixels=forged)
    found = engine.verify(suspect)
    healed = engine.recover(suspect, verification=found)
    same = np.array_equal(healed.picture.as_uint8(), published.as_uint8())
    _tell(f"published file: verdict {engine.verify(published).verdict}; suspect's tiles: {found.tiles}")
    _tell(f"mask equal to what differs: {np.array_equal(found.mask, (forged != published.as_uint8()).any(2))}")
    _tell(f"recovered equal to the published file: {same}")
    _tell_findings("not recompressed", original, forged, truth, found, healed)


def _tell_findings(
    name: str, original: Pixels, suspect: Pixels, truth: Mask, found: VerifyResult, healed: RecoverResult
) -> None:
    recovered = healed.picture.as_uint8()
    before, after = (local_psnr(original, picture, truth) for picture in (suspect, recovered))
    _tell(f"{name}: verdict {found.verdict}, layer {found.layer}, image id {found.image_id}")
    shares = 100 * truth.mean(), 100 * found.tampered_share
    _tell(f"  replaced {shares[0]:.2f} %, found {shares[1]:.2f} %, F1 {f1(found.mask, truth):.3f}")
    _tell(f"  PSNR of the replaced pixels {before:.2f} -> {after:.2f} dB, of all {psnr(original, recovered):.2f} dB")


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description="Make the pictures of docs/how-it-works.md.")
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where they go (default: docs/figures)")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    lattice(folder)
    exact()
    for path in sorted(folder.iterdir()):
        _tell(f"{path.stat().st_size:7d} {path.name}")


if __name__ == "__main__":
    main()
