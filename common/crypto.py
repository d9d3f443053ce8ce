"""Encryption at rest for carrier credentials (Fernet; the first key encrypts, all decrypt)."""

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
