"""Encryption at rest for carrier credentials (Fernet; the first key encrypts, all decrypt).

Also keyed hashes, by which something is known again that is itself not kept.
"""

import hashlib
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


@lru_cache(maxsize=1)
def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key.encode()) for key in settings.ENCRYPTION_KEYS])


def encrypt(text: str) -> bytes:
    """Encrypt `text` under the newest key of ENCRYPTION_KEYS."""
    return _fernet().encrypt(text.encode())


def decrypt(token: bytes | memoryview) -> str:
    """Decrypt what `encrypt` made, under any key of ENCRYPTION_KEYS.

    Raises:
        cryptography.fernet.InvalidToken: if no key fits or the bytes were changed.
    """
    return _fernet().decrypt(bytes(token)).decode()


def keyed_hashes(text: str, *, purpose: str) -> list[bytes]:
    """HMAC-SHA256 of `text` under each key of ENCRYPTION_KEYS, 32 bytes, the newest key's first.

    Store the first, look for all of them: what was stored before a new key came is still found.

    Args:
        text: What is to be known again.
        purpose: At most 16 characters; hashes for different purposes never meet.
    """
    return [hmac.digest(key, text.encode(), "sha256") for key in _hash_keys(purpose)]


@lru_cache(maxsize=8)
def _hash_keys(purpose: str) -> list[bytes]:
    return [
        hashlib.blake2b(key.encode(), person=purpose.encode(), digest_size=32).digest()
        for key in settings.ENCRYPTION_KEYS
    ]
