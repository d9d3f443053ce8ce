"""The words of joining: which word an opt-in keyword may be, and what is texted to who joins.

Owns what carriers want to stand in those texts (CTIA Messaging Principles: brand, how often, "Msg &
data rates may apply", HELP, STOP), so that nobody can leave it out. Pure.
"""

from typing import Final

from contacts.models import OptInForm, OptInKeyword
from messaging.keywords import KeywordKind, classify, key_of

WELCOME: Final = "You are on the list."
WORD_CHARS: Final = 20


def question(way: OptInForm | OptInKeyword) -> str:
    """The text that asks for a YES."""
    return f"{_brand(way)}: Reply YES to get our texts. {_terms(way)}"


def welcome(way: OptInForm | OptInKeyword) -> str:
    """The one text that confirms an opt-in."""
    return f"{_brand(way)}: {(way.welcome or WELCOME).strip()} {_terms(way)}"


def keyword_proof(keyword: OptInKeyword, said: str) -> str:
    """What is kept as the wording of an opt-in by keyword: the text, and what it answered."""
    read = f" after reading: {keyword.wording}" if keyword.wording else ""
    return f"Texted “{said[:40]}”{read}"[:500]


def word_refused(word: str, *, stop_words: list[str], start_words: list[str]) -> str:
    """Why a word cannot be an opt-in keyword, in a sentence; "" if it can."""
    if not key_of(word):
        return "Choose letters or digits, for example JOIN."
    read = classify(word, stop_words, start_words)
    if read.kind == KeywordKind.STOP or read.likely_opt_out:
        return f"“{word}” is read as a wish to stop. Choose another word."
    if read.kind != KeywordKind.NONE:
        return f"“{word}” always means {read.kind.upper()}. Choose another word."
    return ""


def _terms(way: OptInForm | OptInKeyword) -> str:
    frequency = way.frequency.strip().rstrip(".")
    return f"{frequency}. Msg & data rates may apply. Reply HELP for help, STOP to opt out."


def _brand(way: OptInForm | OptInKeyword) -> str:
    return way.account.brand or way.account.name
