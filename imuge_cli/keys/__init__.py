"""From one secret to everything that must be unpredictable without it."""

from __future__ import annotations

from imuge_cli.keys.permutation import keyed_permutation, keyed_signs
from imuge_cli.keys.plane import plane_bytes
from imuge_cli.keys.secret import Secret, load_secret, new_secret_text, write_new_secret

__all__ = [
    "Secret",
    "keyed_permutation",
    "keyed_signs",
    "load_secret",
    "new_secret_text",
    "plane_bytes",
    "write_new_secret",
]
