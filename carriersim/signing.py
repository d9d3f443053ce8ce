"""Signs what the carrier posts, as Twilio does, and encodes its forms.

Rule: base64(HMAC-SHA1(auth token, URL without fragment + name and value of every parameter, names
in byte order)). https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import quote_plus


def signature(*, auth_token: str, url: str, params: Mapping[str, str]) -> str:
    """The X-Twilio-Signature of a form post; `url` must come without its fragment."""
    text = url + "".join([name + params[name] for name in sorted(params)])
    digest = hmac.digest(auth_token.encode(), text.encode(), "sha1")
    return base64.b64encode(digest).decode()


def form_encode(params: Mapping[str, str]) -> bytes:
    """The parameters as application/x-www-form-urlencoded, empty values kept."""
    pairs = [
        f"{name}={value if value.isascii() and value.isalnum() else quote_plus(value)}"
        for name, value in params.items()
    ]
    return "&".join(pairs).encode()
