"""The networks and statistics of the default family, as they are stored and used together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from imuge_cli.errors import WeightsError
from imuge_cli.lattice.transform import BLOCK
from imuge_cli.models.lattice.carrier import Carrier
from imuge_cli.models.lattice.channel import block_ratios, pilot_noise
from imuge_cli.models.lattice.clipping import unsuspicious_ratios
from imuge_cli.models.lattice.decoder import Effort
from imuge_cli.models.lattice.evidence import Statistics
from imuge_cli.models.lattice.receiver import THOROUGH, Draft, draft
from imuge_cli.models.lattice.reception import Reception
from imuge_cli.models.lattice.ways import WAYS
from imuge_cli.networks.encoder import Encoder
from imuge_cli.networks.padding import pad_to
from imuge_cli.networks.precision import short_floats
from imuge_cli.networks.recoverer import MULTIPLE, Recoverer
from imuge_cli.networks.resolver import Resolver
from imuge_cli.networks.verifier import Verifier, block_evidence
from imuge_cli.payload.source import BAND, COEFFICIENTS, model_variance

FAMILY = "lattice"


class LatticeNetworks(nn.Module):
    """V, R, the receiver's statistics and, where they were trained, E and S."""

    log_variance: Tensor
    log_residue: Tensor
    log_damage_floor: Tensor
    log_damage_slope: Tensor

    def __init__(
        self,
        verifier_widths: tuple[int, ...] = (64, 96, 128),
        recoverer_widths: tuple[int, ...] = (48, 64, 96, 160),
        encoder_widths: tuple[int, ...] | None = None,
        edge_width: int = 32,
        resolver: tuple[int, int] | None = None,
    ) -> None:
        """resolver: width and depth of S."""
        super().__init__()
        self.config = {
            "verifier_widths": list(verifier_widths),
            "edge_width": edge_width,
            "recoverer_widths": list(recoverer_widths),
            "encoder_widths": None if encoder_widths is None else list(encoder_widths),
            "resolver": None if resolver is None else list(resolver),
        }
        self.verifier = Verifier(verifier_widths, edge_width)
        self.recoverer = Recoverer(recoverer_widths)
        self.encoder = None if encoder_widths is None else Encoder(COEFFICIENTS, encoder_widths)
        self.resolver = None if resolver is None else Resolver(*resolver)
        self.register_buffer("log_variance", torch.log(model_variance()))
        self.register_buffer("log_residue", torch.full((3, BAND, BAND), 4.6))
        self.register_buffer("log_damage_floor", torch.zeros(COEFFICIENTS))
        self.register_buffer("log_damage_slope", torch.zeros(COEFFICIENTS))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], config: Mapping[str, object]) -> LatticeNetworks:
        """The networks in a weights file. Raises WeightsError where tensors and configuration do not fit."""
        try:
            encoder, resolver = config.get("encoder_widths"), config.get("resolver")
            networks = cls(
                tuple(config["verifier_widths"]),  # type: ignore[arg-type]
                tuple(config["recoverer_widths"]),  # type: ignore[arg-type]
                None if encoder is None else tuple(encoder),  # type: ignore[arg-type]
                int(config["edge_width"]),  # type: ignore[call-overload]
                None if resolver is None else tuple(resolver),  # type: ignore[arg-type]
            )
            networks.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        except (KeyError, TypeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(f"the weights do not fit this version's networks ({reason}); reinstall imuge") from error
        if networks.log_variance.numel() != COEFFICIENTS:
            raise WeightsError("the weights describe another set of coefficients; reinstall imuge")
        return networks

    def add_encoder(self, widths: tuple[int, ...]) -> None:
        """Give networks that send linear symbols an encoder; it changes nothing before it is trained."""
        self.encoder = Encoder(COEFFICIENTS, widths)
        self.config["encoder_widths"] = list(widths)

    def add_resolver(self, width: int, depth: int) -> None:
        """Give networks S; it changes nothing before it is trained."""
        self.resolver = Resolver(width, depth)
        self.config["resolver"] = [width, depth]

    def statistics(self) -> Statistics:
        """The receiver's statistics."""
        return Statistics(
            variance=torch.exp(self.log_variance),
            residue=torch.exp(self.log_residue),
            damage_floor=torch.exp(self.log_damage_floor),
            damage_slope=torch.exp(self.log_damage_slope),
        )

    def first_look(self, reception: Reception, evidence: Tensor) -> Tensor:
        """V without a draft, from `first_evidence`: logits N x 1 x H x W."""
        suspect = reception.picture / 255
        return self._look(suspect, suspect, evidence)

    def second_look(
        self, reception: Reception, solution: Draft, window: tuple[slice, slice] = (slice(None), slice(None))
    ) -> Tensor:
        """V with a draft: logits N x 1 x H x W, or those of a window that begins at whole blocks."""
        ratios = unsuspicious_ratios(solution.ratios, reception.clipped, reception.picture, solution.picture)
        evidence = block_evidence(ratios, reception.errors, reception.known, True)
        suspect, drafted = reception.picture / 255, solution.picture.clamp(0, 255) / 255
        blocks = (_in_blocks(window[0]), _in_blocks(window[1]))
        return self._look(suspect[(..., *window)], drafted[(..., *window)], evidence[(..., *blocks)])

    def solve(
        self,
        carrier: Carrier,
        reception: Reception,
        probability: Tensor,
        effort: Effort = THOROUGH,
        *,
        before: Draft | None = None,
    ) -> Draft:
        """The draft under a tamper probability N x 1 x H x W per pixel; before: see `receiver.draft`."""
        return draft(carrier, reception, probability, self.statistics(), effort, before=before)

    def recover(self, reception: Reception, mask: Tensor, solution: Draft) -> Tensor:
        """R: the recovered picture, N x 3 x H x W in [0, 1], not clipped. mask: N x 1 x H x W."""
        return self.recover_window(reception, mask, solution, (slice(None), slice(None)))

    def recover_window(
        self, reception: Reception, mask: Tensor, solution: Draft, window: tuple[slice, slice], *, looks: int = 1
    ) -> Tensor:
        """R on the given rows and columns alone. looks: 1 to 8, the mean of as many (`WAYS`): R errs otherwise
        each time, and takes as many times as long."""
        pictures = (reception.picture / 255, mask, solution.picture.clamp(0, 255) / 255)
        parts = [picture[(..., *window)] for picture in pictures]
        total = torch.zeros_like(parts[0])
        for way in WAYS[:looks]:
            total += way.upright(self._recover([way.laid(part) for part in parts], solution))
        return total / looks

    def _recover(self, parts: Sequence[Tensor], solution: Draft) -> Tensor:
        height, width = parts[0].shape[-2:]
        suspect, told, drafted = (pad_to(part, MULTIPLE) for part in parts)
        with short_floats(suspect.device):
            result: Tensor = self.recoverer(suspect, told, drafted, solution.noise.mean(1), solution.doubt)
        return result[..., :height, :width].float()

    def _look(self, suspect: Tensor, drafted: Tensor, evidence: Tensor) -> Tensor:
        height, width = suspect.shape[-2:]
        suspect, drafted = pad_to(suspect, MULTIPLE), pad_to(drafted, MULTIPLE)
        rows, columns = suspect.shape[-2] // BLOCK, suspect.shape[-1] // BLOCK
        evidence = functional.pad(evidence, (0, columns - evidence.shape[-1], 0, rows - evidence.shape[-2]))
        with short_floats(suspect.device):
            result: Tensor = self.verifier(suspect, drafted, evidence)
        return result[..., :height, :width].float()


def _in_blocks(part: slice) -> slice:
    """The blocks of a part of a side that begins with a whole one."""
    return part if part.stop is None else slice(part.start // BLOCK, -(-part.stop // BLOCK))


def first_evidence(carrier: Carrier, reception: Reception) -> Tensor:
    """V's evidence by block without a draft, N x 20 x rows x columns."""
    trust = torch.ones_like(reception.known)
    # Tampered blocks would pass for noise; a second estimate leaves out what the first calls overwritten.
    for _ in range(2):
        noise = pilot_noise(carrier, reception, trust)
        ratios = block_ratios(carrier, reception, noise)
        vote = functional.avg_pool2d(ratios.sum(1, keepdim=True), 3, 1, 1, count_include_pad=False)
        trust = torch.sigmoid(-2 * vote)
    return block_evidence(ratios, reception.errors, reception.known, False)
