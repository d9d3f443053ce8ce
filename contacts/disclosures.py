"""What the wording of an opt-in must tell: the words carriers look for, and a text to begin with.

Sources: CTIA Messaging Principles 5.1 (opt-in: brand, what is sent, how often, "Msg & data rates
may apply", HELP, STOP); 47 CFR 64.1200(f)(9) (consent to marketing: autodialed texts, and that it
is no condition of a purchase).
"""

import re
from typing import Final

WORDING_LENGTH: Final = 500
FREQUENCY: Final = "Up to 4 msgs/month"

_REQUIRED: Final = (
    (r"\bSTOP\b", "how to leave: “Reply STOP to opt out”"),
    (r"\bHELP\b", "how to get help: “Reply HELP for help”"),
    (r"(?i)\bdata rates\b", "what it may cost: “Msg & data rates may apply”"),
    (r"(?i)\b(?:condition|required|need to)\b", "“Consent is not a condition of purchase”"),
)


def wording_default(brand: str) -> str:
    """The consent sentence of a public form, complete as it stands. At most 500 characters."""
    return (
        f"I agree to get recurring automated marketing texts from {brand} at the number I give."
        " Consent is not a condition of purchase. Msg & data rates may apply."
        " Reply STOP to opt out, HELP for help."
    )


def missing(wording: str, brand: str) -> list[str]:
    """What the wording does not tell yet, each in words that can be pasted; [] when complete."""
    lacks = [told for pattern, told in _REQUIRED if not re.search(pattern, wording)]
    if brand.casefold() not in wording.casefold():
        lacks.insert(0, f"who texts: “{brand}”")
    return lacks
