"""One case: tamper, attack, recover blind, recover with the true mask, compare with the pristine original."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from imuge_cli.attacks.benign import Attacked, apply, parse
from imuge_cli.attacks.tampers import NEEDS_DONOR, inpainted, random_tamper
from imuge_cli.benchmark.engine import Engine, Image8, Mask, Synchronised, Verified
from imuge_cli.benchmark.gallery import Donor, Subject, random_for
from imuge_cli.benchmark.rows import CaseRow, ForeignRow, UntamperedRow
from imuge_cli.errors import NotImmunizedError, RecoveryError
from imuge_cli.image.picture import Picture
from imuge_cli.image.working_size import to_working, working_size
from imuge_cli.metrics.fidelity import local_psnr, psnr
from imuge_cli.metrics.localization import confusion

TILE = 16
"""Side of the exact layer's tiles, in pixels."""

RECOVERED, REFUSED, NOT_FOUND = "recovered", "refused", "not-found"


@dataclass(frozen=True)
class Tampered:
    """A tampered picture, before any attack. pixels: H x W x 3 uint8; truth: H x W, pixels replaced."""

    kind: str
    share: float
    donor: str
    pixels: Image8
    truth: Mask


@dataclass(frozen=True)
class Measured:
    """A case's figures, and its pictures in the suspect's frame."""

    row: CaseRow
    suspect: Image8
    truth: Mask
    mask: Mask
    recovered: Image8


@dataclass(frozen=True)
class _Answer:
    """What the engine made of a suspect; picture: the suspect itself where there was no recovery."""

    outcome: str
    verification: Verified
    picture: Image8
    seconds: float
    information: float | None = None


def tamper(subject: Subject, kind: str, share: float, donor: Donor | None, seed: int) -> Tampered:
    """The same for every attack that follows, and for every selection of cases."""
    rng = random_for(seed, subject.embedding.size, subject.name, kind, f"{share:g}")
    content = donor if kind in NEEDS_DONOR else None
    pixels, truth = random_tamper(subject.immunized, kind, share, rng, content.pixels if content else None)
    return Tampered(kind, share, content.kind if content else "", pixels, truth)


def measure(
    engine: Engine, subject: Subject, tampered: Tampered, attack: str, seed: int, *, canvas: bool, lean: bool = False
) -> Measured:
    """One suspect. canvas: also rebuild what a crop took away. lean: nothing to compare the recovery with."""
    rng = random_for(seed, subject.embedding.size, subject.name, tampered.kind, tampered.share, attack)
    attacked = apply(parse(attack), tampered.pixels, rng)
    suspect, truth = attacked.image, attacked.follow(tampered.truth)
    reference = in_frame(subject.original, attacked)
    answer = _ask(engine, suspect)
    row = _row(subject, tampered, attack, attacked, truth, reference, answer, lean=lean)
    if row.layer == "exact":
        precision, recall = tile_figures(subject, attacked, answer.verification)
        bound = _exact_bound(subject, attacked, truth, answer)
        row = replace(row, tile_precision=precision, tile_recall=recall, bound_local_psnr=bound)
    if answer.outcome == RECOVERED and not lean:
        row = replace(
            row,
            oracle_local_psnr=_oracle(engine, suspect, truth, reference, answer.verification),
            canvas_psnr=_canvas(engine, subject, attacked, answer.verification) if canvas else None,
        )
    if not lean and attacked.scale != (1, 1) and not attacked.degrees:
        row = replace(row, original_size_local_psnr=_at_original_size(engine, subject, tampered, attacked, answer))
    return Measured(row, suspect, truth, answer.verification.mask, answer.picture)


def in_frame(original: Image8, attacked: Attacked) -> Image8:
    """The pristine original where the suspect shows it, at the suspect's size: h x w x 3 uint8."""
    if attacked.degrees:
        return attacked.show(original)
    top, left, rows, cols = attacked.crop_box
    window = original[top : top + rows, left : left + cols]
    size = (int(attacked.image.shape[0]), int(attacked.image.shape[1]))
    if window.shape[:2] == size:
        return window
    return np.clip(np.rint(to_working(window, size)), 0, 255).astype(np.uint8)


def tile_figures(subject: Subject, attacked: Attacked, verified: Verified) -> tuple[float, float]:
    """Precision and recall of the mask by tiles of 16 x 16 pixels of the original that the suspect shows in whole."""
    changed = _differing(attacked.image, in_frame(subject.immunized, attacked))
    top, left = attacked.crop_box[:2]
    shift = (slice(-top % TILE, None), slice(-left % TILE, None))
    true, found = (_by_tile(mask[shift]) for mask in (changed, verified.mask))
    counts = confusion(found, true)
    return counts.precision, counts.recall


def _differing(first: Image8, second: Image8) -> Mask:
    return cast(Mask, np.any(first != second, axis=2))


def _by_tile(mask: Mask) -> Mask:
    rows, columns = mask.shape[0] // TILE, mask.shape[1] // TILE
    return cast(Mask, mask[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE).any((1, 3)))


def untampered(engine: Engine, subject: Subject, attack: str, seed: int) -> UntamperedRow:
    """An attacked picture in which nothing was tampered with."""
    rng = random_for(seed, subject.embedding.size, subject.name, "untampered", attack)
    suspect = apply(parse(attack), subject.immunized, rng).image
    started = time.perf_counter()
    verified = engine.verify(Picture(pixels=suspect))
    seconds = time.perf_counter() - started
    flagged = float(np.mean(verified.mask))
    return UntamperedRow(subject.embedding.size, subject.name, attack, verified.verdict, flagged, seconds)


def foreign(engine: Engine, subject: Subject, pixels: Image8, kind: str, attack: str, seed: int) -> ForeignRow:
    """A picture that carries nothing of this key, H x W x 3 uint8, after an attack."""
    rng = random_for(seed, subject.embedding.size, subject.name, kind, attack)
    verified = engine.verify(Picture(pixels=apply(parse(attack), pixels, rng).image))
    placed = verified.synchronisation is not None
    return ForeignRow(subject.embedding.size, subject.name, kind, attack, verified.verdict, placed)


def _ask(engine: Engine, suspect: Image8) -> _Answer:
    """verify, and recover from what it found."""
    picture = Picture(pixels=suspect)
    started = time.perf_counter()
    verification = engine.verify(picture)
    try:
        result = engine.recover(picture, verification=verification)
    except NotImmunizedError:
        outcome = NOT_FOUND
    except RecoveryError:
        outcome = REFUSED
    else:
        seconds = time.perf_counter() - started
        return _Answer(RECOVERED, verification, result.picture.as_uint8(), seconds, result.information)
    return _Answer(outcome, verification, suspect, time.perf_counter() - started)


def _row(
    subject: Subject,
    tampered: Tampered,
    attack: str,
    attacked: Attacked,
    truth: Mask,
    reference: Image8,
    answer: _Answer,
    *,
    lean: bool,
) -> CaseRow:
    verified = answer.verification
    exactly = verified.layer == "exact"
    place = verified.synchronisation
    counts = confusion(verified.mask, truth)
    before, inside = (_inside(reference, picture, truth) for picture in (attacked.image, answer.picture))
    published = _inside(in_frame(subject.immunized, attacked), answer.picture, truth)
    return CaseRow(
        size=subject.embedding.size,
        picture=subject.name,
        tamper=tampered.kind,
        share=tampered.share,
        attack=attack,
        donor=tampered.donor,
        tampered_share=float(truth.mean()),
        outcome=answer.outcome,
        verdict=verified.verdict,
        layer=verified.layer,
        found=place is not None and verified.verdict != NOT_FOUND,
        offset_exact=place is not None and (place.offset_rows, place.offset_cols) == attacked.crop_box[:2],
        identified=verified.image_id == subject.image_id,
        found_scale=place.scale if place else None,
        z_score=place.z_score if place else None,
        precision=counts.precision,
        recall=counts.recall,
        f1=counts.f1,
        iou=counts.iou,
        suspect_local_psnr=before,
        local_psnr=inside,
        published_local_psnr=published,
        exact=math.inf in (inside, published),
        oracle_local_psnr=before,  # until there is a recovery to compare
        inpainted_local_psnr=None if lean else _inside(reference, inpainted(attacked.image, truth), truth),
        information=answer.information,
        avif_local_psnr=None if exactly or lean else _avif(subject, attacked, truth, reference, answer.information),
        psnr=psnr(reference, answer.picture),
        canvas_psnr=None,
        seconds=answer.seconds,
        offset_error=None if place is None else _offset_error(subject, attacked, place),
        scale_error=None if place is None else _scale_error(subject, attacked, place),
        working_pixel=max(_working_pixel(subject)),
    )


def _offset_error(subject: Subject, attacked: Attacked, place: Synchronised) -> float:
    """In the original's pixels, the larger of both axes."""
    told = np.multiply((place.offset_rows, place.offset_cols), _unit(subject, place))
    return float(np.abs(told - attacked.crop_box[:2]).max())


def _scale_error(subject: Subject, attacked: Attacked, place: Synchronised) -> float:
    """As a share of the scale."""
    told = place.scale / math.sqrt(math.prod(_unit(subject, place)))
    return abs(told / math.sqrt(math.prod(attacked.scale)) - 1)


def _unit(subject: Subject, place: Synchronised) -> tuple[float, float]:
    """What a place is told in, rows and columns of the original's pixels: working pixels where nothing tells the
    original's size, unless the suspect is taken for whole."""
    if place.header_read or place.scale == 1:
        return 1.0, 1.0
    return _working_pixel(subject)


def _working_pixel(subject: Subject) -> tuple[float, float]:
    """Its height and width, in the original's pixels."""
    height, width = subject.original.shape[:2]
    rows, columns = working_size(height, width)
    return height / rows, width / columns


def _inside(reference: Image8, picture: Image8, truth: Mask) -> float | None:
    """L-PSNR in dB; None where the attack left nothing of the tampered pixels."""
    return local_psnr(reference, picture, truth) if truth.any() else None


def _avif(
    subject: Subject, attacked: Attacked, truth: Mask, reference: Image8, information: float | None
) -> float | None:
    """L-PSNR in dB of the whole original as AVIF in as many bits; None where the bits are unknown or too few."""
    if information is None:
        return None
    coded = subject.original_by_bits.best(information)
    return None if coded is None else _inside(reference, in_frame(coded, attacked), truth)


def _exact_bound(subject: Subject, attacked: Attacked, truth: Mask, answer: _Answer) -> float | None:
    """L-PSNR in dB against the published picture of a codec that spends all that the intact tiles carry on the lost
    ones: AVIF at that density, or every bit where that suffices for the content without loss."""
    tiles = answer.verification.tiles
    if answer.information is None or tiles is None or tiles.intact == tiles.total:
        return None
    bits = answer.information * tiles.total / (tiles.total - tiles.intact)
    if bits >= subject.lossless_bits:
        return math.inf
    coded = subject.published_by_bits.best(bits)
    return None if coded is None else _inside(in_frame(subject.immunized, attacked), in_frame(coded, attacked), truth)


def _oracle(engine: Engine, suspect: Image8, truth: Mask, reference: Image8, verification: Verified) -> float | None:
    if not truth.any():
        return None
    try:
        picture = engine.recover(Picture(pixels=suspect), mask=truth, verification=verification).picture.as_uint8()
    except (NotImmunizedError, RecoveryError):
        picture = suspect
    return _inside(reference, picture, truth)


def _at_original_size(
    engine: Engine, subject: Subject, tampered: Tampered, attacked: Attacked, answer: _Answer
) -> float | None:
    """L-PSNR in dB in the original's frame and size, of the tampered pixels that the suspect shows. Where nothing was
    recovered, of the suspect brought to the size of what it shows."""
    top, left, rows, cols = attacked.crop_box
    box = slice(top, top + rows), slice(left, left + cols)
    whole = _whole(engine, subject, attacked, answer.verification) if answer.outcome == RECOVERED else None
    if whole is None:
        shown = np.clip(np.rint(to_working(attacked.image, (rows, cols))), 0, 255).astype(np.uint8)
    else:
        shown = whole[box]
    return _inside(subject.original[box], shown, tampered.truth[box])


def _canvas(engine: Engine, subject: Subject, attacked: Attacked, verification: Verified) -> float | None:
    """PSNR of the pixels that the crop took away, in the original's frame; None where there are none."""
    top, left, rows, cols = attacked.crop_box
    lost = np.ones(subject.original.shape[:2], dtype=bool)
    lost[top : top + rows, left : left + cols] = False
    if not lost.any():
        return None
    whole = _whole(engine, subject, attacked, verification)
    return None if whole is None else psnr(subject.original, whole, lost)


def _whole(engine: Engine, subject: Subject, attacked: Attacked, verification: Verified) -> Image8 | None:
    """The suspect with its original frame given back; None where that fails, or ends in another size."""
    try:
        suspect = Picture(pixels=attacked.image)
        whole = engine.recover(suspect, restore_canvas=True, verification=verification).picture.as_uint8()
    except (NotImmunizedError, RecoveryError):
        return None
    return whole if whole.shape == subject.original.shape else None
