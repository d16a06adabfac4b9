"""The lattice family without its networks: sender to receiver to draft."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
import torch
from photographs import Pixels8, photograph, to_tensor
from torch import Tensor
from torch.nn import functional

from imuge_cli.checkpoints import load_weights
from imuge_cli.keys import Secret
from imuge_cli.lattice.header import CODE_BITS
from imuge_cli.lattice.modulation import wrap
from imuge_cli.lattice.transform import BLOCK, analyse, luma
from imuge_cli.models.lattice.carrier import FINE_GAIN, FINE_STEP, STEPS, Carrier, make_carrier, scale_of
from imuge_cli.models.lattice.channel import block_ratios, pilot_noise
from imuge_cli.models.lattice.evidence import (
    Statistics,
    block_probability,
    block_weight,
    pixel_evidence,
    shown_share,
)
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.models.lattice.receiver import PERSISTENT, QUICK, THOROUGH, Draft, consistent, draft, redraft
from imuge_cli.models.lattice.reception import Reception, receive
from imuge_cli.models.lattice.sender import describe, send
from imuge_cli.payload.source import analyse_source, sender_scale, synthesise_source

SECRET = Secret(b"s" * 32)
STEP = STEPS["balanced"]
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """One batch of both photographs, immunized and rounded."""

    carrier: Carrier
    original: Tensor
    immunized: Tensor
    code: Tensor
    levels: Tensor
    statistics: Statistics

    def receive(self, picture: Tensor, inside: Tensor | None = None) -> Reception:
        if inside is None:
            inside = torch.ones(len(picture), 1, *picture.shape[-2:])
        return receive(self.carrier, picture, self.code[: len(picture)], self.levels[: len(picture)], inside, STEP)

    def draft(self, reception: Reception, tampered: Tensor) -> Draft:
        """tampered: by block."""
        return draft(self.carrier, reception, pixels_of(tampered), self.statistics, QUICK)


@pytest.fixture(scope="module")
def case() -> Case:
    carrier = make_carrier(SECRET, 256, 256, CPU)
    original = torch.cat([to_tensor(photograph("astronaut", 0, 128)), to_tensor(photograph("coffee", 60, 200))])
    code = torch.from_numpy(np.random.default_rng(1).integers(0, 2, (2, CODE_BITS)))
    loaded = load_weights("lattice", None)
    statistics = LatticeNetworks.from_tensors(loaded.tensors, loaded.config).statistics()
    immunized, levels = send(carrier, original, code, STEP)
    return Case(carrier, original, immunized.round(), code, levels, statistics)


@pytest.fixture(scope="module")
def square() -> Tensor:
    """A tenth of the blocks: 10 x 10 of 32 x 32."""
    blocks = torch.zeros(2, 1, 32, 32)
    blocks[..., 9:19, 12:22] = 1
    return blocks


def from_tensor(picture: Tensor) -> Pixels8:
    levels: Pixels8 = picture.permute(1, 2, 0).byte().numpy()
    return levels


def jpeg(picture: Pixels8, quality_factor: int) -> Pixels8:
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality_factor])
    decoded: Pixels8 = np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])  # type: ignore[index]
    return decoded


def pixels_of(blocks: Tensor) -> Tensor:
    return blocks.repeat_interleave(BLOCK, -1).repeat_interleave(BLOCK, -2)


def quality(picture: Tensor, original: Tensor, mask: Tensor) -> Tensor:
    """PSNR inside the mask, dB, per picture."""
    error = ((picture.clamp(0, 255) - original) ** 2 * mask).sum((1, 2, 3)) / (3 * mask.sum((1, 2, 3)))
    return 10 * torch.log10(255**2 / error)


@pytest.fixture(scope="module")
def untampered(case: Case, square: Tensor) -> Draft:
    return case.draft(case.receive(case.immunized), square)


def test_an_untouched_picture_is_received_almost_without_error(case: Case) -> None:
    reception = case.receive(case.immunized)
    assert reception.errors.shape == (2, 2, 32, 32)
    assert reception.data.shape == (2, 12, 32, 32)
    # Pilots and header chips have no gates: what is left is rounding to 8 bits, and what was clipped.
    assert float((reception.errors**2).mean()) < 1.3 / 12 / reception.step**2
    assert reception.leak.shape == reception.stretch.shape == reception.data.shape
    at = analyse(luma(reception.picture)) / STEP - case.carrier.dither
    torch.testing.assert_close(reception.errors[:, :1], wrap(case.carrier.by_order(at)[:, :1]), rtol=0, atol=1e-4)
    noise = pilot_noise(case.carrier, reception, torch.ones(2, 1, 32, 32))
    assert noise.by_slot.shape == (2, 14)
    assert 0.001 < float(noise.by_slot.min()) < float(noise.by_slot.max()) < 0.004
    assert bool((noise.factor == 1).all())


def test_the_symbols_arrive(case: Case) -> None:
    symbols = describe(case.carrier, case.original) / scale_of(case.levels)[:, None]
    reception = case.receive(case.immunized)
    assert reception.fine is not None and case.carrier.fine is not None
    data, fine = symbols.view(2, 36, 32, 32).split([12, 24], 1)
    error = wrap(reception.data - data * case.carrier.gains)
    assert float(error.abs().median()) < 0.06
    # How busy a block was is guessed from what arrived; that adds a little.
    claimed = float((reception.leak + reception.stretch**2 / 12 / reception.step**2).mean())
    assert 0.8 * claimed < float((error**2).mean()) < 1.2 * claimed
    # Rounding to whole grey levels says more in smaller cells.
    error, told = wrap(reception.fine.data - fine * FINE_GAIN), reception.fine
    claimed = float((told.leak + told.stretch**2 / 12 / (FINE_STEP * reception.step) ** 2).mean())
    assert 0.8 * claimed < float((error**2).mean()) < 1.2 * claimed
    # Power levels lie half an octave apart.
    for picture in symbols:
        assert 2**-0.25 - 0.01 < float(picture.square().mean().sqrt()) < 2**0.25 + 0.01


def test_by_order_and_by_slot_are_inverse(case: Case) -> None:
    planes = torch.randn(2, 14, 32, 32)
    torch.testing.assert_close(case.carrier.by_slot(case.carrier.by_order(planes)), planes)
    torch.testing.assert_close(case.carrier.by_order(case.carrier.by_slot(planes)), planes)


def test_the_draft_of_a_tenth_that_is_not_trusted(case: Case, square: Tensor, untampered: Draft) -> None:
    assert untampered.picture.shape == (2, 3, 256, 256)
    assert float(quality(untampered.picture, case.original, pixels_of(square)).min()) > 20


def test_what_lies_in_the_masked_area_does_not_matter(case: Case, square: Tensor, untampered: Draft) -> None:
    mask = pixels_of(square)
    noise = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(2)) * 255
    suspect = (case.immunized * (1 - mask) + noise * mask).round()
    found = quality(case.draft(case.receive(suspect), square).picture, case.original, mask)
    assert float(found.min()) > 20
    assert float((found - quality(untampered.picture, case.original, mask)).abs().max()) < 1


@pytest.mark.parametrize("size", [10, 20])
def test_the_doubt_is_what_symbols_lie_off(case: Case, size: int) -> None:
    """Symbols of masked blocks are not used; how far they are from what the rest says of them is the doubt."""
    masked = torch.zeros(2, 1, 32, 32)
    masked[..., 6 : 6 + size, 8 : 8 + size] = 1
    solution = draft(case.carrier, case.receive(case.immunized), pixels_of(masked), case.statistics, THOROUGH)
    assert case.carrier.fine is not None
    scale = case.carrier.fine.amplitude * scale_of(case.levels)[:, None]
    said = case.carrier.fine.mixing.forward(solution.coefficients) / scale
    sent = describe(case.carrier, case.original) / scale_of(case.levels)[:, None]
    error = ((said - sent) ** 2).view(2, 36, 32, 32) * masked
    true = error.sum((1, 2, 3)) / (36 * masked.sum((1, 2, 3)))
    ratio = solution.doubt / true
    assert 0.6 < float(ratio.min()) <= float(ratio.max()) < 1.7


def test_doubting_more_blocks_is_never_much_better(case: Case, square: Tensor, untampered: Draft) -> None:
    mask = pixels_of(square)
    reception = case.receive(case.immunized)
    qualities = [quality(untampered.picture, case.original, mask)]
    doubted = square.clone()
    for columns in (slice(0, 6), slice(24, 32)):
        doubted[..., columns] = 1
        qualities.append(quality(case.draft(reception, doubted).picture, case.original, mask))
    for more, fewer in zip(qualities[:-1], qualities[1:], strict=True):
        assert float((more - fewer).min()) > -0.3
    assert float((qualities[0] - qualities[-1]).mean()) > 0.5


def test_intact_pixels_of_partly_tampered_blocks_help(case: Case) -> None:
    # A disc: its edge runs through blocks everywhere.
    rows, columns = np.ogrid[:256, :256]
    disc = torch.from_numpy((rows - 120) ** 2 + (columns - 131) ** 2 < 45**2).float().expand(2, 1, 256, 256)
    tampered = (case.immunized * (1 - disc) + case.original.flip(0) * disc).round()
    for quality_factor, gain in ((50, 0.02), (100, -0.05)):
        sent = torch.cat([to_tensor(jpeg(from_tensor(picture), quality_factor)) for picture in tampered])
        reception = case.receive(sent)
        efforts = [replace(THOROUGH, certain=partial) for partial in (False, True)]
        drafts = [draft(case.carrier, reception, disc, case.statistics, effort) for effort in efforts]
        without, given = (float(quality(d.picture, case.original, disc).mean()) for d in drafts)
        assert given > without + gain


def test_wholly_intact_source_blocks_are_read_off(case: Case) -> None:
    """What the lattice says of them is then no news, and all symbols speak of the rest."""
    corner = torch.zeros(2, 1, 256, 256)
    corner[..., :64, :128] = 1
    reception = case.receive(case.immunized)
    certain = draft(case.carrier, reception, corner, case.statistics)
    inside = torch.zeros_like(corner)
    inside[..., 64:, :] = 1
    # Only what the coefficients leave out is missing outside.
    described = synthesise_source(analyse_source(case.immunized))
    gap = ((certain.picture - described) ** 2 * inside).sum() / inside.sum() / 3
    assert float(gap) < 3
    vague = replace(case.statistics, damage_floor=case.statistics.damage_floor * 1e6)
    blurred = draft(case.carrier, reception, corner, vague)
    gain = quality(certain.picture, case.original, corner) - quality(blurred.picture, case.original, corner)
    assert float(gain.min()) > 0.1


def test_ratios_tell_tampered_blocks_from_intact_ones(case: Case, square: Tensor) -> None:
    mask = pixels_of(square)
    suspect = (case.immunized * (1 - mask) + case.original.flip(0) * mask).round()
    reception = case.receive(suspect)
    solution = case.draft(reception, square)
    summed = solution.ratios.sum(1, keepdim=True)
    inside = torch.zeros_like(square)
    inside[..., 10:18, 13:21] = 1
    outside = 1 - torch.nn.functional.max_pool2d(square, 3, 1, 1)
    for i in range(2):
        assert float(summed[i][inside[i] > 0].mean()) > 2
        assert float(summed[i][outside[i] > 0].mean()) < -2
        assert float((summed[i][outside[i] > 0] < 0).float().mean()) > 0.9
    early = block_ratios(case.carrier, reception, pilot_noise(case.carrier, reception, 1 - square)).sum(1, keepdim=True)
    assert float(early[inside > 0].mean()) > 1
    assert float(early[outside > 0].mean()) < -1


def test_what_lies_outside_the_frame_has_no_ratios(case: Case) -> None:
    inside = torch.ones(2, 1, 256, 256)
    inside[..., :51] = 0
    reception = case.receive(case.immunized, inside)
    assert not reception.known[..., :7].any()
    assert reception.known[..., 7:].all()
    solution = case.draft(reception, torch.zeros(2, 1, 32, 32))
    assert float(solution.ratios[..., :7].abs().max()) == 0
    lost = torch.zeros(2, 1, 256, 256)
    lost[..., :56] = 1
    assert float(quality(solution.picture, case.original, lost).min()) > 17


def test_the_draft_of_an_untouched_picture_is_the_picture(case: Case) -> None:
    solution = case.draft(case.receive(case.immunized), torch.zeros(2, 1, 32, 32))
    assert float(quality(solution.picture, case.original, torch.ones(2, 1, 256, 256)).min()) > 24
    assert float(solution.doubt.max()) < 0.2


def test_an_earlier_draft_saves_work_and_changes_little(case: Case, square: Tensor) -> None:
    reception = case.receive(torch.where(pixels_of(square) > 0, case.original.flip(0), case.immunized))
    earlier = case.draft(reception, torch.zeros(2, 1, 32, 32))
    fresh = case.draft(reception, square)
    second = draft(case.carrier, reception, pixels_of(square), case.statistics, QUICK, before=earlier)
    assert float(quality(second.picture, fresh.picture, pixels_of(square)).min()) > 35
    assert not earlier.unaided.equal(second.unaided)


@pytest.mark.parametrize(("height", "width"), [(128, 128), (150, 203)])
def test_other_sizes(case: Case, height: int, width: int) -> None:
    carrier = make_carrier(SECRET, height, width, CPU)
    original = to_tensor(photograph("coffee", 100, 100, height, width))
    sent, levels = send(carrier, original, case.code[:1], STEP)
    sent = sent.round()
    reception = receive(carrier, sent, case.code[:1], levels, torch.ones(1, 1, height, width), STEP)
    mask = torch.zeros(1, 1, height, width)
    mask[..., 40:72, 48:80] = 1
    solution = draft(carrier, reception, mask, case.statistics, QUICK)
    assert solution.picture.shape == (1, 3, height, width)
    assert float(quality(solution.picture, original, mask)) > 19


def test_what_is_lost_carries_nothing(case: Case) -> None:
    reception = case.receive(case.immunized)
    tampered = torch.zeros(len(case.immunized), 1, *case.carrier.order.shape[-2:])
    whole = case.draft(reception, tampered).information
    tampered[..., : tampered.shape[-1] // 2] = 1
    half = case.draft(reception, tampered).information
    symbols = 36 * tampered[0].numel()
    assert (whole > 1.5 * symbols).all() and (whole < 3 * symbols).all()
    assert (half / whole).tolist() == pytest.approx([0.5] * len(whole), abs=0.08)


def test_persistence_settles_what_most_is_missing_of(case: Case) -> None:
    doubted = torch.full((2, 1, 256, 256), 0.004)
    doubted[..., :192] = 1
    # With fine slots both ways settle.
    before = make_carrier(SECRET, 256, 256, CPU, 3)
    immunized, levels = send(before, case.original, case.code, STEP)
    reception = receive(before, immunized.round(), case.code, levels, torch.ones_like(immunized[:, :1]), STEP)
    thorough, persistent = (
        draft(before, reception, doubted, case.statistics, effort) for effort in (THOROUGH, PERSISTENT)
    )
    lost = (doubted == 1).float()
    assert bool((persistent.doubt < thorough.doubt).all())
    won = quality(persistent.picture, case.original, lost) - quality(thorough.picture, case.original, lost)
    assert float(won[1]) > 2


def test_what_is_trusted_a_little_is_not_taken_for_shown(case: Case) -> None:
    reception = case.receive(case.immunized)
    doubted = torch.full((2, 1, 256, 256), 0.004)
    doubted[..., :100] = 1
    weight = block_weight(case.carrier, reception, 1 - block_probability(doubted, case.carrier))
    noise = pilot_noise(case.carrier, reception, torch.ones_like(reception.known))
    pixels = pixel_evidence(case.carrier, reception, doubted, weight, noise, case.statistics, certain=True)
    sober, easy = (shown_share(weight, pixels, sober=which) for which in (True, False))
    # Columns of 64: the first is lost, of the second 28 of 64 are known; the rest is, by .97.
    assert sober[0, 0].tolist() == pytest.approx([0, 28 / 64, 0.97, 0.97], abs=0.04)
    assert bool((easy >= sober).all())


def as_jpeg(case: Case, quality_factor: int) -> Tensor:
    return torch.cat([to_tensor(jpeg(from_tensor(picture), quality_factor)) for picture in case.immunized])


def test_wraps_told_by_a_denoiser_are_right_more_often(case: Case, square: Tensor) -> None:
    mask = pixels_of(square)
    before = draft(case.carrier, case.receive(as_jpeg(case, 50)), mask, case.statistics)
    # A third of the error taken away: more than the networks manage, so that the gain is no matter of luck.
    denoised = torch.where(mask > 0, before.picture + (case.original - before.picture) / 3, case.original)
    after = redraft(before, denoised)
    assert bool((after.doubt < before.doubt).all())
    gain = quality(after.picture, case.original, mask) - quality(before.picture, case.original, mask)
    assert float(gain.min()) > 0.1


def test_a_denoiser_has_no_say_in_the_solution_itself(case: Case, square: Tensor) -> None:
    """Where the wraps are certain, what it makes of the picture changes nothing, however wrong."""
    mask = pixels_of(square)
    before = draft(case.carrier, case.receive(case.immunized), mask, case.statistics)
    assert float(before.doubt.max()) < 0.03
    off = 3 * torch.randn(before.picture.shape, generator=torch.Generator().manual_seed(4))
    wrong = before.picture + off * mask
    after = redraft(before, wrong)
    moved = ((after.picture - before.picture) ** 2 * mask).sum() / (off**2 * mask).sum()
    assert float(moved) < 0.02


def test_drawing_again_leaves_the_earlier_draft_as_it_was(case: Case, square: Tensor) -> None:
    before = draft(case.carrier, case.receive(as_jpeg(case, 70)), pixels_of(square), case.statistics)
    kept = before.coefficients.clone()
    denoised = torch.where(pixels_of(square) > 0, before.picture * 0.9 + 12, case.immunized)
    first = redraft(before, denoised)
    redraft(first, denoised)
    again = redraft(before, denoised)
    assert before.coefficients.equal(kept)
    assert first.coefficients.equal(again.coefficients) and not first.coefficients.equal(kept)


def blurred(noise: Tensor) -> Tensor:
    """What symbols describe of it, more or less."""
    return functional.avg_pool2d(noise, 5, 1, 2)


@pytest.mark.parametrize(("quality_factor", "won"), [(None, 0.25), (90, 0.15), (50, 0.05)])
def test_what_a_denoiser_errs_in_symbols_put_right(
    quality_factor: int | None, won: float, case: Case, square: Tensor
) -> None:
    """As far as symbols tell it from what was sent; the better they arrived, the more."""
    mask = pixels_of(square)
    picture = case.immunized if quality_factor is None else as_jpeg(case, quality_factor)
    before = draft(case.carrier, case.receive(picture), mask, case.statistics)
    off = 36 * blurred(torch.randn(before.picture.shape, generator=torch.Generator().manual_seed(7)))
    denoised = torch.where(mask > 0, before.picture + off, case.immunized)
    held = consistent(before, denoised)
    gain = quality(held.picture, case.immunized, mask) - quality(denoised, case.immunized, mask)
    assert float(gain.min()) > won


def test_what_symbols_do_not_describe_is_left_to_the_denoiser(case: Case, square: Tensor) -> None:
    mask = pixels_of(square)
    before = draft(case.carrier, case.receive(case.immunized), mask, case.statistics)
    # Every other pixel, and so above all frequencies that are sent.
    finest = 3 * (1 - 2 * ((torch.arange(256)[:, None] + torch.arange(256)) % 2).float())
    plain, fine = (consistent(before, before.picture + detail * mask) for detail in (0, finest))
    kept = ((fine.picture - plain.picture) * finest * mask).sum() / (finest**2 * mask).sum() / 3
    assert float(kept) == pytest.approx(1, abs=0.02)


def test_nothing_is_moved_without_symbols(case: Case) -> None:
    before = draft(case.carrier, case.receive(case.immunized), torch.ones(2, 1, 256, 256), case.statistics)
    denoised = case.original.flip(-1)
    assert consistent(before, denoised).picture.equal(denoised)


def test_a_draft_held_against_the_symbols_is_told_by_its_doubt(case: Case, square: Tensor) -> None:
    mask = pixels_of(square)
    before = draft(case.carrier, case.receive(as_jpeg(case, 70)), mask, case.statistics)
    kept = before.picture.clone()
    held = consistent(before, torch.where(mask > 0, before.picture, case.immunized))
    torch.testing.assert_close(held.doubt, 0.1 * before.doubt)
    assert held.decoder is before.decoder and before.picture.equal(kept)


def test_a_draft_of_a_crop_is_no_surer_than_it_may_be(case: Case) -> None:
    inside = torch.zeros(2, 1, 256, 256)
    inside[..., 20:171, 28:179] = 1
    reception = replace(case.receive(case.immunized * inside + 128 * (1 - inside), inside), fine=None)
    solution = draft(case.carrier, reception, torch.zeros(2, 1, 256, 256), case.statistics)
    decoder = solution.decoder
    sent = case.carrier.mixing.forward((analyse_source(case.original) / sender_scale(CPU)).flatten(1))
    error = (decoder.stage.mean - (sent / decoder.amplitude).view_as(decoder.received)) ** 2
    true = (error * decoder.alive).sum((1, 2, 3)) / decoder.alive.sum((1, 2, 3))
    assert bool((true > 0.05).all())
    assert float((solution.doubt / true).min()) > 0.85 and float((solution.doubt / true).max()) < 1.6


def test_fine_slots_tell_what_was_cut_away(case: Case) -> None:
    inside = torch.zeros(2, 1, 256, 256)
    inside[..., 20:171, 28:179] = 1
    reception = case.receive(case.immunized * inside + 128 * (1 - inside), inside)
    drafts = [
        draft(case.carrier, told, 1 - inside, case.statistics) for told in (replace(reception, fine=None), reception)
    ]
    without, with_them = (quality(solution.picture, case.original, 1 - inside) for solution in drafts)
    assert bool((with_them > without + 2).all())
    assert bool((drafts[1].doubt < drafts[0].doubt).all())


def test_fine_slots_are_left_out_where_jpeg_left_nothing_of_them(case: Case, square: Tensor) -> None:
    for quality_factor, said in ((98, 36), (75, 12)):
        reception = case.receive(as_jpeg(case, quality_factor))
        assert reception.fine is not None
        solution = case.draft(reception, square)
        assert solution.decoder.received.shape[1] == said
        assert solution.noise.shape == (2, 14) and solution.ratios.shape[1] == 14


def test_pictures_of_before_fine_slots_have_none(case: Case) -> None:
    before = make_carrier(SECRET, 256, 256, CPU, 3)
    symbols = describe(before, case.original)
    assert before.fine is None and symbols.shape == (2, 12 * 32 * 32)
    torch.testing.assert_close(symbols, describe(case.carrier, case.original)[:, : 12 * 32 * 32], rtol=0, atol=1e-4)
    immunized, levels = send(before, case.original, case.code, STEP)
    inside = torch.ones_like(immunized[:, :1])
    assert receive(before, immunized.round(), case.code, levels, inside, STEP).fine is None
