"""From photographs to immunized, tampered and attacked pictures: what the receiver is trained on.

Every attack is real (codecs, resamplers, noise on 8-bit pictures); no gradient passes through it. Everything a
batch draws comes from generators seeded with (seed, step, place in the batch), so that a resumed run, or one with
another number of threads, sees the same pictures.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imuge_cli.attacks.benign import apply
from imuge_cli.attacks.chain import RESAMPLINGS, Chain
from imuge_cli.attacks.masks import random_mask
from imuge_cli.attacks.mix import TrainingMix
from imuge_cli.attacks.resample import resize
from imuge_cli.attacks.tampers import TAMPERS, apply_tamper, random_tamper
from imuge_cli.image.working_size import carry_residual, luma, resize_plane, to_working
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import CODE_BITS
from imuge_cli.lattice.placement import Placement
from imuge_cli.models.lattice.carrier import STEPS, Carrier, make_carrier
from imuge_cli.models.lattice.reception import Reception, receive
from imuge_cli.models.lattice.sender import send
from imuge_cli.networks.encoder import Encoder
from imuge_cli.networks.resolver import Resolver

SIDE = 256
_LARGEST = 3.0
"""How many times larger than the working size the largest pictures are."""
_TAMPER_WEIGHTS = {
    "splice": 4,
    "paste": 2,
    "clone": 3,
    "inpaint": 3,
    "colour": 0.7,
    "brush": 0.7,
    "text": 0.6,
}

_SAME_KEY = 0.65
"""Share of foreign content that comes from a picture under the same key: pilots agree in it, and little else tells."""
_WRITTEN = 0.12
"""Share of masks in the shape of letters among those that do not follow from the kind of tampering."""
_SCALES = (0.5, 2.0)
"""Of suspects whose scale nobody tells: where less is left no header is read."""
_PLACE_ERROR, _SCALE_ERROR = 0.05, 1e-4
"""Standard deviations of what the search errs by: working pixels, and a share of the scale."""
_SAVED = TrainingMix(
    (
        ("none", 1.0),
        ("jpeg:70..97", 2.0),
        ("jpeg:50..70", 0.7),
        ("webp:70..95", 0.3),
        ("jpeg:60..95+jpeg:60..95", 0.4),
        ("sharpen:0.5..1.0+jpeg:75..95", 0.3),
        ("brightness:0.9..1.1+jpeg:75..95", 0.2),
    )
)
"""What programs do to pictures that they scale."""


@dataclass(frozen=True)
class Batch:
    """original, immunized, suspect: N x 3 x H x W, grey levels. mask: N x 1 x H x W, 1 = tampered.

    known: N x 1 x H x W, 1 inside the suspect's frame. reception: what the lattice says.
    """

    original: Tensor
    immunized: Tensor
    suspect: Tensor
    mask: Tensor
    known: Tensor
    reception: Reception


@dataclass(frozen=True)
class Recipe:
    """How batches are drawn. untampered, cropped: share of such pictures.

    large: share of pictures that stand for larger ones, tampered with and attacked above the working size. rescaled: of
    those that arrive, often cropped, at an unknown scale, and are found again to a fraction of a pixel; of them more
    stay as they are (untampered_rescaled), for there V is quickest to accuse.
    """

    seed: int
    batch: int
    mix: TrainingMix
    untampered: float = 0.2
    cropped: float = 0.15
    large: float = 0.15
    rescaled: float = 0.2
    untampered_rescaled: float = 0.4
    strength: str = "balanced"
    carriers: int = 4


def carrier_of(recipe: Recipe, step: int, device: torch.device) -> Carrier:
    """One of a few carriers with different secrets, so that networks cannot learn one key's pattern."""
    number = step % recipe.carriers
    secret = Secret(Secret.default().subkey(f"training carrier {number}"))
    return make_carrier(secret, SIDE, SIDE, device)


def draw_originals(pictures: Tensor, recipe: Recipe, step: int, device: torch.device) -> Tensor:
    """Random crops (or whole pictures made smaller), flipped and turned: N x 3 x 256 x 256, whole grey levels."""
    rng = np.random.default_rng([recipe.seed, step, 1])
    crops = []
    for _ in range(recipe.batch):
        picture = pictures[int(rng.integers(len(pictures)))].to(device).float()[None]
        side = picture.shape[-1]
        used = side if rng.random() < 0.35 else int(rng.integers(SIDE, side + 1))
        top, left = (int(v) for v in rng.integers(0, side - used + 1, 2))
        crop = picture[..., top : top + used, left : left + used]
        if used != SIDE:
            crop = functional.interpolate(crop, size=(SIDE, SIDE), mode="bicubic", antialias=True)
        if rng.random() < 0.5:
            crop = crop.flip(-1)
        if rng.random() < 0.25:
            crop = crop.transpose(-1, -2)
        crops.append(crop)
    return torch.cat(crops).round().clamp(0, 255)


def make_batch(
    pictures: Tensor,
    recipe: Recipe,
    step: int,
    device: torch.device,
    pool: ThreadPoolExecutor,
    encoder: Encoder | None = None,
    resolver: Resolver | None = None,
) -> Batch:
    """Batch number `step` of a recipe; with an encoder, its symbols are sent, and received with a resolver."""
    carrier = carrier_of(recipe, step, device)
    original = draw_originals(pictures, recipe, step, device)
    rng = np.random.default_rng([recipe.seed, step, 2])
    code = torch.from_numpy(rng.integers(0, 2, (recipe.batch, CODE_BITS))).to(device)
    immunized, levels = send(carrier, original, code, STEPS[recipe.strength], encoder)
    immunized = immunized.round()
    plain, sent = _to_numpy(original), _to_numpy(immunized)
    jobs = [(recipe, step, i, plain, sent) for i in range(recipe.batch)]
    suspects, masks, known = zip(*pool.map(lambda job: _attacked(*job), jobs), strict=True)
    return _receive(
        carrier,
        original,
        immunized,
        np.stack(suspects),
        np.stack(masks),
        np.stack(known),
        code,
        levels,
        recipe,
        resolver,
    )


def fixed_batch(
    original: Tensor,
    tamper: str,
    share: float,
    chain: Chain,
    seed: int,
    strength: str = "balanced",
    encoder: Encoder | None = None,
) -> Batch:
    """A batch with one tamper and one attack, for validation. original: N x 3 x 256 x 256, grey levels."""
    recipe = Recipe(seed=seed, batch=len(original), mix=TrainingMix(), strength=strength)
    carrier = carrier_of(recipe, 0, original.device)
    rng = np.random.default_rng([seed, 3])
    code = torch.from_numpy(rng.integers(0, 2, (len(original), CODE_BITS))).to(original.device)
    immunized, levels = send(carrier, original, code, STEPS[strength], encoder)
    immunized = immunized.round()
    sent = _to_numpy(immunized)
    suspects, masks = [], []
    for i, picture in enumerate(sent):
        mask = random_mask(SIDE, SIDE, share, rng, "object")
        tampered, mask = apply_tamper(picture, tamper, mask, rng, sent[(i + 1) % len(sent)])
        suspects.append(apply(chain, tampered, rng).image)
        masks.append(mask)
    known = np.ones((len(sent), SIDE, SIDE), bool)
    return _receive(carrier, original, immunized, np.stack(suspects), np.stack(masks), known, code, levels, recipe)


def _attacked(
    recipe: Recipe, step: int, place: int, plain: NDArray[np.uint8], sent: NDArray[np.uint8]
) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]:
    rng = np.random.default_rng([recipe.seed, step, 4, place])
    number = (place + int(rng.integers(1, len(sent) + 1))) % len(sent) if len(sent) > 1 else 0
    picture, donor = sent[place], (sent if rng.random() < _SAME_KEY else plain)[number]
    way = rng.random()
    if way < recipe.large:
        return _attacked_large(recipe, rng, plain[place], picture, donor)
    if way > 1 - recipe.rescaled:
        return _rescaled(rng, *_tampered(recipe.untampered_rescaled, rng, picture, donor))
    picture, mask = _tampered(recipe.untampered, rng, picture, donor)
    chain = recipe.mix.draw(rng)
    if rng.random() >= recipe.cropped:
        return apply(chain, picture, rng).image, mask, np.ones_like(mask)
    frame = _frame(rng)
    canvas, known = np.full_like(picture, 128), np.zeros_like(mask)
    canvas[frame] = apply(chain, np.ascontiguousarray(picture[frame]), rng).image
    known[frame] = True
    return canvas, mask & known, known


def _frame(rng: np.random.Generator) -> tuple[slice, slice]:
    """Half of each side at least, anywhere."""
    height, width = (int(v) for v in rng.integers(SIDE // 2, SIDE + 1, 2))
    top, left = int(rng.integers(0, SIDE - height + 1)), int(rng.integers(0, SIDE - width + 1))
    return slice(top, top + height), slice(left, left + width)


def _rescaled(
    rng: np.random.Generator, picture: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """A part that was scaled by anything and saved, brought back to where the search would find it."""
    rows, columns = _frame(rng) if rng.random() < 0.5 else (slice(0, SIDE), slice(0, SIDE))
    factor = float(np.exp(rng.uniform(*np.log(_SCALES))))
    part = np.ascontiguousarray(picture[rows, columns])
    size = (round(part.shape[0] * factor), round(part.shape[1] * factor))
    scaled = resize(part, *size, str(rng.choice(RESAMPLINGS)))
    suspect = apply(_SAVED.draw(rng), scaled, rng).image
    scales = np.divide(size, part.shape[:2]) * (1 + rng.normal(0, _SCALE_ERROR, 2))
    off = rng.normal(0, _PLACE_ERROR, 2)
    placement = Placement(rows.start + off[0], columns.start + off[1], float(scales[0]), float(scales[1]))
    box = tuple(slice(of.start, min(of.stop, SIDE)) for of in placement.box(*size))
    canvas, known = np.full(picture.shape, 128, np.float32), np.zeros_like(mask)
    canvas[box] = placement.shown(suspect, *box)
    known[box] = True
    return canvas, mask & known, known


def _tampered(
    untampered: float, rng: np.random.Generator, picture: NDArray[np.uint8], donor: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A picture with a share of its pixels replaced, and which; some (a share of untampered) stay as they are."""
    height, width = picture.shape[:2]
    if rng.random() < untampered:
        return picture, np.zeros((height, width), bool)
    kind = str(rng.choice(TAMPERS, p=_tamper_chances()))
    share = float(np.exp(rng.uniform(np.log(0.01), np.log(0.5))))
    if rng.random() < 0.5:
        # Letters cover no block wholly: all that tells of them is how far single phases lie off.
        mask = random_mask(height, width, share, rng, "text" if rng.random() < _WRITTEN else "any")
        return apply_tamper(picture, kind, mask, rng, donor)
    return random_tamper(picture, kind, share, rng, donor)


def _attacked_large(
    recipe: Recipe,
    rng: np.random.Generator,
    plain: NDArray[np.uint8],
    sent: NDArray[np.uint8],
    donor: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """A picture larger than the working size, which carries the residual made there; half are then made smaller."""
    side = int(SIDE * np.exp(rng.uniform(0.0, np.log(_LARGEST))))
    large = resize(plain, side, side, "cubic")
    # What is sent must lie on the lattice at the working size, whatever enlarging did to the picture.
    picture = carry_residual(large, luma(sent) - luma(to_working(large, (SIDE, SIDE))))
    picture, mask = _tampered(recipe.untampered, rng, picture, resize(donor, side, side, "cubic"))
    picture = apply(recipe.mix.draw(rng), picture, rng).image
    if rng.random() < 0.5:
        smaller = int(side * rng.uniform(0.5, 1.0))
        picture = resize(picture, smaller, smaller, str(rng.choice(RESAMPLINGS)))
    working = np.clip(np.rint(to_working(picture, (SIDE, SIDE))), 0, 255).astype(np.uint8)
    small = resize_plane(mask.astype(np.float32), (SIDE, SIDE)) > 0.5
    return working, small, np.ones_like(small)


def _tamper_chances() -> NDArray[np.float64]:
    weights = np.array([_TAMPER_WEIGHTS[kind] for kind in TAMPERS])
    chances: NDArray[np.float64] = weights / weights.sum()
    return chances


def _receive(
    carrier: Carrier,
    original: Tensor,
    immunized: Tensor,
    suspects: NDArray[Any],
    masks: NDArray[np.bool_],
    known: NDArray[np.bool_],
    code: Tensor,
    levels: Tensor,
    recipe: Recipe,
    resolver: Resolver | None = None,
) -> Batch:
    device = original.device
    suspect = torch.from_numpy(suspects).to(device).permute(0, 3, 1, 2).float()
    inside = torch.from_numpy(known).to(device)[:, None].float()
    return Batch(
        original=original,
        immunized=immunized,
        suspect=suspect,
        mask=torch.from_numpy(masks).to(device)[:, None].float(),
        known=inside,
        reception=receive(carrier, suspect, code, levels, inside, STEPS[recipe.strength], resolver),
    )


def _to_numpy(pictures: Tensor) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = pictures.clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return array
