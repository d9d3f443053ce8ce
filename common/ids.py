"""Random identifiers and secrets that leave the system."""

import hashlib
import secrets


def secret_token(length_bytes: int = 24) -> str:
    """A URL-safe secret of `length_bytes` random bytes."""
    return secrets.token_urlsafe(length_bytes)


def secret_hash(token: str) -> str:
    """Hex SHA-256 of a high-entropy secret, as stored instead of the secret itself."""
    return hashlib.sha256(token.encode()).hexdigest()


def numeric_code(digits: int = 6) -> str:
    """A random decimal code of `digits` digits, zero-padded."""
    return f"{secrets.randbelow(10**digits):0{digits}d}"
