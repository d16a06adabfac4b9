"""The exact layer through the library: verdicts, repair, and where the lattice takes over."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from photographs import photograph

from imuge_cli.api import ImmunizeResult, Imuge
from imuge_cli.attacks.benign import apply
from imuge_cli.attacks.chain import parse
from imuge_cli.errors import UsageError
from imuge_cli.image.picture import Picture
from imuge_cli.image.write import write_picture
from imuge_cli.metrics.fidelity import local_psnr, psnr


@pytest.fixture(scope="module")
def engine() -> Imuge:
    return Imuge(device="cpu")


@pytest.fixture(scope="module")
def sent(engine: Imuge) -> ImmunizeResult:
    return engine.immunize(Picture(pixels=photograph("astronaut", 0, 128, 256, 256)), image_id=4321)


def spliced(sent: ImmunizeResult, rows: slice, columns: slice) -> Picture:
    pixels = sent.picture.pixels.copy()
    pixels[rows, columns] = photograph("coffee", 60, 200, 256, 256)[rows, columns]
    return Picture(pixels=pixels)


def test_an_untouched_file_is_exact_and_needs_no_network(sent: ImmunizeResult) -> None:
    assert sent.exact
    engine = Imuge(device="cpu")
    result = engine.verify(sent.picture)
    assert (result.verdict, result.layer, result.exit_code, result.image_id) == ("exact", "exact", 0, 4321)
    assert not result.mask.any() and result.tiles is not None and result.tiles.intact == result.tiles.total == 256
    recovered = engine.recover(sent.picture, verification=result)
    assert np.array_equal(recovered.picture.pixels, sent.picture.pixels) and recovered.restored_share == 0
    assert result.weights_sha256 is None  # nothing was loaded


def test_verifying_an_exact_file_imports_no_torch(sent: ImmunizeResult, tmp_path: Path) -> None:
    write_picture(sent.picture, tmp_path / "sent.png")
    program = (
        "import sys; from imuge_cli import Imuge, read_picture;"
        "print(Imuge().verify(read_picture('sent.png')).verdict, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["exact", "False"]


def test_a_small_splice_is_found_to_the_pixel_and_undone_to_the_bit(engine: Imuge, sent: ImmunizeResult) -> None:
    suspect = spliced(sent, slice(100, 130), slice(60, 95))
    result = engine.verify(suspect)
    assert (result.verdict, result.layer, result.exit_code) == ("tampered", "exact", 1)
    assert np.array_equal(result.mask, (suspect.pixels != sent.picture.pixels).any(2))
    recovered = engine.recover(suspect)
    assert np.array_equal(recovered.picture.pixels, sent.picture.pixels)
    assert recovered.proven is not None and (recovered.proven >= result.mask).all()
    assert recovered.verification.tiles is not None and recovered.verification.tiles.proven == 9
    assert np.array_equal(recovered.mask, tiles_of(result.mask))
    assert recovered.restored_share == pytest.approx(recovered.mask.mean())


def test_a_large_splice_comes_back_nearly_and_says_how_nearly(engine: Imuge, sent: ImmunizeResult) -> None:
    suspect = spliced(sent, slice(0, 128), slice(0, 256))
    result = engine.verify(suspect)
    truth = (suspect.pixels != sent.picture.pixels).any(2)
    assert result.tiles is not None and result.tiles.lost == result.tiles.proven == 0
    assert 2 * (result.mask & truth).sum() / (result.mask.sum() + truth.sum()) > 0.98
    recovered = engine.recover(suspect)
    quality = local_psnr(sent.picture.as_uint8(), recovered.picture.as_uint8(), truth)
    assert quality > result.tiles.quality_coarse - 1 > 26
    assert recovered.proven is not None and not recovered.proven.any()


def test_what_no_layer_reaches_comes_from_the_lattice(engine: Imuge, sent: ImmunizeResult) -> None:
    suspect = spliced(sent, slice(0, 180), slice(0, 256))
    result = engine.verify(suspect)
    assert result.layer == "exact" and result.tiles is not None and result.tiles.lost > 100
    recovered = engine.recover(suspect)
    assert recovered.information is not None
    top = np.zeros(result.mask.shape, bool)
    top[:180] = True
    before, after = (local_psnr(sent.picture.as_uint8(), p.as_uint8(), top) for p in (suspect, recovered.picture))
    assert after > before + 3
    assert np.array_equal(recovered.picture.pixels[192:], sent.picture.pixels[192:])


@pytest.mark.parametrize("attack", ["jpeg:90", "blur:3"])
def test_after_any_lossy_step_the_lattice_answers(engine: Imuge, sent: ImmunizeResult, attack: str) -> None:
    suspect = spliced(sent, slice(100, 150), slice(60, 120))
    pixels = apply(parse(attack), suspect.as_uint8(), np.random.default_rng(0)).image
    result = engine.verify(Picture(pixels=pixels))
    assert (result.verdict, result.layer, result.tiles, result.image_id) == ("tampered", "lattice", None, 4321)
    untouched = apply(parse(attack), sent.picture.as_uint8(), np.random.default_rng(0)).image
    assert engine.verify(Picture(pixels=untouched)).verdict == "intact"


def test_a_crop_keeps_its_exact_layer(engine: Imuge, sent: ImmunizeResult) -> None:
    crop = np.ascontiguousarray(sent.picture.pixels[21:240, 9:])
    result = engine.verify(Picture(pixels=crop))
    assert (result.verdict, result.layer) == ("intact", "exact")
    assert result.synchronisation is not None
    assert (result.synchronisation.offset_rows, result.synchronisation.offset_cols) == (21, 9)
    crop[60:80, 100:130] = 0
    result = engine.verify(Picture(pixels=crop))
    assert result.verdict == "tampered" and result.mask[60:80, 100:130].mean() > 0.99
    whole = engine.recover(Picture(pixels=crop), restore_canvas=True)
    assert whole.picture.pixels.shape == sent.picture.pixels.shape
    assert psnr(sent.picture.as_uint8(), whole.picture.as_uint8()) > 34
    assert whole.mask.shape == crop.shape[:2]
    shown = whole.picture.pixels[21:240, 9:]
    assert np.array_equal(shown[~whole.mask], crop[~whole.mask]) and (shown[whole.mask] != crop[whole.mask]).any()
    part = engine.recover(Picture(pixels=crop))
    assert part.picture.pixels.shape == crop.shape
    kept = ~result.mask
    kept[50:100, 90:140] = False
    assert np.array_equal(part.picture.pixels[kept], crop[kept])
    assert np.array_equal(part.picture.pixels[~part.mask], crop[~part.mask]) and not (result.mask & ~part.mask).any()


@pytest.mark.parametrize("kind", ["grey", "deep", "alpha", "odd"])
def test_every_kind_of_picture(engine: Imuge, kind: str) -> None:
    pixels = photograph("astronaut", 0, 128, 192, 192)
    picture = Picture(pixels=pixels)
    if kind == "grey":
        picture = Picture(pixels=np.repeat(pixels[..., 1:2], 3, 2), grey=True)
    elif kind == "deep":
        picture = Picture(pixels=pixels.astype(np.uint16) * 257)
    elif kind == "alpha":
        picture = Picture(pixels=pixels, alpha=np.linspace(0, 255, 192 * 192).reshape(192, 192).astype(np.uint8))
    else:
        picture = Picture(pixels=np.ascontiguousarray(pixels[:187, :141]))
    published = engine.immunize(picture).picture
    assert engine.verify(published).verdict == "exact"
    changed = published.pixels.copy()
    changed[90:100, 70:80] = changed[10:20, 10:20]
    suspect = published.with_pixels(changed)
    result = engine.verify(suspect)
    assert (result.verdict, result.layer) == ("tampered", "exact")
    recovered = engine.recover(suspect).picture
    if kind == "alpha":
        # Rows 96 to 99 held the seal of their tile, and what alpha was nothing else proves: no new one is made.
        differs = (recovered.pixels != published.pixels).any(2)
        assert differs[96:100, 70:80].any() and differs.sum() == differs[96:100, 70:80].sum()
        assert engine.verify(recovered).verdict == "tampered"
        changed[96:100] = published.pixels[96:100]
        recovered = engine.recover(published.with_pixels(changed)).picture
    assert np.array_equal(recovered.pixels, published.pixels)


def test_grey_saved_as_colour_is_still_exact(engine: Imuge) -> None:
    pixels = np.repeat(photograph("astronaut", 0, 128, 160, 160)[..., 1:2], 3, 2)
    published = engine.immunize(Picture(pixels=pixels, grey=True)).picture
    assert engine.verify(Picture(pixels=published.pixels)).verdict == "exact"


def tiles_of(changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The tiles of 16 x 16 pixels that hold a changed pixel, all of each."""
    rows, columns = changed.shape[0] // 16, changed.shape[1] // 16
    return changed.reshape(rows, 16, columns, 16).any((1, 3)).repeat(16, 0).repeat(16, 1)


def screen_around(picture: Picture, top: int, left: int, height: int, width: int) -> Picture:
    screen = np.full((height, width, 3), (236, 237, 240), np.uint8)
    screen[top - 30 : top - 8, left : left + 150 : 3] = 20  # something like a title
    screen[top : top + picture.height, left : left + picture.width] = picture.pixels
    return Picture(pixels=screen)


def test_inside_a_frame_that_is_not_recompressed_the_exact_layer_answers(engine: Imuge, sent: ImmunizeResult) -> None:
    suspect = screen_around(spliced(sent, slice(100, 130), slice(60, 95)), 61, 103, 400, 480)
    found = engine.verify(suspect)
    assert (found.verdict, found.layer, found.image_id) == ("tampered", "exact", 4321)
    window = slice(61, 61 + 256), slice(103, 103 + 256)
    assert found.foreign is not None and not found.foreign[window].any() and found.foreign.sum() == 400 * 480 - 256**2
    changed = (suspect.pixels[window] != sent.picture.pixels).any(2)
    assert np.array_equal(found.mask[window], changed) and found.mask.sum() == found.foreign.sum() + changed.sum()
    assert found.regions[0].top == 61 + 100 and found.regions[-1].foreign
    done = engine.recover(suspect, verification=found)
    assert np.array_equal(done.picture.pixels[window], sent.picture.pixels)
    assert np.array_equal(done.picture.pixels[found.foreign], suspect.pixels[found.foreign])
    assert done.proven is not None and done.proven[window].any() and not done.proven[found.foreign].any()
    # A tile that comes back bit for bit is put back whole.
    assert np.array_equal(done.mask[window], tiles_of(changed)) and not done.mask[found.foreign].any()
    whole = engine.recover(suspect, verification=found, restore_canvas=True)
    assert whole.reframed and np.array_equal(whole.picture.pixels, sent.picture.pixels)
    mine = np.zeros(found.mask.shape, bool)
    mine[100:200, 150:260] = True
    by_hand = engine.recover(suspect, verification=found, mask=mine).picture.pixels
    assert np.array_equal(by_hand[window], sent.picture.pixels)


def test_an_untouched_picture_in_a_frame_is_proven_to_be_one(engine: Imuge, sent: ImmunizeResult) -> None:
    found = engine.verify(screen_around(sent.picture, 70, 40, 396, 356))
    assert found.layer == "exact" and found.tiles is not None and found.tiles.intact == found.tiles.total
    assert found.verdict == "tampered" and [region.foreign for region in found.regions] == [True]


def test_without_exact_layer_and_with_a_stronger_one(engine: Imuge) -> None:
    picture = Picture(pixels=photograph("astronaut", 0, 128, 192, 192))
    plain = engine.immunize(picture, exact=False)
    assert not plain.exact and engine.verify(plain.picture).verdict == "intact"
    normal, strong = engine.immunize(picture), Imuge(device="cpu", repair="strong").immunize(picture)
    assert plain.psnr - 1.0 < strong.psnr < normal.psnr - 0.1 < plain.psnr - 0.4
    verified = engine.verify(strong.picture)
    assert verified.verdict == "exact" and verified.tiles is not None
    usual = engine.verify(normal.picture).tiles
    assert usual is not None and verified.tiles.quality_coarse > usual.quality_coarse + 0.4
    with pytest.raises(UsageError, match="repair 'endless' is unknown"):
        Imuge(repair="endless")


@pytest.mark.parametrize("kept", [(255, 255), (235, 256), (180, 190)], ids=str)
def test_a_crops_edges_are_looked_at_too(engine: Imuge, kept: tuple[int, int]) -> None:
    """Tiles that a crop cuts have no seal: they are compared with what came back, or the lattice tells."""
    original = photograph("astronaut", 0, 130)
    sent = engine.immunize(Picture(pixels=original), image_id=9).picture.as_uint8()
    clean = np.ascontiguousarray(sent[: kept[0], : kept[1]])
    found = engine.verify(Picture(pixels=clean))
    assert (found.verdict, found.layer) == ("intact", "exact") and not found.mask.any()
    painted = clean.copy()
    painted[-10:, 40:140] = (200, 30, 60)
    found = engine.verify(Picture(pixels=painted))
    assert (found.verdict, found.layer) == ("tampered", "exact")
    true = (painted != clean).any(2)
    assert found.mask[true].mean() > 0.9 and found.mask[~true].mean() < 0.02
    recovered = engine.recover(Picture(pixels=painted)).picture.as_uint8()
    before, after = local_psnr(clean, painted, true), local_psnr(clean, recovered, true)
    assert after > before + 5
    assert after == np.inf or kept == (180, 190)
