"""What in a text makes carriers filter it, or readers complain, told before it is sent.

Owns the advice: never a block, nothing is looked up anywhere, and the writer may know better. The
tables below are data: a line more is advice more.

Sources: CTIA Messaging Principles (brand and opt-out in the text, no public shorteners, no evasive
links); T-Mobile and Twilio on forbidden categories (high-risk loans, gambling, cannabis, get rich
quick); Twilio's causes of error 30007 (capitals, marks, money words).
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from messaging.keywords import STOP_WORDS, normalise
from messaging.rendering import compile_body

SHORTENERS: Final = frozenset(
    {"adf.ly", "bit.do", "bit.ly", "bl.ink", "buff.ly", "cutt.ly", "goo.gl", "is.gd", "j.mp"}
    | {"lnkd.in", "ow.ly", "rb.gy", "rebrand.ly", "shorturl.at", "t.co", "t.ly", "tiny.cc"}
    | {"tiny.one", "tinyurl.com", "v.gd"}
)

# What the words are about, and the words as `normalise` leaves them. Whole words only, and only
# those that an honest shop hardly needs: "loan" alone is a library's, "bet" alone anybody's.
TOPICS: Final[dict[str, tuple[str, ...]]] = {
    "risky loans and debt": (
        *("payday loan", "payday loans", "cash advance", "quick loan", "quick loans"),
        *("personal loan", "personal loans", "no credit check", "debt relief", "credit repair"),
        *("debt consolidation", "student loan forgiveness"),
    ),
    "gambling": (
        *("casino", "casinos", "jackpot", "sportsbook", "sports betting", "free spins"),
        *("slot machine", "slot machines"),
    ),
    "cannabis and the like": ("cbd", "thc", "cannabis", "marijuana", "kratom", "delta 8"),
    "quick money": (
        *("make money fast", "work from home", "be your own boss", "passive income"),
        *("double your money", "guaranteed income", "risk free", "crypto giveaway"),
    ),
    "prizes and pressure": (
        *("you have won", "youve won", "claim your prize", "free gift card", "act now"),
        *("verify your account", "account suspended", "wire transfer"),
    ),
}

_OPT_OUT: Final = re.compile(
    rf"\b(?:(?:reply|text|txt|send|type) (?:with )?(?:{'|'.join(sorted(STOP_WORDS))})"
    r"|stop ?(?:2|to) ?(?:end|stop|quit|cancel|opt ?out|unsubscribe)"
    r"|stop2(?:end|stop|quit)|opt ?out|unsubscribe)\b"
)
_SHOUT: Final = re.compile(r"\bFREE ?!{2,}|[!?]{3,}|\${2,}|€{2,}")
_MANY_MARKS: Final = 5
_FEWEST_LETTERS: Final = 20
# An address without its scheme: links as they are found by `rendering` have one.
_BARE: Final = re.compile(r"(?<![\w@./:-])((?:[\w-]+\.)+\w+)(?::\d+)?/", re.ASCII)
# What a brand may leave out of its name in a text.
_LEFT_OUT: Final = frozenset({"and", "the", "inc", "llc", "ltd", "co", "corp", "gmbh"})


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to think about before sending.

    Attributes:
        code: Stable, for programs.
        sentence: What was found and why it matters.
        fix: What to do about it.
    """

    code: str
    sentence: str
    fix: str


def advise(*, body: str, brand: str, is_first: bool) -> list[Advice]:
    """What to think about before sending `body`, the most important first; none is a good sign.

    Fields are read as their fallbacks: what a contact's own data says is not the writer's choice.

    Args:
        body: A text as written, with its fields.
        brand: Whom it is from, as its readers know them; "" if that is not known.
        is_first: Whether some of its readers were never texted before.

    Raises:
        TemplateError: the body cannot be sent at all.
    """
    template = compile_body(body)
    prose = template.render({}, [" "] * len(template.links))
    words = normalise(prose)
    hosts = [*map(_host, template.links), *(match[1].lower() for match in _BARE.finditer(prose))]
    found = [
        _opt_out(words) if is_first else None,
        _brand(words, brand),
        _shortener(hosts),
        _raw_address(hosts),
        *(_topic(words, topic, terms) for topic, terms in TOPICS.items()),
        _capitals(prose),
        _marks(prose),
    ]
    return [advice for advice in found if advice]


def _opt_out(words: str) -> Advice | None:
    if _OPT_OUT.search(words):
        return None
    return Advice(
        "no_opt_out",
        "For some it is your first text, and it does not say how to stop.",
        "Add “Reply STOP to end” at its end.",
    )


def _brand(words: str, brand: str) -> Advice | None:
    name = _bare_name(normalise(brand))
    text = _bare_name(words)
    if not name or re.search(rf"\b{re.escape(name)}s?\b", text):
        return None
    if name.replace(" ", "") in text.split():
        return None
    return Advice(
        "no_brand",
        f"The text does not name {brand}.",
        f"Say who writes, such as “{brand}:” at its start.",
    )


def _shortener(hosts: list[str]) -> Advice | None:
    host = next((host for host in hosts if host.removeprefix("www.") in SHORTENERS), None)
    if host is None:
        return None
    return Advice(
        "public_shortener",
        f"{host} is a public link shortener; carriers filter those.",
        "Put the full address, with https://. It becomes a short link of your own.",
    )


def _raw_address(hosts: list[str]) -> Advice | None:
    host = next(filter(_is_address, hosts), None)
    if host is None:
        return None
    return Advice(
        "raw_address",
        f"A link goes to {host}, a bare number, which looks like phishing.",
        "Use the address with your site's name.",
    )


def _topic(words: str, topic: str, terms: tuple[str, ...]) -> Advice | None:
    term = next((term for term in terms if f" {term} " in f" {words} "), None)
    if term is None:
        return None
    return Advice(
        "filtered_words",
        f"“{term}” is among the words carriers tend to filter ({topic}).",
        "Say it in other words, or ask your carrier first if it is your trade.",
    )


def _capitals(prose: str) -> Advice | None:
    cased = [char for char in prose if char.isupper() or char.islower()]
    if len(cased) < _FEWEST_LETTERS or 2 * sum(map(str.isupper, cased)) <= len(cased):
        return None
    return Advice(
        "capitals",
        "Most of the text is in capitals, which reads as shouting and as spam.",
        "Write it as you would to a friend; capitals for a word at most.",
    )


def _marks(prose: str) -> Advice | None:
    match = _SHOUT.search(prose)
    if match is None and prose.count("!") < _MANY_MARKS:
        return None
    return Advice(
        "loud_marks",
        f"“{match[0]}” is what spam filters look for."
        if match
        else f"{prose.count('!')} exclamation marks are what spam filters look for.",
        "One exclamation mark is enough; write a price as a number.",
    )


def _bare_name(words: str) -> str:
    return " ".join(word for word in words.split() if word not in _LEFT_OUT)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(int(host) if host.isdecimal() else host)
    except ValueError:
        return False
    return True
