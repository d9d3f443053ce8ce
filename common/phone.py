"""Phone numbers: from what people type and spreadsheets mangle to E.164.

Owns normalising, what number metadata tells offline (region, line type, time zones) and how a
number is shown. Rules and metadata are Google's, through `phonenumbers`; whether a number is in
service, and whether its owner agreed to be texted, is not known here.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType, timezone

from common.errors import Invalid

# No phone, sender or word typed into a search begins with it.
ERASED_MARK: Final = "~"
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_LINE_TYPES: Final = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "landline",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.TOLL_FREE: "toll_free",
}
_NANP_REGIONS: Final = frozenset({"US", "CA"})
_NANP: Final = re.compile(
    r"(?:\+?1[ .-]?)?(?:\(([2-9][0-9]{2})\)|([2-9][0-9]{2}))[ .-]?([0-9]{3})[ .-]?([0-9]{4})"
)
# The islands that share +1, known by their area codes. Only US and CA have no such pattern.
_ISLANDS: Final = {
    region: re.compile(metadata.leading_digits)
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]
    if (metadata := phonenumbers.PhoneMetadata.metadata_for_region(region))
    and metadata.leading_digits
}
# What the first six digits tell of an island's number: too little.
_ISLAND: Final[tuple[str, str, tuple[str, ...]]] = ("", "", ())
_SCIENTIFIC: Final = re.compile(r"([0-9])[.,]?([0-9]*)E\+?([0-9]{1,2})", re.IGNORECASE)
_FLOAT: Final = re.compile(r"(\+?[0-9]{7,})[.,]0+")
_EXTENSION: Final = re.compile(
    r"[0-9)] *[,;]? *(?:ext(?:ension|n)?|xt?n?|#)[ .:=]*[0-9]+$", re.IGNORECASE
)
_BETWEEN_NUMBERS: Final = re.compile(r"[/;,|&\n]")
# What may stand around digits. Letters may not: metadata would read "305 CALL NOW" as digits.
_FOREIGN: Final = re.compile(r"[^0-9+()./ -]")
_ABROAD: Final = " If it is from abroad, begin it with + and the country code."
# The longest that could be a number with everything people write around it.
_MAX_CHARS: Final = 80


class Phone(NamedTuple):
    """A valid number.

    `e164` such as ``+13055551234``; `region` ISO 3166 ("" where a number belongs to no country);
    `line_type` one of mobile, landline, voip, toll_free, unknown (North American numbers do not
    tell a mobile from a landline); `zones` every IANA time zone the number may be in, () if none
    is known.
    """

    e164: str
    region: str
    line_type: str
    zones: tuple[str, ...]


class PhoneError(Invalid):
    """What was given is no phone number that can be texted; `code` says why, `message` in words.

    Codes: phone_empty, phone_letters, phone_damaged, phone_extension, phone_several,
    phone_too_short, phone_too_long, phone_country, phone_invalid.
    """

    code = "phone_invalid"


def normalise(raw: str, country: str) -> Phone:
    """Read `raw` as it is dialled in `country` (ISO 3166, two letters), or with + from anywhere.

    Agrees with `phonenumbers` on which numbers are valid. Undoes what spreadsheets and copying do:
    apostrophes, odd spaces and dashes, invisible marks, "tel:", a trailing ".0", an exponent that
    still holds every digit.

    Raises:
        PhoneError: with a code and a sentence for whoever typed it.
    """
    if len(raw) > _MAX_CHARS and len(raw.strip()) > _MAX_CHARS:
        raise _error("phone_too_long", f"“{_short(raw[:_MAX_CHARS])}” is too long for a number.")
    text = raw if raw.isascii() else _plain(raw)
    text = text.strip(" \t\r\n'\".,;")
    plain = _NANP.fullmatch(text)
    if plain and (country in _NANP_REGIONS or text[0] == "+"):
        area, bare_area, exchange, line = plain.groups()
        return _nanp(raw, (area or bare_area) + exchange, line)
    return _by_metadata(raw, _undamaged(raw, text), country)


@lru_cache(maxsize=512)
def prefixes(country: str) -> tuple[str, ...]:
    """What numbers of a country begin with after the plus: its calling code, or its area codes.

    Of those that share +1 the United States have all of it, the others their area codes. Of those
    that share another code only the largest has it (Jersey is texted as Great Britain is): the
    others have none.
    """
    code: int = phonenumbers.country_code_for_region(country)
    if code == 1 and country != "US":
        return tuple(
            sorted("1" + area for area, found in _nanp_areas().items() if found == country)
        )
    is_main = phonenumbers.region_code_for_country_code(code) == country
    return (str(code),) if code and is_main else ()


@lru_cache(maxsize=1)
def _nanp_areas() -> dict[str, str]:
    """Area code to country, of all of +1 but the United States."""
    found: dict[str, str] = {}
    for area in map(str, range(200, 1000)):
        # Some islands have a part of an area code; all of it goes to them.
        tails = [digit * 7 for digit in "23456789"]
        for region, pattern in _ISLANDS.items():
            if any(pattern.match(area + tail) for tail in tails):
                found[area] = region
        known = _nanp_exchange(area + "234")
        if area not in found and known and known[0] == "CA":
            found[area] = "CA"
    return found


@lru_cache(maxsize=20_000)
def erased_alias(contact_id: int) -> str:
    """What stands where a phone stood whose person was erased; one a person, and no number."""
    return f"{ERASED_MARK}{contact_id}"


def is_e164(text: str) -> bool:
    """Whether a text has the form in which phones are stored."""
    return _E164.fullmatch(text) is not None


def is_erased(phone: str) -> bool:
    """Whether this stands for the phone of a person who was erased."""
    return phone.startswith(ERASED_MARK)


def display(e164: str, country: str = "") -> str:
    """`e164` for reading: national form within `country`, else international.

    Senders that are no phone numbers (short codes, names) come back unchanged; for somebody who
    was erased, words.
    """
    if is_erased(e164):
        return "Erased person"
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    inside = country and country == phonenumbers.region_code_for_number(number)
    return str(
        phonenumbers.format_number(
            number, PhoneNumberFormat.NATIONAL if inside else PhoneNumberFormat.INTERNATIONAL
        )
    )


def _nanp(raw: str, exchange: str, line: str) -> Phone:
    known = _nanp_exchange(exchange)
    if known is None:
        raise _invalid(raw)
    if known is _ISLAND:
        return _by_metadata(raw, f"+1{exchange}{line}", "")
    return Phone(f"+1{exchange}{line}", *known)


# In the US and Canada validity, region, type and zones hang on the first six digits alone (a test
# walks the metadata for that; Barbados and Jamaica look at a seventh), so an import of a million
# pays the 40 us of a look at the metadata once for each exchange.
@lru_cache(maxsize=100_000)
def _nanp_exchange(exchange: str) -> tuple[str, str, tuple[str, ...]] | None:
    if any(pattern.match(exchange) for pattern in _ISLANDS.values()):
        return _ISLAND
    number = phonenumbers.parse(f"+1{exchange}0000")
    return _facts(number) if phonenumbers.is_valid_number(number) else None


def _facts(number: phonenumbers.PhoneNumber) -> tuple[str, str, tuple[str, ...]]:
    zones = timezone.time_zones_for_number(number)
    return (
        phonenumbers.region_code_for_number(number) or "",
        _LINE_TYPES.get(phonenumbers.number_type(number), "unknown"),
        () if zones == (timezone.UNKNOWN_TIMEZONE,) else tuple(zones),
    )


def _plain(raw: str) -> str:
    """Full-width digits, odd spaces and invisible marks, as they come with copied contacts."""
    return "".join(map(_plain_char, unicodedata.normalize("NFKC", raw)))


def _plain_char(char: str) -> str:
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    if char in "‘’‛`´":
        return "'"
    return {"Pd": "-", "Cf": "", "Zs": " "}.get(unicodedata.category(char), char)


def _undamaged(raw: str, text: str) -> str:
    """`text` without what surrounds a number, refusing what cannot be one."""
    if text[:4].lower() == "tel:":
        text = text[4:].strip()
    if not any(c.isdigit() for c in text):
        raise (
            _error("phone_letters", f"“{_short(raw)}” is not a phone number.")
            if text
            else _error("phone_empty", "The phone number is empty.")
        )
    if exponent := _SCIENTIFIC.fullmatch(text.lstrip("+")):
        text = _from_exponent(raw, exponent)
    elif floating := _FLOAT.fullmatch(text):
        text = floating[1]
    if _EXTENSION.search(text):
        raise _error(
            "phone_extension",
            f"“{_short(raw)}” has an extension, and extensions cannot be texted. "
            "Give a number that rings directly.",
        )
    if sum(sum(map(str.isdigit, part)) >= 7 for part in _BETWEEN_NUMBERS.split(text)) > 1:
        raise _error(
            "phone_several", f"“{_short(raw)}” holds more than one number. Keep one of them."
        )
    if foreign := _FOREIGN.search(text):
        raise _error(
            "phone_letters",
            f"“{_short(raw)}” holds “{foreign[0]}”, which no phone number has. "
            "Write digits, with + and the country code if it is from abroad.",
        )
    return text


def _from_exponent(raw: str, exponent: re.Match[str]) -> str:
    digits = exponent[1] + exponent[2]
    if len(digits) != int(exponent[3]) + 1:
        raise _error(
            "phone_damaged",
            f"A spreadsheet shortened this number to “{_short(raw)}”, so its last digits are "
            "lost. Format the column as text and export the list again.",
        )
    return digits


def _by_metadata(raw: str, text: str, country: str) -> Phone:
    number = _valid(text, country)
    if number is None and text.startswith("00"):
        # 00 is how most of the world dials abroad, also in lists of countries where it is not.
        number = _valid("+" + text.lstrip("0"), country)
    if number is None:
        raise _why_not(raw, text, country)
    return Phone(phonenumbers.format_number(number, PhoneNumberFormat.E164), *_facts(number))


def _valid(text: str, country: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _why_not(raw: str, text: str, country: str) -> PhoneError:
    try:
        possible = phonenumbers.is_possible_number_with_reason(
            phonenumbers.parse(text, country or None)
        )
    except phonenumbers.NumberParseException as error:
        possible = {
            error.INVALID_COUNTRY_CODE: phonenumbers.ValidationResult.INVALID_COUNTRY_CODE,
            error.TOO_LONG: phonenumbers.ValidationResult.TOO_LONG,
        }.get(error.error_type, phonenumbers.ValidationResult.TOO_SHORT)
    if possible == phonenumbers.ValidationResult.INVALID_COUNTRY_CODE:
        return _error(
            "phone_country", f"“{_short(raw)}” does not begin with a country code that exists."
        )
    if possible == phonenumbers.ValidationResult.TOO_SHORT:
        return _error("phone_too_short", f"“{_short(raw)}” has too few digits.")
    if possible == phonenumbers.ValidationResult.TOO_LONG:
        return _error("phone_too_long", f"“{_short(raw)}” has too many digits.{_ABROAD}")
    return _invalid(raw)


def _invalid(raw: str) -> PhoneError:
    return _error("phone_invalid", f"No phone can have the number “{_short(raw)}”.{_ABROAD}")


def _error(code: str, sentence: str) -> PhoneError:
    return PhoneError(sentence, code=code)


def _short(raw: str) -> str:
    shown = " ".join(raw.split())
    return shown if len(shown) <= 40 else shown[:39] + "…"
