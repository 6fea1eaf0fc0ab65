"""Secrets at rest: AES-GCM, each bound to the row it belongs to, so that one copied to another row does not open.

The first key seals, every key opens: put a new one in front, and take the old one out when nothing is sealed with it
any more.
"""

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from store.installations import SealBroken

VERSION = "v1"
NONCE = 12  # bytes, as NIST SP 800-38D wants it for GCM
# The same keys sign links; what is derived for one purpose says nothing about the other.
PURPOSE = b"scrumbut: secrets at rest"


class Vault:
    """Seals and opens with the configured keys; there must be at least one."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = {_name(key): AESGCM(_derived(key)) for key in keys}
        self._current = _name(keys[0])

    def __repr__(self) -> str:
        return f"Vault({len(self._keys)} keys)"

    def seal(self, text: str, *bound_to: str) -> str:
        """The text as only these keys read it, and only together with those words."""
        nonce = secrets.token_bytes(NONCE)
        sealed = self._keys[self._current].encrypt(nonce, text.encode(), _bond(bound_to))
        return f"{VERSION}.{self._current}.{urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *bound_to: str) -> str:
        """The text. Raises SealBroken."""
        version, _, rest = sealed.partition(".")
        name, _, body = rest.partition(".")
        key = self._keys.get(name)
        if version != VERSION or key is None:
            raise SealBroken("it was sealed with a key that is not in [security] encryption_keys")
        try:
            raw = urlsafe_b64decode(body)
            return key.decrypt(raw[:NONCE], raw[NONCE:], _bond(bound_to)).decode()
        except (ValueError, InvalidTag):
            raise SealBroken("it was changed, or belongs to another row") from None

    def is_current(self, sealed: str) -> bool:
        """Whether the first key sealed it."""
        return sealed.startswith(f"{VERSION}.{self._current}.")


def _derived(key: str) -> bytes:
    return HKDF(SHA256(), 32, None, PURPOSE).derive(key.encode())


def _name(key: str) -> str:
    return sha256(PURPOSE + key.encode()).hexdigest()[:12]


def _bond(words: Sequence[str]) -> bytes:
    return json.dumps(words).encode()  # no word can run into the next one
