"""The library: load once, then immunize, verify and recover pictures.

from imuge_cli import Imuge, read_picture
engine = Imuge()
sent = engine.immunize(read_picture("photo.png")).picture
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from imuge_cli.errors import NotImmunizedError, RecoveryError, UsageError
from imuge_cli.exact.answer import Answer, ask, changed
from imuge_cli.exact.carrier import REPAIRS, profile_for
from imuge_cli.exact.protect import protect
from imuge_cli.exact.repair import INTACT, LOST, PROVEN
from imuge_cli.framed import cut, put_back, told_of_all, window_of
from imuge_cli.image.picture import Picture, channels_equal
from imuge_cli.image.read import MAX_PIXELS
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import FAMILIES, FORMAT_VERSION, STRENGTHS, Header
from imuge_cli.lattice.header import IMAGE_IDS as IMAGE_IDS
from imuge_cli.lattice.placement import UPRIGHT
from imuge_cli.mask.cleanup import clean, enlarged
from imuge_cli.mask.regions import along, reaching, regions
from imuge_cli.mask.threshold import DEFAULT_GUARD, binarize
from imuge_cli.metrics.fidelity import psnr, ssim
from imuge_cli.models.protocol import Frame, Mask, Model, Pixels, Verified
from imuge_cli.results import Framed
from imuge_cli.results import ImmunizeResult as ImmunizeResult
from imuge_cli.results import RecoverResult as RecoverResult
from imuge_cli.results import Synchronisation as Synchronisation
from imuge_cli.results import VerifyResult as VerifyResult

if TYPE_CHECKING:
    import torch

_FAMILY = FAMILIES[0]
_LARGEST_SIDE = 65535
# V draws edges to a pixel or two, and a rim of tampered pixels that is left shows more than a rim that is replaced for
# nothing: recovery goes so many pixels (of the working size) beyond V's own mask.
_RECOVERY_MARGIN = 3
# The symbols of so wide a rim were hardly touched, and where a suspect is small it is as wide as a block: recovery
# stops believing so many suspect's pixels per working pixel beyond V's mask, rounded down (docs/experiments.md).
_DOUBTED_MARGIN = 1
# Of what was changed V is often sure of a part alone. What it gives more than the first beside that, and more than the
# second elsewhere with all around it, is looked at once more, which takes a draft: not where it is less than such a
# share of what is replaced anyway, thin pieces of edges.
_SUSPECTED_NEARBY, _SUSPECTED, _HARDLY_MORE = 0.08, 0.5, 0.02
# A file that was cropped but not resampled has scale 1; what differs is rounding of the working size.
_SCALE_TOLERANCE = 1e-3
# Inside a frame the search finds the scale of small pictures less well, and seals tell whether it was one.
_FRAMED_TOLERANCE = 3e-3
# The share of a suspect that may be suspected without proof in a picture that is called intact (docs/experiments.md).
_WAVERING_SHARE = 0.05
# Where the original ends a block of the lattice (8 working pixels) shows some of what lies around it as well.
_EDGE = 8


class Imuge:
    """A model with its weights and a secret. Safe to share between threads once made.

    key: None for the published default key. strength: subtle, balanced or strong. device: auto, cpu or cuda.
    weights: a weights file or folder instead of the bundled one. exact: whether immunize adds the exact layer, for
    files that will be written without loss. repair: light, normal or strong, how much the exact layer of 8-bit colour
    can restore, against how visible it is. The bundled weights are loaded when a network is first needed: where the
    exact layer answers, none is. Raises UsageError, WeightsError, DeviceError.
    """

    def __init__(
        self,
        *,
        key: Secret | None = None,
        model: str = "lattice",
        strength: str = "balanced",
        device: str = "auto",
        weights: Path | None = None,
        exact: bool = True,
        repair: str = "normal",
    ) -> None:
        if strength not in STRENGTHS:
            raise UsageError(f"strength '{strength}' is unknown; choose {', '.join(STRENGTHS)}")
        if repair not in REPAIRS:
            raise UsageError(f"repair '{repair}' is unknown; choose {', '.join(REPAIRS)}")
        if model != _FAMILY and strength != "balanced":
            raise UsageError(f"strength '{strength}': only model '{_FAMILY}' has strengths; leave it out")
        self._secret = key or Secret.default()
        self._strength = strength
        self._exact, self._repair = exact, repair
        self._wanted = (model, device, weights)
        self._loaded: dict[str, tuple[Model, torch.device]] = {}
        self._loading = threading.Lock()
        if (model, weights) != (_FAMILY, None) or device not in ("auto", "cpu"):
            self._load()

    def _load(self, family: str | None = None) -> tuple[Model, torch.device]:
        """The engine's own model, or the one that a file names."""
        with self._loading:
            wanted, name, weights = self._wanted
            family = family or wanted
            if family not in self._loaded:
                # Takes longer than all else where the exact layer answers, and is then not needed.
                from imuge_cli.models.registry import open_model, pick_device

                device = pick_device(name)
                # Weights that were named are those of the model that was named.
                found = open_model(family, self._secret, device, weights if family == wanted else None)
                self._loaded[family] = found, device
            return self._loaded[family]

    @property
    def _model(self) -> Model:
        return self._load()[0]

    @property
    def _origin(self) -> dict[str, Any]:
        """What a result says of where it comes from."""
        return self._origin_of(self._wanted[0])

    def _origin_of(self, family: str) -> dict[str, Any]:
        sha256, device = None, "cpu"
        if family in self._loaded:
            model, place = self._loaded[family]
            sha256, device = model.weights_sha256, str(place)
        return {"model": family, "weights_sha256": sha256, "device": device, "key_kind": self._secret.kind}

    def immunize(self, picture: Picture, *, image_id: int | None = None, exact: bool | None = None) -> ImmunizeResult:
        """Add what verify and recover need. image_id: 0 .. 2^21 - 1, random if None. exact: instead of the engine's
        own.

        Raises InputError where the picture is too small or has no room, UsageError for an impossible image_id.
        """
        began = time.perf_counter()
        number = secrets.randbelow(IMAGE_IDS) if image_id is None else image_id
        if not 0 <= number < IMAGE_IDS:
            raise UsageError(f"image id {number} is not between 0 and {IMAGE_IDS - 1}")
        if max(picture.height, picture.width) > _LARGEST_SIDE:
            raise UsageError(f"{picture.width} x {picture.height}: no side may be longer than {_LARGEST_SIDE} pixels")
        header = Header(
            version=FORMAT_VERSION,
            family=FAMILIES.index(self._model.name),
            strength=STRENGTHS.index(self._strength),
            height=picture.height,
            width=picture.width,
            image_id=number,
        )
        sent = self._model.immunize(picture.pixels, header)
        result = picture.with_pixels(sent.pixels)
        with_exact = self._exact if exact is None else exact
        if with_exact:
            result = self._protected(result, number)
        before, after = picture.as_uint8(), result.as_uint8()
        return ImmunizeResult(
            picture=result,
            image_id=number,
            psnr=psnr(before, after),
            ssim=ssim(before, after),
            working_size=sent.working_size,
            strength=self._strength,
            seconds=time.perf_counter() - began,
            exact=with_exact,
            **self._origin,
        )

    def _protected(self, picture: Picture, image_id: int) -> Picture:
        grey = picture.grey and channels_equal(picture.pixels)
        samples = picture.pixels[..., :1] if grey else picture.pixels
        profile = profile_for(picture.bit_depth, int(samples.shape[2]), self._repair)
        family = FAMILIES.index(self._model.name)
        done = protect(samples, picture.alpha, profile=profile, secret=self._secret, image_id=image_id, family=family)
        return picture.with_pixels(np.repeat(done.samples, 3, 2) if grey else done.samples)

    def verify(self, picture: Picture) -> VerifyResult:
        """What was done to a picture. Never raises for content: a picture without immunization is `not-found`.

        The exact layer answers where enough of it is left; then every mark in the mask is certain, but for those in
        tiles that a crop's edges cut: there the lattice says what it sees, with its own probability.
        """
        began = time.perf_counter()
        result = self._verify_exactly(picture, (0, 0)) or self._verify_robustly(picture)
        return replace(result, seconds=time.perf_counter() - began)

    def _verify_exactly(
        self, picture: Picture, origin: tuple[int, int], verified: Verified | None = None
    ) -> VerifyResult | None:
        """verified: what the model said already."""
        for samples in _as_samples(picture):
            answer = ask(samples, picture.alpha, self._secret, origin)
            if answer is not None:
                return self._told(answer, picture, verified)
        return None

    def _verify_placed(self, picture: Picture, origin: tuple[int, int], verified: Verified) -> VerifyResult | None:
        if verified.foreign is None:
            return self._verify_exactly(picture, origin, verified)
        assert verified.frame is not None and verified.header is not None
        shape = (picture.height, picture.width)
        placed = window_of(verified.frame, (verified.header.height, verified.header.width), shape)
        if placed is None:
            return None
        window, origin = placed
        seen = replace(verified, probability=verified.probability[window], foreign=None)
        inside = self._verify_exactly(cut(picture, window), origin, seen)
        return None if inside is None else told_of_all(inside, window, shape)

    def _told(self, answer: Answer, picture: Picture, verified: Verified | None) -> VerifyResult:
        header, (top, left) = answer.found.header, answer.found.origin
        mask = changed(answer)
        certain = mask.astype(np.float32)
        if answer.unproven.any():
            # A crop's edges, where tiles are cut and have no seal: the model has to say.
            verified = verified or self._load(FAMILIES[header.family])[0].verify(picture.as_uint8())
            if verified.frame is not None and verified.legible:
                seen = answer.unproven & _mask_of(verified)
                mask = mask | seen
                certain = np.where(seen, verified.probability, certain)
        return VerifyResult(
            verdict="exact" if answer.found.exact else "tampered" if mask.any() else "intact",
            mask=mask,
            probability=certain,
            synchronisation=Synchronisation(top, left, 1.0, None, header.height, header.width, True),
            image_id=answer.image_id,
            tampered_share=float(mask.mean()),
            regions=tuple(regions(mask, certain)),
            layer="exact",
            seconds=0.0,
            tiles=answer.tiles,
            found=answer,
            **self._origin_of(FAMILIES[header.family]),
        )

    def _verify_robustly(self, picture: Picture) -> VerifyResult:
        verified = self._model.verify(picture.as_uint8())
        place = _synchronisation(verified, picture)
        tolerance = _SCALE_TOLERANCE if verified.foreign is None else _FRAMED_TOLERANCE
        if place is not None and place.header_read and abs(place.scale - 1) < tolerance:
            # A crop, or inside a frame: now that its place is known, its tiles can be read.
            exactly = self._verify_placed(picture, (place.offset_rows, place.offset_cols), verified)
            if exactly is not None:
                return exactly
        mask = np.zeros((picture.height, picture.width), bool)
        if verified.frame is not None:
            mask = _mask_of(verified)
        around = _around(verified, mask)
        # Without a header pilots alone may still show what was changed, but not that nothing was; nor is anything
        # intact that contradicts what was sent.
        known = verified.header is not None or verified.assumed
        tells = verified.legible and (
            bool(mask.any()) or (known and not verified.unexplained and not _wavers(verified))
        )
        verdict = "not-found" if verified.frame is None or not tells else "tampered" if mask.any() else "intact"
        return VerifyResult(
            verdict=verdict,
            mask=mask,
            probability=verified.probability,
            synchronisation=place,
            image_id=None if verified.header is None else verified.header.image_id,
            tampered_share=float(mask.mean()),
            regions=tuple(regions(mask, verified.probability, around)),
            foreign=around,
            tone=verified.tone,
            contradicted=verdict == "not-found" and verified.legible and verified.unexplained,
            layer="networks" if verified.assumed else "lattice",
            seconds=0.0,
            found=verified,
            **self._origin,
        )

    def recover(
        self,
        picture: Picture,
        *,
        mask: Mask | None = None,
        restore_canvas: bool = False,
        verification: VerifyResult | None = None,
    ) -> RecoverResult:
        """Put back what the original showed where the mask says tampered: if None V's own, what V suspects beside it
        and finds confirmed, and a narrow rim around both.

        mask: the picture's height x width, True = tampered. restore_canvas: give a cropped picture its original frame
        and size back. verification: what `verify` said of this very picture, to save doing it again. Raises
        NotImmunizedError, RecoveryError, UsageError for a mask or a verification of another size.
        """
        began = time.perf_counter()
        shape = (picture.height, picture.width)
        if mask is not None and mask.shape != shape:
            raise UsageError(
                f"the mask has {mask.shape[1]} x {mask.shape[0]} pixels, the picture {shape[1]} x {shape[0]}"
            )
        result = verification or self.verify(picture)
        verified = result.found
        if verified is None or result.mask.shape != shape:
            raise UsageError("the verification is not of this picture; pass what verify returned for it")
        if isinstance(verified, (Answer, Framed)):
            done = (
                self._recover_framed(picture, result, verified, mask, restore_canvas)
                if isinstance(verified, Framed)
                else self._recover_exactly(picture, result, verified, mask, restore_canvas)
            )
            return replace(done, seconds=time.perf_counter() - began)
        if verified.frame is None:
            raise NotImmunizedError(
                "no immunization found (never immunized, another key, or damaged beyond recognition); "
                "nothing can be recovered"
            )
        if result.contradicted and mask is None:
            raise NotImmunizedError(
                "immunized with this key, and what was sent then is not what this picture shows, but it cannot be told "
                "where they differ; nothing can be recovered without a mask of what was changed"
            )
        if result.verdict == "not-found" and (mask is None or not verified.legible):
            raise NotImmunizedError(
                "immunized with this key, but too little of the immunization is left to read (scaled down, compressed "
                "or made noisy too much); nothing can be recovered"
            )
        used, doubted = self._to_recover(result, verified) if mask is None else (mask.astype(bool), None)
        given, information = picture, None
        reframed = restore_canvas and not _is_whole(verified.frame, result.synchronisation, shape)
        if reframed:
            _require_possible(verified.header)
        if used.any() or reframed:
            recovered = self._model.recover(
                picture.pixels, verified, used, doubted=doubted, restore_canvas=restore_canvas
            )
            given = picture.with_pixels(_grey(recovered.pixels) if picture.grey else recovered.pixels)
            # Alpha is the suspect's, on its grid.
            given = replace(given, alpha=None) if reframed else given
            information = recovered.information
            used = used if recovered.mask is None else recovered.mask
        return RecoverResult(
            picture=given,
            mask=used,
            verification=result,
            restored_share=float(used.mean()),
            seconds=time.perf_counter() - began,
            information=information,
            reframed=reframed,
        )

    def _to_recover(self, result: VerifyResult, verified: Verified) -> tuple[Mask, Mask]:
        """V's mask and what V suspects besides and finds confirmed: with the margin that recovery replaces, and with
        the narrower one that it does not believe. What lies around the original has none, or a rim of what was left
        alone would go."""
        assert verified.frame is not None
        margin = math.ceil(_RECOVERY_MARGIN * max(1.0, verified.frame.scale))
        foreign = result.foreign if result.foreign is not None else np.zeros(result.mask.shape, bool)
        changed = inside = result.mask & ~foreign
        used = enlarged(inside, margin)
        if inside.any() and not verified.assumed:
            # Of a part by itself less is enough where others are certain; the verdict does not hang on it any more.
            probable = inside | clean(~foreign & (result.probability > _SUSPECTED))
            nearby = reaching(probable, ~foreign & (result.probability > _SUSPECTED_NEARBY))
            suspected = enlarged(nearby, margin)
            if (suspected & ~used).sum() > _HARDLY_MORE * used.sum():
                confirmed = self._model.confirmed(verified, suspected)
                changed = inside | reaching(inside | clean(probable & confirmed), confirmed)
                used = enlarged(changed, margin)
        around = result.mask & foreign
        narrow = math.floor(_DOUBTED_MARGIN * (verified.frame.scale + _SCALE_TOLERANCE))
        return used | around, enlarged(changed, narrow) | around

    def _recover_framed(
        self, picture: Picture, result: VerifyResult, found: Framed, mask: Mask | None, restore_canvas: bool
    ) -> RecoverResult:
        inside, window = found.inside, found.window
        assert isinstance(inside.found, Answer)
        wanted = None if mask is None else mask[window]
        done = self._recover_exactly(cut(picture, window), inside, inside.found, wanted, restore_canvas)
        return put_back(done, picture, result, restore_canvas=restore_canvas)

    def _recover_exactly(
        self, picture: Picture, result: VerifyResult, answer: Answer, mask: Mask | None, restore_canvas: bool
    ) -> RecoverResult:
        """Tiles that came back, as they were; what of the mask did not, from the lattice."""
        wanted = result.mask if mask is None else mask.astype(bool)
        reframed = restore_canvas and not answer.found.whole
        if reframed:
            if answer.repaired.samples is None:
                raise RecoveryError(
                    f"the suspect shows {answer.tiles.intact} of the original's {answer.tiles.total} tiles: too few to "
                    "give it its frame back; leave --restore-canvas out"
                )
            fate, samples = answer.found.layout.tile_samples(answer.repaired.fate), answer.repaired.samples
            inside = _placed(answer, np.ones(answer.found.shape, bool))
            used, shown = _placed(answer, wanted), _placed(answer, picture.pixels)
        else:
            fate, samples = answer.fate_of(wanted), answer.restored_for(wanted)
            inside = np.ones(answer.found.shape, bool)
            used, shown = wanted, picture.pixels
        # What came back exactly is taken whole; what came back nearly with a margin, inside its tile.
        taken = ~inside | (enlarged(used, _RECOVERY_MARGIN) | (fate == PROVEN)) & (fate != INTACT)
        back = np.repeat(samples, 3, 2) if samples.shape[2] == 1 else samples
        pixels = np.where(taken[..., None], back, shown)
        lost = taken & (fate == LOST)
        if lost.any():
            pixels = self._fill(picture, pixels, lost, FAMILIES[answer.found.header.family])
        return RecoverResult(
            picture=picture.with_pixels(pixels),
            mask=taken[inside].reshape(wanted.shape),
            verification=result,
            restored_share=float(taken[inside].mean()),
            seconds=0.0,
            information=float(answer.information) if taken.any() else None,
            proven=taken & (fate == PROVEN),
            reframed=reframed,
        )

    def _fill(self, picture: Picture, pixels: Pixels, lost: Mask, family: str) -> Pixels:
        """Pixels with what is lost drawn by the R of the model that the file names. Raises RecoveryError where that
        finds nothing."""
        filled = Picture(pixels=pixels)
        model, _ = self._load(family)
        verified = model.verify(filled.as_uint8())
        if verified.frame is None:
            raise RecoveryError(
                "what is left of this picture's exact layer and of its lattice does not suffice to restore it"
            )
        recovered = model.recover(pixels, verified, lost, doubted=None, restore_canvas=False)
        drawn = _grey(recovered.pixels) if picture.grey else recovered.pixels
        return np.where(lost[..., None], drawn, pixels)


def _mask_of(verified: Verified) -> Mask:
    """What a model says was changed, and what lies around the original. verified: with a frame."""
    assert verified.frame is not None
    guard = DEFAULT_GUARD.at_scale(verified.frame.scale)
    if verified.assumed:
        guard = guard.as_written()
    if verified.frame.placement is not None or verified.tone is not None:
        guard = guard.lenient()
    if verified.forewarned:
        guard = guard.forewarned(verified.probability.size)
    if verified.foreign is None:
        return clean(binarize(verified.probability, guard=guard))
    # That a frame is none of the original's makes no mark in the original more convincing.
    inside = np.where(verified.foreign, np.float32(0), verified.probability)
    mask: Mask = clean(binarize(inside, guard=guard)) | verified.foreign
    return mask


def _wavers(verified: Verified) -> bool:
    """Whether so much of a picture is more likely changed than not that nobody can call it intact, if no part of that
    convinces."""
    return verified.forewarned and float((verified.probability > 0.5).mean()) > _WAVERING_SHARE


def _around(verified: Verified, mask: Mask) -> Mask | None:
    """What lies around the original; and marks that keep to its very edge."""
    if verified.foreign is None or verified.frame is None:
        return None
    reach = math.ceil(_EDGE * max(1.0, verified.frame.scale))
    result: Mask = verified.foreign | along(mask & ~verified.foreign, verified.foreign, reach)
    return result


def _placed(answer: Answer, values: Pixels | Mask) -> Any:
    """A suspect's values, h x w or h x w x C, in the original's frame, zero around them."""
    header, (top, left), (height, width) = answer.found.header, answer.found.origin, answer.found.shape
    whole = np.zeros((header.height, header.width, *values.shape[2:]), values.dtype)
    whole[top : top + height, left : left + width] = values
    return whole


def _as_samples(picture: Picture) -> Iterator[Pixels]:
    """What the exact layer may have been written into: one channel where all are equal, else or then three."""
    if picture.grey or channels_equal(picture.pixels[::8, ::8]) and channels_equal(picture.pixels):
        yield picture.pixels[..., :1]
    yield picture.pixels


def _is_whole(frame: Frame, found: Synchronisation | None, shape: tuple[int, int]) -> bool:
    """Whether the suspect has the original's frame and size already, and lies as it did."""
    original = None if found is None else (found.original_height, found.original_width)
    place = frame.placement
    as_it_was = place is None or (place.orientation == UPRIGHT and place.turn is None)
    return as_it_was and frame.canvas == (frame.height, frame.width) and original in (None, shape)


def _require_possible(header: Header | None) -> None:
    """Raises RecoveryError where an original would be larger than any picture that can be read: whoever knows the key
    can write any size into a header."""
    if header is not None and header.height * header.width > MAX_PIXELS:
        raise RecoveryError(
            f"its header tells of an original of {header.width} x {header.height} pixels, more than the "
            f"{MAX_PIXELS // 1_000_000} megapixels that a picture may have; leave --restore-canvas out"
        )


def _grey(pixels: Pixels) -> Pixels:
    """One level for all channels: R works in colour, a grey picture has none."""
    level = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return cast("Pixels", np.repeat(np.rint(level)[..., None], 3, 2).astype(pixels.dtype))


def _synchronisation(verified: Verified, picture: Picture) -> Synchronisation | None:
    frame, header = verified.frame, verified.header
    if frame is None or verified.assumed:
        return None
    place = frame.placement
    size = (picture.height, picture.width) if place is None else frame.canvas
    if header is not None:
        size = (header.height, header.width)
    rows, columns = size[0] / frame.canvas[0], size[1] / frame.canvas[1]
    return Synchronisation(
        offset_rows=round(frame.top * rows),
        offset_cols=round(frame.left * columns),
        scale=frame.scale / math.sqrt(rows * columns),
        z_score=frame.z_score,
        original_height=size[0],
        original_width=size[1],
        header_read=header is not None,
        orientation=UPRIGHT.name if place is None else place.orientation.name,
        turned_degrees=0.0 if place is None or place.turn is None else place.turn.degrees,
    )
