"""The differentiable JPEG against libjpeg, and its gradients."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from torch import Tensor

from imuge_cli.attacks.differentiable_jpeg import jpeg, quantization_tables, straight_clamp, straight_round

PICTURES = ("astronaut", "coffee", "chelsea")


def photograph(name: str) -> NDArray[np.uint8]:
    picture: NDArray[np.uint8] = getattr(data, name)()[20:276, 30:330]
    return picture


def as_tensor(picture: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(picture.transpose(2, 0, 1).copy()).float()[None] / 255


def libjpeg(picture: NDArray[np.uint8], quality: int, *, subsampled: bool) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling="4:2:0" if subsampled else "4:4:4")
    with Image.open(buffer) as file:
        return np.asarray(file)


@pytest.mark.parametrize("subsampled", [True, False], ids=["4:2:0", "4:4:4"])
@pytest.mark.parametrize("quality", [50, 60, 70, 80, 90, 95])
@pytest.mark.parametrize("name", PICTURES)
def test_pixels_come_out_as_from_libjpeg(name: str, quality: int, subsampled: bool) -> None:
    picture = photograph(name)
    ours = jpeg(as_tensor(picture), torch.tensor([quality]), subsampled=subsampled)
    theirs = libjpeg(picture, quality, subsampled=subsampled).astype(np.float64)
    difference = ours[0].permute(1, 2, 0).numpy() * 255 - theirs
    assert np.sqrt((difference**2).mean()) < 1.5
    # Far nearer to it than to the picture that was saved.
    assert (difference**2).mean() < 0.25 * ((picture - theirs) ** 2).mean()


def test_each_picture_of_a_batch_has_its_own_quality_and_any_size() -> None:
    picture = as_tensor(photograph("coffee")[:45, :77])
    qualities = (30, 90)
    both = jpeg(picture.expand(2, -1, -1, -1), torch.tensor(qualities))
    assert both.shape == (2, 3, 45, 77)
    for result, quality in zip(both, qualities, strict=True):
        torch.testing.assert_close(result[None], jpeg(picture, torch.tensor([quality])), rtol=0, atol=0)
    torch.testing.assert_close(both * 255, (both * 255).round(), rtol=0, atol=1e-3)


def test_tables_are_those_of_libjpeg() -> None:
    buffer = io.BytesIO()
    for quality in (1, 25, 50, 77, 95, 100):
        buffer.seek(0)
        Image.new("RGB", (16, 16)).save(buffer, "JPEG", quality=quality)
        with Image.open(io.BytesIO(buffer.getvalue())) as file:
            tables = file.quantization  # type: ignore[attr-defined]
        ours = quantization_tables(torch.tensor([quality]))[0].int()
        for number in (0, 1):
            assert sorted(ours[number].flatten().tolist()) == sorted(tables[number])
            assert ours[number, 0, :2].tolist() == list(tables[number][:2])


def test_gradients_reach_every_pixel_and_point_the_right_way() -> None:
    torch.manual_seed(0)
    picture = as_tensor(photograph("chelsea")[:64, :64]).requires_grad_()
    jpeg(picture, torch.tensor([70])).sum().backward()  # type: ignore[no-untyped-call]
    assert picture.grad is not None
    # Straight through, brightness goes in and comes out: the blocks' transforms are orthonormal.
    torch.testing.assert_close(picture.grad.mean(), torch.tensor(1.0), rtol=0.02, atol=0)
    wanted = as_tensor(photograph("astronaut")[:64, :64])
    start = picture.detach().clone().requires_grad_()
    before = ((jpeg(start, torch.tensor([70])) - wanted) ** 2).mean()
    (gradient,) = torch.autograd.grad(before, start)
    after = ((jpeg(start - 0.2 * gradient / gradient.abs().max(), torch.tensor([70])) - wanted) ** 2).mean()
    assert after < before


def test_roundings_let_gradients_through() -> None:
    x = torch.tensor([-0.7, 0.2, 1.6], requires_grad=True)
    y = straight_clamp(straight_round(x), 0, 1)
    assert y.tolist() == [0, 0, 1]
    y.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None and x.grad.tolist() == [1, 1, 1]
