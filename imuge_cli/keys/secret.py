"""One secret and the independent subkeys derived from it (HKDF-SHA-256, RFC 5869)."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from imuge_cli.errors import SecretError

FILE_PREFIX = "imuge-secret-1:"
SECRET_BYTES = 32
_SALT = b"imuge/1"
# Published on purpose: pictures made without a key file can be checked by everybody, and forged by everybody.
_PUBLISHED_MATERIAL = hashlib.sha256(b"imuge published default key, version 1").digest()


@dataclass(frozen=True)
class Secret:
    """Key material of 32 bytes, and whether it is the published default."""

    material: bytes
    published: bool = False

    @classmethod
    def default(cls) -> Secret:
        """The published default key. Whoever has this program has it too."""
        return cls(_PUBLISHED_MATERIAL, published=True)

    @property
    def kind(self) -> str:
        """`"secret"` or `"published"`, as reports name it."""
        return "published" if self.published else "secret"

    def subkey(self, purpose: str, length: int = 32) -> bytes:
        """An independent key of `length` bytes (at most 8,160) for one purpose."""
        pseudo_random_key = hmac.new(_SALT, self.material, hashlib.sha256).digest()
        block, output, counter = b"", b"", 1
        while len(output) < length:
            message = block + purpose.encode("utf-8") + bytes([counter])
            block = hmac.new(pseudo_random_key, message, hashlib.sha256).digest()
            output += block
            counter += 1
        return output[:length]

    def __repr__(self) -> str:
        """Never shows the material: objects end up in logs."""
        return f"Secret(kind={self.kind!r})"


def new_secret_text() -> str:
    """A fresh secret from the operating system, as the one line a key file holds."""
    return FILE_PREFIX + secrets.token_hex(SECRET_BYTES) + "\n"


def write_new_secret(path: Path, *, force: bool = False) -> None:
    """Write a fresh secret to `path`, readable by its owner alone (mode 0600).

    Raises SecretError when the file exists (unless `force`) or cannot be written. A replaced secret is gone:
    pictures immunized with it can no longer be verified.
    """
    if os.path.exists(path) and not force:
        raise SecretError(f"{path}: exists; a lost secret cannot be restored, so name another file or use --force")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(new_secret_text())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SecretError(f"{path}: cannot write the secret ({error.strerror}); choose another place") from error


def load_secret(path: Path | None) -> Secret:
    """The secret in a file made by `imuge keygen`; the published default key for None. Raises SecretError."""
    if path is None:
        return Secret.default()
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise SecretError(f"{path}: cannot read the key file ({reason}); make one with 'imuge keygen FILE'") from error
    if not text.startswith(FILE_PREFIX):
        raise SecretError(f"{path}: is no imuge key file; make one with 'imuge keygen FILE'")
    try:
        material = bytes.fromhex(text[len(FILE_PREFIX) :])
    except ValueError as error:
        raise SecretError(f"{path}: the key file is damaged; restore it from a backup") from error
    if len(material) != SECRET_BYTES:
        raise SecretError(
            f"{path}: the key file is damaged ({len(material)} bytes of key, {SECRET_BYTES} expected); "
            "restore it from a backup"
        )
    return Secret(material)
