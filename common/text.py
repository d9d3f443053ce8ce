"""What people type into boxes, before anything is made of it."""


def typed(text: str) -> str:
    """`text` without NUL characters, which PostgreSQL refuses, and without space at its ends."""
    return text.replace("\0", "").strip()
