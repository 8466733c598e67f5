"""The key that browsers know us by stays the same for as long as the installation's keys do."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tayyar.core.crypto import keys
from tayyar.core.errors import UserError
from tayyar.core.vapid import vapid_key, vapid_public_key


@pytest.fixture(autouse=True)
def no_memory() -> Iterator[None]:
    vapid_key.cache_clear()
    yield
    vapid_key.cache_clear()
    keys.cache_clear()


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def test_it_is_the_same_in_every_process_and_another_in_another_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    for installation in ("a", "a", "b"):
        monkeypatch.setenv("TAYYAR_KEYS", str(tmp_path / f"{installation}.json"))
        keys.cache_clear()
        vapid_key.cache_clear()
        shown.append(vapid_public_key())
    assert shown[0] == shown[1] != shown[2]


def test_its_public_half_is_an_uncompressed_point_in_base64url_without_padding() -> None:
    text = vapid_public_key()
    assert len(text) == 87 and "=" not in text
    assert base64.urlsafe_b64decode(text + "=")[0] == 4


def test_a_key_brought_along_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "vapid.pem").write_bytes(pem(own))
    monkeypatch.setenv("TAYYAR_VAPID_KEY", str(tmp_path / "vapid.pem"))
    assert vapid_key().private_numbers() == own.private_numbers()


@pytest.mark.parametrize("content", [b"", b"no key", pem(ec.generate_private_key(ec.SECP384R1()))])
def test_a_file_without_a_fitting_key_is_told_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (tmp_path / "vapid.pem").write_bytes(content)
    monkeypatch.setenv("TAYYAR_VAPID_KEY", str(tmp_path / "vapid.pem"))
    with pytest.raises(UserError, match=r"TAYYAR_VAPID_KEY: .*vapid\.pem"):
        vapid_key()
