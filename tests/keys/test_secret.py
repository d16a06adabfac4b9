"""Subkeys against an independent HKDF, and key files."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imuge_cli.errors import SecretError
from imuge_cli.keys import Secret, load_secret, write_new_secret
from imuge_cli.keys.secret import FILE_PREFIX

MATERIAL = st.binary(min_size=32, max_size=32)
PURPOSE = st.text(max_size=20)


def hkdf(salt: bytes, material: bytes, information: bytes, length: int) -> bytes:
    """RFC 5869, section 2, written down a second time: T(i) = HMAC(PRK, T(i - 1) | info | i)."""
    prk = hmac.digest(salt, material, "sha256")
    parts = [b""]
    for number in range(1, -(-length // 32) + 1):
        parts.append(hmac.digest(prk, parts[-1] + information + number.to_bytes(1, "big"), "sha256"))
    return b"".join(parts)[:length]


def test_the_tests_own_hkdf_gives_the_vector_of_rfc_5869() -> None:
    """Appendix A.1, test case 1."""
    salt, information = bytes(range(0x0D)), bytes(range(0xF0, 0xFA))
    expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    assert hkdf(salt, b"\x0b" * 22, information, 42).hex() == expected


@settings(max_examples=40)
@given(MATERIAL, PURPOSE, st.integers(1, 200))
def test_subkeys_are_hkdf_sha_256(material: bytes, purpose: str, length: int) -> None:
    assert Secret(material).subkey(purpose, length) == hkdf(b"imuge/1", material, purpose.encode(), length)


def test_the_longest_subkey() -> None:
    assert len(Secret(bytes(32)).subkey("x", 8160)) == 8160


@settings(max_examples=40)
@given(MATERIAL, MATERIAL, PURPOSE, PURPOSE)
def test_subkeys_depend_on_secret_and_purpose_and_on_nothing_else(
    one: bytes, other: bytes, first: str, second: str
) -> None:
    keys = {(m, p): Secret(m).subkey(p) for m in (one, other) for p in (first, second)}
    assert len(set(keys.values())) == len(keys)
    assert Secret(one, published=True).subkey(first) == keys[one, first]


def test_subkeys_of_neighbouring_purposes_look_unrelated() -> None:
    ones = [
        bin(int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).count("1")
        for a, b in ((Secret.default().subkey(f"p{i}"), Secret.default().subkey(f"p{i + 1}")) for i in range(100))
    ]
    # 256 bits differ in 128 +- 8; the mean of 100 lies within 128 +- 4.
    assert 124 < sum(ones) / len(ones) < 132


def test_the_published_default() -> None:
    secret = load_secret(None)
    assert secret == Secret.default()
    assert secret.kind == "published"
    assert secret.material == hashlib.sha256(b"imuge published default key, version 1").digest()


def test_a_secret_never_shows_its_material() -> None:
    secret = Secret(b"\xab" * 32)
    assert "abab" not in repr(secret) + str(secret)
    assert "\\xab" not in repr(secret)
    assert secret.kind == "secret"


def test_a_written_secret_is_read_back_and_private(tmp_path: Path) -> None:
    paths = [tmp_path / "a.key", tmp_path / "b.key"]
    for path in paths:
        write_new_secret(path)
    one, other = (load_secret(path) for path in paths)
    assert not one.published
    assert len(one.material) == 32
    assert one.material != other.material
    assert stat.S_IMODE(os.stat(paths[0]).st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.key", "b.key"]


def test_a_secret_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    write_new_secret(path)
    before = path.read_bytes()
    with pytest.raises(SecretError, match="exists"):
        write_new_secret(path)
    assert path.read_bytes() == before
    write_new_secret(path, force=True)
    assert path.read_bytes() != before


def test_a_secret_in_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="cannot write"):
        write_new_secret(tmp_path / "no" / "a.key")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no imuge key file"),
        (b"hello", "no imuge key file"),
        (b"\xff\xfe\x00", "not a text file"),
        ((FILE_PREFIX + "xy" * 32).encode(), "damaged"),
        ((FILE_PREFIX + "ab" * 31).encode(), "31 bytes"),
        ((FILE_PREFIX + "ab" * 33).encode(), "33 bytes"),
    ],
)
def test_bad_key_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.key"
    path.write_bytes(content)
    with pytest.raises(SecretError, match=message) as caught:
        load_secret(path)
    assert str(path) in str(caught.value)


def test_a_missing_key_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="keygen"):
        load_secret(tmp_path / "none.key")


def test_line_ends_of_a_key_file_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    path.write_bytes((FILE_PREFIX + "AB" * 32 + "\r\n").encode())
    assert load_secret(path).material == b"\xab" * 32
