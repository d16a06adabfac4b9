"""imuge: pictures that can tell where they were tampered with, and heal themselves.

Public names are resolved on first use, so that importing the package loads neither torch nor OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from imuge_cli.api import ImmunizeResult as ImmunizeResult
    from imuge_cli.api import Imuge as Imuge
    from imuge_cli.api import RecoverResult as RecoverResult
    from imuge_cli.api import Synchronisation as Synchronisation
    from imuge_cli.api import VerifyResult as VerifyResult
    from imuge_cli.errors import ImugeError as ImugeError
    from imuge_cli.image.picture import Picture as Picture
    from imuge_cli.image.read import read_picture as read_picture
    from imuge_cli.image.write import write_picture as write_picture

_HOMES = {
    "Imuge": "imuge_cli.api",
    "ImmunizeResult": "imuge_cli.api",
    "VerifyResult": "imuge_cli.api",
    "RecoverResult": "imuge_cli.api",
    "Synchronisation": "imuge_cli.api",
    "ImugeError": "imuge_cli.errors",
    "Picture": "imuge_cli.image.picture",
    "read_picture": "imuge_cli.image.read",
    "write_picture": "imuge_cli.image.write",
}

__all__ = [
    "ImmunizeResult",
    "Imuge",
    "ImugeError",
    "Picture",
    "RecoverResult",
    "Synchronisation",
    "VerifyResult",
    "__version__",
    "read_picture",
    "write_picture",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOMES))
