"""V, R and E: shapes, what they answer untrained, and weights through a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from imuge_cli.checkpoints import load_weights, save_weights
from imuge_cli.errors import WeightsError
from imuge_cli.keys import Secret
from imuge_cli.models.lattice.carrier import make_carrier
from imuge_cli.models.lattice.evidence import block_probability
from imuge_cli.models.lattice.family import LatticeNetworks
from imuge_cli.networks.blocks import Down, Residual, UNet, Up
from imuge_cli.networks.encoder import Encoder
from imuge_cli.networks.padding import pad_to
from imuge_cli.networks.recoverer import Recoverer
from imuge_cli.networks.resolver import Resolver
from imuge_cli.networks.verifier import BLOCK_PLANES, Verifier, block_evidence

SMALL_V, SMALL_R, SMALL_E = (8, 12, 16), (8, 8, 12, 16), (4, 4, 6, 6, 8, 8)


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def stir(network: nn.Module, seed: int = 1) -> None:
    """Weights other than the ones a network starts with."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.03)


def verifier_input(height: int = 64, width: int = 48) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.rand(2, 3, height, width),
        torch.rand(2, 3, height, width),
        torch.randn(2, BLOCK_PLANES, height // 8, width // 8),
    )


def recoverer_input(height: int = 32, width: int = 48) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    mask = (torch.rand(2, 1, height, width) > 0.7).float()
    pictures = torch.rand(2, 3, height, width), mask, torch.rand(2, 3, height, width)
    return *pictures, torch.tensor([0.002, 0.1]), torch.tensor([0.05, 1.0])


def test_blocks_keep_or_halve_or_double() -> None:
    x = torch.randn(1, 6, 8, 12)
    assert Residual(6)(x).shape == x.shape
    assert Down(6, 10, 2)(x).shape == (1, 10, 4, 6)
    assert Up(10, 6, 1)(torch.randn(1, 10, 4, 6), x).shape == x.shape


@pytest.mark.parametrize("widths", [(4,), (4, 6), (4, 6, 8, 10)])
def test_a_u_net_is_zero_before_training_and_then_is_not(widths: tuple[int, ...]) -> None:
    net = UNet(5, 3, widths, depth=1, middle=1)
    x = torch.randn(2, 5, 16, 24)
    assert net(x).shape == (2, 3, 16, 24)
    assert float(net(x).abs().max()) == 0
    stir(net)
    assert float(net(x).abs().max()) > 0


def test_an_untrained_verifier_is_undecided() -> None:
    verifier = Verifier(SMALL_V)
    logits = verifier(*verifier_input())
    assert logits.shape == (2, 1, 64, 48)
    torch.testing.assert_close(torch.sigmoid(logits), torch.full_like(logits, 0.5))


@pytest.mark.parametrize("changed", [0, 1, 2])
def test_the_verifier_sees_all_of_its_inputs(changed: int) -> None:
    verifier = Verifier(SMALL_V)
    stir(verifier)
    parts = list(verifier_input())
    before = verifier(*parts)
    parts[changed] = parts[changed].flip(-1)
    assert float((verifier(*parts) - before).abs().max()) > 1e-4


def test_edges_are_drawn_by_the_pixel() -> None:
    # Without the layers at half the resolution, four by four pixels can but share what is said of them.
    verifier = Verifier(SMALL_V)
    stir(verifier)
    coarse = verifier.net.leave
    assert isinstance(coarse, nn.Conv2d)
    coarse.weight.zero_()
    suspect, draft, evidence = verifier_input()
    before = verifier(suspect, draft, evidence)
    suspect[..., 32, 24] = 1 - suspect[..., 32, 24]
    change = (verifier(suspect, draft, evidence) - before).abs()[0, 0]
    assert float(change[32, 24]) > 0
    assert len(change[30:36, 22:28].unique()) > 16


def test_an_untrained_recoverer_returns_the_draft() -> None:
    suspect, mask, draft, noise, doubt = recoverer_input()
    torch.testing.assert_close(Recoverer(SMALL_R)(suspect, mask, draft, noise, doubt), draft)


def test_the_recoverer_never_sees_what_the_mask_covers() -> None:
    recoverer = Recoverer(SMALL_R)
    stir(recoverer)
    suspect, mask, draft, noise, doubt = recoverer_input()
    before = recoverer(suspect, mask, draft, noise, doubt)
    hidden = suspect * (1 - mask) + torch.rand_like(suspect) * mask
    torch.testing.assert_close(recoverer(hidden, mask, draft, noise, doubt), before)
    seen = suspect * mask + torch.rand_like(suspect) * (1 - mask)
    assert float((recoverer(seen, mask, draft, noise, doubt) - before).abs().max()) > 1e-4
    assert float((recoverer(suspect, mask, draft, noise * 9, doubt) - before).abs().max()) > 1e-5
    assert float((recoverer(suspect, mask, draft, noise, doubt / 9) - before).abs().max()) > 1e-5


@pytest.mark.parametrize("network", ["verifier", "recoverer"])
def test_sides_must_be_multiples_of_16(network: str) -> None:
    with pytest.raises(RuntimeError):
        if network == "verifier":
            Verifier(SMALL_V)(*verifier_input(72, 40))
        else:
            Recoverer(SMALL_R)(*recoverer_input(24, 32))


def test_evidence_planes_and_their_ranges() -> None:
    ratios, errors = torch.randn(2, 14, 4, 5) * 30, torch.rand(2, 2, 4, 5) - 0.5
    known = torch.ones(2, 1, 4, 5)
    known[..., 2:] = 0
    planes = block_evidence(ratios, errors, known, True)
    assert planes.shape == (2, BLOCK_PLANES, 4, 5)
    assert float(planes.min()) >= -2
    assert float(planes.max()) <= 3
    assert float(planes[:, 14:18, :, 2:].abs().max()) == 0
    torch.testing.assert_close(planes[:, 14:16] ** 2 + planes[:, 16:18] ** 2, known.expand(-1, 2, -1, -1))
    torch.testing.assert_close(planes[:, 18:19], known)
    assert (planes[:, 19] == 1).all()
    assert (block_evidence(ratios, errors, known, False)[:, 19] == 0).all()


def test_an_untrained_encoder_corrects_nothing() -> None:
    encoder = Encoder(800, SMALL_E)
    picture = torch.rand(2, 3, 128, 192)
    corrections = encoder(picture)
    assert corrections.shape == (2, 2, 3, 800)
    assert float(corrections.abs().max()) == 0
    stir(encoder)
    assert float(encoder(picture).abs().max()) > 0


def test_an_encoder_halves_six_times() -> None:
    with pytest.raises(ValueError, match="six widths"):
        Encoder(800, (4, 4))


def test_padding_repeats_the_border() -> None:
    picture = torch.rand(1, 3, 18, 32)
    padded = pad_to(picture, 16)
    assert padded.shape == (1, 3, 32, 32)
    torch.testing.assert_close(padded[..., :18, :], picture)
    torch.testing.assert_close(padded[..., 18:, :], picture[..., 17:, :].expand(-1, -1, 14, -1))
    assert pad_to(padded, 16) is padded
    # A network that halves four times keeps two columns: the strided convolutions of bfloat16 need them.
    assert pad_to(picture[..., :3], 16).shape[-1] == 32


def test_a_block_is_as_suspicious_as_its_worst_quarter() -> None:
    carrier = make_carrier(Secret(b"s" * 32), 132, 136, torch.device("cpu"))
    probability = torch.zeros(1, 1, 132, 136)
    probability[..., 12:16, 20:24] = 0.9
    probability[..., 40:42, 64:68] = 1
    blocks = block_probability(probability, carrier)
    assert blocks.shape == (1, 1, 16, 17)
    assert float(blocks[0, 0, 1, 2]) == pytest.approx(0.9)
    assert float(blocks[0, 0, 5, 8]) == pytest.approx(0.5)
    assert float(blocks.sum()) == pytest.approx(1.4)


def resolver_input(height: int = 32, width: int = 48) -> tuple[Tensor, Tensor, Tensor]:
    return torch.rand(2, 3, height, width) * 255, torch.rand(2, height), torch.rand(2, width)


def test_an_untrained_resolver_returns_what_it_is_given() -> None:
    resolver = Resolver(8, 2)
    undone, rows, columns = resolver_input()
    torch.testing.assert_close(resolver(undone, rows, columns), undone, rtol=0, atol=0)
    stir(resolver)
    assert float((resolver(undone, rows, columns) - undone).abs().max()) > 0.1


def test_a_resolver_minds_what_is_left_open_on_either_axis() -> None:
    resolver = Resolver(8, 2)
    stir(resolver)
    undone, rows, columns = resolver_input()
    result = resolver(undone, rows, columns)
    for other in (resolver(undone, rows / 100, columns), resolver(undone, rows, columns / 100)):
        assert float((other - result).abs().max()) > 0.01


@pytest.mark.parametrize("depth", [1, 6])
def test_what_lies_beyond_the_margin_has_no_say_in_a_pixel(depth: int) -> None:
    resolver = Resolver(4, depth)
    margin = resolver.margin
    stir(resolver)
    undone, rows, columns = torch.rand(1, 3, 8, 160) * 255, torch.rand(1, 8), torch.rand(1, 160)
    other = undone.clone()
    other[..., : 80 - margin] = 0
    first, second = resolver(undone, rows, columns), resolver(other, rows, columns)
    torch.testing.assert_close(first[..., 80:], second[..., 80:], rtol=0, atol=0)
    assert float((first - second)[..., 80 - margin : 80].abs().max()) > 0


@pytest.mark.parametrize("resolver", [None, (8, 2)])
@pytest.mark.parametrize("encoder", [None, SMALL_E])
def test_weights_survive_a_file_of_16_bit_floats(
    tmp_path: Path, encoder: tuple[int, ...] | None, resolver: tuple[int, int] | None
) -> None:
    networks = LatticeNetworks(SMALL_V, SMALL_R, encoder, resolver=resolver)
    stir(networks)
    save_weights(tmp_path, "lattice", networks.state_dict(), networks.config, {})
    loaded = load_weights("lattice", tmp_path)
    again = LatticeNetworks.from_tensors(loaded.tensors, loaded.config)
    assert again.config == networks.config
    for (name, one), other in zip(networks.state_dict().items(), again.state_dict().values(), strict=True):
        assert other.dtype == torch.float32
        torch.testing.assert_close(other, one, rtol=2**-10, atol=1e-6, msg=name)
    parts, others = verifier_input(), recoverer_input()
    torch.testing.assert_close(again.verifier(*parts), networks.verifier(*parts), rtol=0, atol=2e-3)
    torch.testing.assert_close(again.recoverer(*others), networks.recoverer(*others), rtol=0, atol=2e-3)


def test_weights_that_do_not_fit_are_refused() -> None:
    networks = LatticeNetworks(SMALL_V, SMALL_R)
    tensors = networks.state_dict()
    with pytest.raises(WeightsError, match="do not fit"):
        LatticeNetworks.from_tensors(tensors, {**networks.config, "verifier_widths": [8, 12, 20]})
    with pytest.raises(WeightsError, match="do not fit"):
        LatticeNetworks.from_tensors(tensors, {})
    del tensors["log_variance"]
    with pytest.raises(WeightsError, match="do not fit"):
        LatticeNetworks.from_tensors(tensors, networks.config)


def test_a_resolver_added_later_changes_nothing_yet() -> None:
    networks = LatticeNetworks(SMALL_V, SMALL_R)
    networks.add_resolver(8, 2)
    assert networks.resolver is not None
    undone, rows, columns = resolver_input()
    torch.testing.assert_close(networks.resolver(undone, rows, columns), undone, rtol=0, atol=0)
    again = LatticeNetworks.from_tensors(networks.state_dict(), networks.config)
    assert again.resolver is not None


def test_an_encoder_added_later_changes_nothing_yet() -> None:
    networks = LatticeNetworks(SMALL_V, SMALL_R)
    networks.add_encoder(SMALL_E)
    assert networks.encoder is not None
    assert float(networks.encoder(torch.rand(1, 3, 64, 64)).abs().max()) == 0
    again = LatticeNetworks.from_tensors(networks.state_dict(), networks.config)
    assert again.encoder is not None
