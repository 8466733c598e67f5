"""Encrypted fields: AES-256-GCM at rest, a keyed hash to look up by, and keys that rotate.

The keys file (`keys.json` in the data folder, or TAYYAR_KEYS) holds numbered data keys, the newest of which seals,
one lookup key and one signing seed. A sealed value is version (1), key number (1), nonce (12), ciphertext and tag.
Values are bound to their column by associated data, so a ciphertext moved to another column does not open.
"""

import base64
import contextlib
import fcntl
import functools
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tayyar.core.errors import UserError
from tayyar.core.paths import data_dir

_FORMAT = b"\x01"


@dataclass(frozen=True)
class Keys:
    """Key material. `data` maps key number -> 32 bytes; the highest number seals new values."""

    data: dict[int, bytes]
    lookup: bytes
    signing: bytes
    links: bytes

    @property
    def newest(self) -> int:
        """Number of the key that seals."""
        return max(self.data)

    def signing_key(self) -> Ed25519PrivateKey:
        """The key that signs run certificates."""
        return Ed25519PrivateKey.from_private_bytes(self.signing)


def keys_path() -> Path:
    """Where the keys lie; readable by the owner only."""
    return Path(os.environ.get("TAYYAR_KEYS") or data_dir() / "keys.json")


@functools.lru_cache(maxsize=1)
def keys() -> Keys:
    """The keys, made on first use."""
    path = keys_path()
    with _locked(path):
        if not path.exists():
            _write(path, {1: secrets.token_bytes(32)}, *(secrets.token_bytes(32) for _ in range(3)))
        return _read(path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time makes or changes the keys file."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> Keys:
    raw = json.loads(path.read_text())
    decode = base64.b64decode
    return Keys(
        data={int(number): decode(key) for number, key in raw["data"].items()},
        lookup=decode(raw["lookup"]),
        signing=decode(raw["signing"]),
        links=decode(raw["links"]),
    )


def rotate() -> int:
    """Add a new data key, which seals from now on; old ones still open. Returns its number."""
    keys()  # made, where there are none
    path = keys_path()
    with _locked(path):
        current = _read(path)  # not what this process remembers: another may have rotated since
        number = current.newest + 1
        if number > 255:
            raise UserError("256 data keys exist. Re-seal old values and retire keys first.")
        data = {**current.data, number: secrets.token_bytes(32)}
        _write(path, data, current.lookup, current.signing, current.links)
    keys.cache_clear()
    return number


def seal(plain: str, *, field: str) -> bytes:
    """Encrypt `plain` for the column `field` ("customers.contact_point.address")."""
    current, nonce = keys(), secrets.token_bytes(12)
    cipher = AESGCM(current.data[current.newest])
    return _FORMAT + bytes([current.newest]) + nonce + cipher.encrypt(nonce, plain.encode(), field.encode())


def unseal(sealed: bytes, *, field: str) -> str:
    """Decrypt; UserError when the key is gone, the value was altered or belongs to another column."""
    sealed = bytes(sealed)
    known = sealed[:1] == _FORMAT and len(sealed) > 30
    if known and sealed[1] not in keys().data:
        keys.cache_clear()  # another process may have rotated since this one read the file
    key = keys().data.get(sealed[1]) if known else None
    if key is None:
        raise UserError(f"A value of {field} cannot be opened: its key is not in {keys_path()}.")
    try:
        return AESGCM(key).decrypt(sealed[2:14], sealed[14:], field.encode()).decode()
    except InvalidTag:
        raise UserError(f"A value of {field} was altered or sealed with another key.") from None


def lookup_hash(plain: str, *, field: str) -> bytes:
    """A keyed 16-byte hash by which equal values of one column are found without opening any."""
    return hmac.digest(keys().lookup, f"{field}\0{plain}".encode(), hashlib.sha256)[:16]


def _write(path: Path, data: dict[int, bytes], lookup: bytes, signing: bytes, links: bytes) -> None:
    def encode(key: bytes) -> str:
        return base64.b64encode(key).decode()

    text = json.dumps(
        {
            "data": {str(number): encode(key) for number, key in data.items()},
            "lookup": encode(lookup),
            "signing": encode(signing),
            "links": encode(links),
        },
        indent=1,
    )
    partial = path.with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    partial.rename(path)
