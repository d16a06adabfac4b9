"""The paper's attack layer: what is replaced, what is told, and that gradients pass."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from imuge_cli.attacks import layer, soft
from imuge_cli.attacks.layer import BENIGN, MALICIOUS, AttackLayer, content, tamper


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 2, side: int = 64) -> Tensor:
    photograph = torch.from_numpy(data.astronaut()).permute(2, 0, 1).float() / 255
    return torch.stack([photograph[:, i * 70 : i * 70 + side, 100 : 100 + side] for i in range(count)])


def box(count: int = 2, side: int = 64) -> Tensor:
    mask = torch.zeros(count, 1, side, side)
    mask[..., 10:30, 20:50] = 1
    return mask


def test_equation_1() -> None:
    sent, other, mask = pictures(), torch.full((2, 3, 64, 64), 0.25), box()
    result = tamper(sent, other, mask)
    assert (result[..., 10:30, 20:50] == 0.25).all()
    torch.testing.assert_close(result * (1 - mask), sent * (1 - mask), rtol=0, atol=0)


def test_what_is_put_in() -> None:
    sent, donors = pictures(), pictures(2) * 0.5
    assert content("replace", sent, donors, seeded()) is donors
    colours = content("colour", sent, donors, seeded())
    assert (colours == colours[..., :1, :1]).all() and not torch.equal(colours[0], colours[1])
    for seed in range(20):
        copied = content("clone", sent, donors, seeded(seed))
        torch.testing.assert_close(copied.mean((1, 2, 3)), sent.mean((1, 2, 3)))
        assert (copied - sent).abs().mean() > 0.02
    with pytest.raises(ValueError, match="'paste'"):
        content("paste", sent, donors, seeded())


def test_everything_is_drawn_evenly_and_the_mask_says_what_happened() -> None:
    attacks, sent, mask = AttackLayer(skipped=0.2), pictures(1, 32), box(1, 32)
    generator = seeded(3)
    done = [attacks(sent, sent.flip(-1), mask, generator) for _ in range(600)]
    skipped = [d for d in done if not d.tampered]
    assert 90 <= len(skipped) <= 155
    assert not any(d.mask.any() for d in skipped)
    for name in BENIGN:
        of_kind = [d for d in done if d.tampered and d.benign == name]
        assert 50 <= len(of_kind) <= 115
        if name != "crop":
            assert all(torch.equal(d.mask, mask) for d in of_kind)
        else:
            assert all((d.mask >= mask).all() and d.mask.mean() < 0.95 for d in of_kind)
    assert all((d.picture * 255 - (d.picture * 255).round()).abs().max() < 1e-3 for d in done[:60])


def test_the_same_generator_gives_the_same_attack() -> None:
    attacks, sent = AttackLayer(), pictures()
    first, again = (attacks(sent, sent.flip(0), box(), seeded(11)) for _ in range(2))
    torch.testing.assert_close(first.picture, again.picture, rtol=0, atol=0)
    assert first.benign == again.benign


@pytest.mark.parametrize("name", BENIGN)
def test_gradients_pass_every_attack(name: str) -> None:
    sent = pictures().requires_grad_()
    attacked, gone = AttackLayer().attack(name, sent, seeded(1))
    assert attacked.shape == sent.shape and gone.shape == (2, 1, 64, 64)
    (soft.saved(attacked) * (1 - gone)).sum().backward()  # type: ignore[no-untyped-call]
    assert sent.grad is not None
    total = float(sent.grad.sum()) / float((1 - gone).expand_as(sent).sum())
    assert total == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("kernel", [3, 5])
def test_blur_is_opencvs(kernel: int) -> None:
    picture = pictures(1)
    theirs = cv2.GaussianBlur(picture[0].permute(1, 2, 0).numpy(), (kernel, kernel), 0)
    np.testing.assert_allclose(soft.blur(picture, kernel)[0].permute(1, 2, 0).numpy(), theirs, atol=1e-5)
    with pytest.raises(ValueError, match="3 or 5"):
        soft.blur(picture, 4)


def test_scaling_and_back_keeps_the_place() -> None:
    picture = pictures(1)
    for factor in (0.5, 0.7, 1.5, 2.0):
        back = soft.scale_back(picture, factor)
        assert back.shape == picture.shape
        away = [(torch.roll(back, step, -1) - picture)[..., 4:-4].abs().mean() for step in (-1, 0, 1)]
        assert away[1] < 0.95 * min(away[0], away[2])
    torch.testing.assert_close(soft.scale_back(picture, 1.0), picture, atol=1e-5, rtol=0)


def test_noise_has_the_papers_strength() -> None:
    flat = torch.full((1, 3, 128, 128), 0.5)
    drawn = soft.noise(flat, layer._SIGMA, seeded()) * 2 - 1
    assert float(drawn.std()) == pytest.approx(0.1, rel=0.02)
    assert float(drawn.mean()) == pytest.approx(0, abs=0.002)


def test_a_crop_keeps_its_share_in_place() -> None:
    for share in (0.5, 0.7, 0.9):
        cropped, gone = soft.crop(pictures(), share, seeded(2))
        assert float(1 - gone.mean()) == pytest.approx(share, abs=0.02)
        torch.testing.assert_close(cropped * (1 - gone), pictures() * (1 - gone), rtol=0, atol=0)
        assert (cropped[gone.expand_as(cropped) > 0] == 0.5).all()


def test_unknown_attacks_are_refused() -> None:
    with pytest.raises(ValueError, match="sharpen"):
        AttackLayer(("jpeg", "sharpen"))
    assert set(MALICIOUS) == {"replace", "colour", "clone"}
