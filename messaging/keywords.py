"""STOP, START and HELP, and people who ask to be left alone in their own words.

Owns what an inbound text means for consent; what is done about it (revoking, answering) is its
callers' affair. A false "leave me alone" costs one contact until a person reviews it; a missed one
breaks the law, so free text leans towards opting out, except where everyday English uses the same
words ("don't stop", "bus stop", a tapback that quotes our own opt-out line).

Sources: 47 CFR 64.1200(a)(10) (stop, quit, end, revoke, opt out, cancel, unsubscribe per se; any
other reasonable means counts too); CTIA Messaging Principles (STOP UNSUBSCRIBE CANCEL END QUIT,
HELP); Twilio's defaults (adds STOPALL REVOKE OPTOUT, START YES UNSTOP, INFO); AWS (adds REMOVE,
ARRET, which Canadian carriers require, and TD, which may be something else: a person reviews it).
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

STOP_WORDS: Final = frozenset(
    {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "remove"}
    | {"arret", "arrêt"}
)
START_WORDS: Final = frozenset({"start", "yes", "unstop"})
HELP_WORDS: Final = frozenset({"help", "info"})

_MAX_CHARS: Final = 2000
_WORDING_CHARS: Final = 500
_APOSTROPHES: Final = re.compile("['’‘ʼ`´]")
_NO_WORD: Final = re.compile(r"[^\w]+|_+")
# What phones send for a reaction: it quotes the text it reacts to, opt-out line and all.
_REACTION: Final = re.compile(
    r"\W*(?:liked|loved|disliked|laughed at|emphasi[sz]ed|questioned|reacted \S+ to"
    r"|removed an? .{1,20} from|to)\W*[“\"«]",
    re.IGNORECASE,
)
_OUR_OWN_LINE: Final = re.compile(
    r"\b(?:reply|text|txt|send|type) (?:with )?stop(?: ?2| to| if| at| for)?"
    r"(?: (?:opt out|optout|end|quit|cancel|unsubscribe|stop))?\b"
)


class KeywordKind(StrEnum):
    """What a whole text is."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Keyword:
    """What an inbound text means.

    Attributes:
        kind: stop, start or help where the whole text is such a keyword, else none.
        matched: The keyword, or the words that ask to be left alone; "" if neither.
        likely_opt_out: The text is no keyword, yet asks to be left alone: opt out, and let a
            person review it. Never true together with a kind.
        wording: The text as it came, cut at 500 characters, for the proof of consent.
    """

    kind: KeywordKind
    matched: str
    likely_opt_out: bool
    wording: str


def classify(
    text: str, extra_stop: Collection[str] = (), extra_start: Collection[str] = ()
) -> Keyword:
    """Read an inbound text; `extra_stop` and `extra_start` are the account's own words.

    Case, punctuation, quotes, emoji, accents' spelling and spaces do not matter: "Stop.", "“STOP”",
    "opt-out" and "stop 🛑" are keywords. An account's own words add to the fixed sets and take none
    from them: HELP stays HELP. Its STOP words win over its START words, and so does whatever asks
    to be left alone. Never raises.
    """
    wording = text.strip()[:_WORDING_CHARS]
    words = normalise(text)
    whole = _squeezed(words)
    for kind, known in (
        (KeywordKind.STOP, STOP_WORDS),
        (KeywordKind.START, START_WORDS),
        (KeywordKind.HELP, HELP_WORDS),
        (KeywordKind.STOP, _own(extra_stop)),
    ):
        if whole in known:
            return Keyword(kind, whole, False, wording)
    asked = _asks_to_be_left_alone(text[:_MAX_CHARS], words)
    if not asked and whole in _own(extra_start):
        return Keyword(KeywordKind.START, whole, False, wording)
    return Keyword(KeywordKind.NONE, asked, bool(asked), wording)


def normalise(text: str) -> str:
    """`text` as bare words: NFKC, casefolded, without punctuation, emoji and quotes, one space."""
    folded = unicodedata.normalize("NFKC", text[:_MAX_CHARS]).casefold()
    # Casefolding can leave what NFKC would compose again (Turkish dotted I, for one).
    folded = unicodedata.normalize("NFKC", folded)
    return _NO_WORD.sub(" ", _APOSTROPHES.sub("", folded)).strip()


def key_of(text: str) -> str:
    """What a whole text is compared by; two spellings of one keyword have the same."""
    return _squeezed(normalise(text))


def _squeezed(words: str) -> str:
    """One word of a keyword's spellings: "opt out", "s t o p", "stop stop" are one each."""
    parts = words.split()
    if len(parts) > 1 and len(set(parts)) == 1 and len(parts[0]) > 1:
        return parts[0]
    return "".join(parts) if len(words) <= 40 else ""


def _own(extra: Collection[str]) -> frozenset[str]:
    return _normalised(tuple(extra)) if extra else frozenset()


@lru_cache(maxsize=1024)
def _normalised(extra: tuple[str, ...]) -> frozenset[str]:
    return frozenset(filter(None, (_squeezed(normalise(word)) for word in extra)))


# ---- Free text -------------------------------------------------------------------------------


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SENDING: Final = (
    r"(?:text|txt|messag|sms|contact|bother|spam|send|call|harass|email|writ|blast|bug|hitt|annoy"
    r"|advertis|solicit)\w*"
)
_THINGS: Final = (
    r"(?:texts?|txts?|messages?|msgs?|sms|alerts?|notifications?|spam|subscriptions?|updates?"
    r"|promos?|promotions?|offers?|ads?|marketing|reminders?)"
)
_MY: Final = r"(?:(?:me|my|all|any|these|this|those|the|your|ur|of|from|future|more|with|such) )*"
_ME: Final = r"(?:me|us|my (?:phone )?(?:number|name|info|contact)|this (?:phone )?number)"
_NEVER: Final = r"(?<!\bdont )(?<!\bdo not )(?<!\bnever )(?<!\bdidnt )(?<!\bdid not )(?<!\bnot )"
_UNABLE: Final = (
    r"(?<!\bcant )(?<!\bcannot )(?<!\bwont )(?<!\bwill not )(?<!\bdoesnt )(?<!\bcouldnt )"
    r"(?<!\bwouldnt )(?<!\bdont ever )(?<!\bdont you )(?<!\bdont want to )(?<!\bnot want to )"
)

_ASKS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_NEVER}{_UNABLE}\b(?:stop|quit|cease|halt) {_MY}(?:{_SENDING}|{_THINGS})\b",
        rf"{_NEVER}{_UNABLE}\bstop (?:receiving|getting) {_MY}(?:{_THINGS}|these|this|them|it)\b",
        rf"{_NEVER}{_UNABLE}\bend (?:my|all|these|this|those|the|your) {_MY}{_THINGS}\b",
        rf"{_NEVER}\bcancel {_MY}{_THINGS}\b",
        rf"{_NEVER}\b(?:unsubscribe|unsub|opt(?: me| us)? out|optout|opting out|opted out)\b",
        r"\b(?:want|need|like) (?:this|these|it|them|those|texts|messages) to stop\b",
        r"\bmake (?:it|this|these|them) stop\b",
        rf"{_NEVER}\b(?:remove|delete|erase) {_ME}\b",
        rf"{_NEVER}\b(?:take|get|scratch|remove|keep) {_ME} off\b(?! at| guard)",
        r"\b(?:dont|do not|never) (?:ever )?(?:text|txt|message|sms|contact|bother|spam)\w*"
        r" (?:me|us|this|here|again|anymore|any more|my|at)\b",
        rf"\b(?:dont|do not|never) send (?:me |us )?(?:any ?more|any|more|these|{_THINGS})\b",
        rf"\bno (?:more|further) {_MY}(?:{_THINGS}|texting|messaging)\b",
        rf"\b(?:dont|do not) want (?:to (?:get|receive|hear) )?{_MY}(?:{_THINGS}|from (?:you|u))\b",
        r"\b(?:leave (?:me|us) alone|(?:lose|forget) (?:my|this) number)\b",
        r"\b(?:fuck|f|eff|piss|buzz|sod) off\b",
        r"^(?:please |just )?(?:go away|get lost)$",
        r"\bwrong (?:number|person|phone)\b",
        r"\b(?:revok|withdraw)\w* (?:my |our |all )*(?:consent|permission)\b",
        r"\bhow (?:do|can|to)(?: i| we| you)? (?:stop|get off)\b(?! by| in| at| over)",
        r"\b(?:block|report)(?:ing|ed)? (?:this number|you|u)\b",
        r"^(?:no |thanks |thank you |thx |sorry )*(?:im |i am |we are )?(?:not|no longer)"
        r" interested(?: thanks| thank you| thx| please| sorry| anymore| any more| at all)*$",
    )
)

# "stop" as the first word: what makes it a request, and what everyday English.
_STOP_REQUESTS: Final = _words(
    "please pls plz now it this that these those all already asap immediately thanks thank thx"
    " everything forever ok okay sir maam right wrong i im"
)
_COURTESIES: Final = _words("please pls plz now asap immediately thanks thank you thx")
_STOP_EVERYDAY: Final = _words(
    "by in at over for on and light lights sign signs watch motion loss order orders payment until"
    " when if or with before after into along here there being"
)
# "stop" as the last word: what stands before it in everyday English.
_EVERYDAY_BEFORE_STOP: Final = _words(
    "dont cant cannot wont never not didnt doesnt couldnt wouldnt non bus pit one next full truck"
    " last first rest train tram metro subway a the your my our this quick to will it ever i we you"
    " they he she every another each and or well lets gas fuel lunch dinner coffee shop back door"
)
# Words a letter away from "stop".
_NOT_MISSPELT: Final = _words(
    "shop step top slop atop stomp stoop strop stow tops spot post swop scop stock stood story"
)
_FIRST_LINE_ENDS: Final = re.compile(r"[\r\n]")


def _asks_to_be_left_alone(text: str, words: str) -> str:
    """The words that ask for it, or ""."""
    if not words:
        return "🛑" if "🛑" in text else ""
    if words == "td":
        return words
    if _REACTION.match(text):
        return ""
    words = _OUR_OWN_LINE.sub(" ", words)
    for pattern in _ASKS:
        if found := pattern.search(words):
            return found[0].strip()
    parts = words.split()
    first_line = normalise(_FIRST_LINE_ENDS.split(text.strip(), maxsplit=1)[0])
    if _squeezed(first_line) in STOP_WORDS:
        return first_line
    return _stop_at_an_end(parts) or _misspelt(parts)


def _stop_at_an_end(parts: list[str]) -> str:
    if len(parts) < 2:
        return ""
    if parts[0] in STOP_WORDS and _COURTESIES.issuperset(parts[1:]):
        return parts[0]
    if parts[0] == "stop" and parts[1] not in _STOP_EVERYDAY:
        is_short = len(parts) <= 3 and not parts[1].endswith("ing")
        if parts[1] in _STOP_REQUESTS or is_short:
            return " ".join(parts[:2])
    if parts[-1] in ("stop", "unsubscribe") and parts[-2] not in _EVERYDAY_BEFORE_STOP:
        return " ".join(parts[-2:])
    if (
        parts[-2] == "stop"
        and parts[-1] in _STOP_REQUESTS
        and (len(parts) == 2 or parts[-3] not in _EVERYDAY_BEFORE_STOP)
    ):
        return " ".join(parts[-2:])
    return ""


def _misspelt(parts: list[str]) -> str:
    """A keyword with a slip of the finger, where little else is said."""
    if not 1 <= len(parts) <= 2:
        return ""
    for part in parts:
        if (
            part not in _NOT_MISSPELT
            and part not in STOP_WORDS
            and (_is_one_slip(part, "stop") or _is_one_slip(part, "stopall"))
        ):
            return part
        if len(part) >= 8 and any(
            _is_one_slip(slip, "unsubscribe") for slip in (part, *_one_shorter(part))
        ):
            return part
    return ""


def _one_shorter(word: str) -> Iterable[str]:
    return (word[:at] + word[at + 1 :] for at in range(len(word)))


def _is_one_slip(word: str, meant: str) -> bool:
    """Whether one letter is missing, too many, wrong, or swapped with its neighbour."""
    if abs(len(word) - len(meant)) > 1 or word == meant:
        return False
    if len(word) != len(meant):
        longer, shorter = sorted((word, meant), key=len, reverse=True)
        return shorter in _one_shorter(longer)
    differing = [at for at, (a, b) in enumerate(zip(word, meant, strict=True)) if a != b]
    if len(differing) == 1:
        return True
    if len(differing) != 2 or differing[1] != differing[0] + 1:
        return False
    at = differing[0]
    return word[at : at + 2] == meant[at : at + 2][::-1]
