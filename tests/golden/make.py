"""Writes what format versions 3 and 4 say, for test_golden.py to compare with: run it once for a new format version.

Pictures made with format versions 2 to 4 must be found and read by every later version, so these files never change.
    python tests/golden/make.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from photographs import drawn, to_tensor  # noqa: E402

from imuge_cli.api import Imuge  # noqa: E402
from imuge_cli.image.picture import Picture  # noqa: E402
from imuge_cli.image.write import write_picture  # noqa: E402
from imuge_cli.keys import Secret, keyed_permutation, keyed_signs, plane_bytes  # noqa: E402
from imuge_cli.lattice.gates import BUSY, CALM, FINE_CALM  # noqa: E402
from imuge_cli.lattice.header import CODE_BITS, Header, encode_header  # noqa: E402
from imuge_cli.lattice.layout import fine_dither, make_layout  # noqa: E402
from imuge_cli.lattice.template import (  # noqa: E402
    PERIOD,
    PITCH,
    PULL,
    SIGMAS,
    STEP,
    template_dither,
    template_filter,
)
from imuge_cli.lattice.transform import FINE_SLOTS, SLOTS  # noqa: E402
from imuge_cli.models.lattice.carrier import (  # noqa: E402
    CHIP_PHASE,
    FINE_GAIN,
    FINE_STEP,
    GAINS,
    STEPS,
    make_carrier,
)
from imuge_cli.models.lattice.sender import describe  # noqa: E402
from imuge_cli.payload.mixing import make_mixing  # noqa: E402
from imuge_cli.payload.source import frequencies, sender_scale  # noqa: E402

HEIGHT, WIDTH, IMAGE_ID = 128, 160, 123456
FACTS, FINE_FACTS = FOLDER / "format-3.json", FOLDER / "format-4.json"
PICTURES = {version: FOLDER / f"format-{version}.png" for version in (2, 3, 4)}
HEADER = Header(version=3, family=0, strength=1, height=HEIGHT, width=WIDTH, image_id=IMAGE_ID, level=4)


def facts() -> dict[str, Any]:
    """Everything by name; bytes in hexadecimal, numbers rounded to what floating point keeps everywhere."""
    return {
        "keys": _keys(),
        "header": _header(),
        "layout": _layout(),
        "template": _template(),
        "mixing": _mixing(),
        "source": _source(),
    }


def fine_facts() -> dict[str, Any]:
    """What format version 4 has beside all that."""
    secret = Secret.default()
    carrier = make_carrier(secret, HEIGHT, WIDTH, torch.device("cpu"))
    assert carrier.fine is not None
    symbols = describe(carrier, to_tensor(drawn(HEIGHT, WIDTH)))[0, carrier.mixing.outputs :]
    mixing = carrier.fine.mixing
    return {
        "fine": {
            "slots": [list(s) for s in FINE_SLOTS],
            "dither": _rounded(fine_dither(secret, 4, 5)[:, 3, 2], 7),
            "step": FINE_STEP,
            "gain": FINE_GAIN,
            "gates": [CALM, FINE_CALM, BUSY],
            "lengths": [mixing.first.length, mixing.second.length],
            "positions": mixing.second.positions[:32].tolist(),
            "rows": mixing.second.rows[:32].tolist(),
            "signs": "".join("+" if s > 0 else "-" for s in mixing.second.signs[:64]),
            "amplitude": round(carrier.fine.amplitude, 4),
            "symbols of the drawn picture": _rounded(symbols[::197].numpy(), 3),
        }
    }


def _keys() -> dict[str, Any]:
    secret = Secret.default()
    key = secret.subkey("golden")
    return {
        "published material": secret.material.hex(),
        "subkey": key.hex(),
        "long subkey": secret.subkey("golden", 80).hex(),
        "plane at 0, 0": plane_bytes(key, 2, 3, 8).tobytes().hex(),
        "plane at -33, 40": plane_bytes(key, 2, 3, 8, top=-33, left=40).tobytes().hex(),
        "permutation of 1000": keyed_permutation(key, 1000)[:32].tolist(),
        "signs": "".join("+" if s > 0 else "-" for s in keyed_signs(key, 64)),
    }


def _header() -> dict[str, Any]:
    return {
        "bits": np.packbits(HEADER.to_bits()).tobytes().hex(),
        "code": np.packbits(encode_header(HEADER)).tobytes().hex(),
        "code bits": CODE_BITS,
    }


def _layout() -> dict[str, Any]:
    layout = make_layout(Secret.default(), 4, 5, top=-1, left=30)
    return {
        "slots": [list(s) for s in SLOTS],
        "order": layout.order.reshape(len(SLOTS), -1).T.tolist(),
        "dither": _rounded(layout.dither[:, 0, 0], 7),
        "chips": (layout.chips % CODE_BITS).tolist(),
        "flips": layout.flips.astype(int).tolist(),
        "steps": STEPS,
        "gains": list(GAINS),
        "chip phase": CHIP_PHASE,
    }


def _template() -> dict[str, Any]:
    dither = template_dither(Secret.default(), 18, 18)
    return {
        "pitch": PITCH,
        "period": PERIOD,
        "sigmas": list(SIGMAS),
        "step": STEP,
        "pull": PULL,
        "dither of 16, 16": _rounded(dither[16:18, 16:18].ravel(), 7),
        "dither of 0, 0": _rounded(dither[:2, :2].ravel(), 7),
        "filter": _rounded(template_filter(torch.device("cpu"))[0, 0, 28, ::5].numpy(), 6),
    }


def _mixing() -> dict[str, Any]:
    mixing = make_mixing(Secret.default(), 4160, 3840, torch.device("cpu"))
    ramp = torch.linspace(-1, 1, 4160, dtype=torch.float64)[None]
    return {
        "length": mixing.length,
        "positions": mixing.positions[:32].tolist(),
        "rows": mixing.rows[:32].tolist(),
        "signs": "".join("+" if s > 0 else "-" for s in mixing.signs[:64]),
        "ramp mixed": _rounded(mixing.forward(ramp)[0, :16].numpy(), 6),
    }


def _source() -> dict[str, Any]:
    carrier = make_carrier(Secret.default(), HEIGHT, WIDTH, torch.device("cpu"), 3)
    symbols = describe(carrier, to_tensor(drawn(HEIGHT, WIDTH)))[0]
    channel, row, column = frequencies()
    return {
        "grid": [carrier.grid.rows, carrier.grid.columns],
        "frequencies": [
            [int(channel[i]), int(row[i]), int(column[i])] for i in (0, 1, 2, 3, 299, 799, 800, 919, 920, 1039)
        ],
        "scale": _rounded(sender_scale()[[0, 1, 2, 299, 799, 800, 1039]].numpy(), 4),
        "amplitude": round(carrier.amplitude, 4),
        "symbols of the drawn picture": _rounded(symbols[::97].numpy(), 3),
    }


def _rounded(values: NDArray[np.generic], digits: int) -> list[float]:
    return [round(float(v), digits) for v in values]


def main() -> None:
    """Writes the files of this version; existing ones are kept."""
    for path, told in ((FACTS, facts), (FINE_FACTS, fine_facts)):
        if not path.exists():
            path.write_text(json.dumps(told(), indent=1) + "\n", encoding="utf-8")
    if not PICTURES[4].exists():
        sent = Imuge(device="cpu", exact=False).immunize(Picture(pixels=drawn(HEIGHT, WIDTH)), image_id=IMAGE_ID)
        write_picture(sent.picture, PICTURES[4])


if __name__ == "__main__":
    main()
