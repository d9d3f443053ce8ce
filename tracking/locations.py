"""A destination as it is written into HTTP: what a browser is sent to, and a check asks. Pure."""

import string
from urllib.parse import quote, urlsplit, urlunsplit


def location(destination: str) -> bytes:
    """A destination as a header's bytes: without breaks, what is not ASCII encoded."""
    text = "".join(sign for sign in destination if sign > " " and sign != "\x7f")
    if not text.isascii():
        parts = urlsplit(text)
        try:
            host = parts.netloc.encode("idna").decode()
        except UnicodeError:
            host = parts.netloc
        text = urlunsplit(parts._replace(netloc=host))
    return quote(text, safe=string.punctuation).encode()
