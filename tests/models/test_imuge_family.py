"""The paper's networks as stored: configuration, tensors, ranges."""

from __future__ import annotations

import json

import pytest
import torch

from imuge_cli.errors import WeightsError
from imuge_cli.models.imuge.family import ImugeNetworks, probability
from imuge_cli.networks.backbone import Style

SMALL = Style(width=8, convolutions=1, dilations=(1, 2))


def test_networks_come_back_as_they_were_stored() -> None:
    torch.manual_seed(0)
    wider = Style(width=16, convolutions=2, dilations=(1,), activation="elu", normalization="instance")
    networks = ImugeNetworks(SMALL, SMALL, wider, (1,))
    config = json.loads(json.dumps(networks.config))
    again = ImugeNetworks.from_tensors(networks.state_dict(), config)
    picture, mask = torch.rand(1, 3, 32, 48) * 2 - 1, torch.zeros(1, 1, 32, 48)
    mask[..., 8:20, 8:30] = 1
    torch.testing.assert_close(again.immunize(picture), networks.immunize(picture), rtol=0, atol=0)
    torch.testing.assert_close(again.judge(picture), networks.judge(picture), rtol=0, atol=0)
    torch.testing.assert_close(again.recover(picture, mask), networks.recover(picture, mask), rtol=0, atol=0)
    assert again.config == networks.config


def test_ranges() -> None:
    torch.manual_seed(0)
    networks = ImugeNetworks(SMALL, SMALL, SMALL)
    white = torch.ones(1, 3, 32, 32)
    sent = networks.immunize(white)
    assert sent.abs().max() <= 1
    assert (sent - white).abs().max() < 0.05
    likely = probability(networks.judge(white))
    assert likely.shape == (1, 1, 32, 32) and float(likely.detach().min()) > 0 and float(likely.detach().max()) < 1
    sent.sum().backward()
    last = networks.encoder.leave.bias
    assert last is not None and last.grad is not None and last.grad.abs().sum() > 0


@pytest.mark.parametrize("damage", ["missing style", "other width", "unknown normalization"])
def test_weights_that_do_not_fit_are_refused(damage: str) -> None:
    networks = ImugeNetworks(SMALL, SMALL, SMALL)
    config = json.loads(json.dumps(networks.config))
    if damage == "missing style":
        del config["verifier"]
    elif damage == "other width":
        config["encoder"]["width"] = 16
    else:
        config["recoverer"]["normalization"] = "layer"
    with pytest.raises(WeightsError, match="do not fit"):
        ImugeNetworks.from_tensors(networks.state_dict(), config)
