"""What people type into boxes, and forms hold, before anything is made of it."""

from collections.abc import Iterable


def typed(text: str) -> str:
    """`text` without NUL characters, which PostgreSQL refuses, and without space at its ends."""
    return text.replace("\0", "").strip()


def ids_typed(values: Iterable[object] | None) -> list[int]:
    """Ids as a form holds them, in order, each once; what is no id is left out."""
    texts = [str(value) for value in values or ()]
    ids = (int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 19)
    return list(dict.fromkeys(ids))


def plain_lines(text: str) -> str:
    """`text` without NUL characters, and with line ends of one character.

    Browsers send CRLF; carriers bill both characters, and a phone shows one break either way.
    """
    return text.replace("\r\n", "\n").replace("\0", "")
