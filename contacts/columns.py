"""Which column of a file holds which field: guessed from headings and cells, checked when chosen.

No database. A mapping is a list with one entry a column: a field's name, ``full_name``,
``custom.<key>``, or "" for a column that is left out.
"""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from common.phone import PhoneError, normalise
from contacts.errors import MappingInvalid
from contacts.fields import CUSTOM_FIELDS_MAX, CUSTOM_PREFIX, LABELS, custom_key

FULL_NAME: Final = "full_name"
COLUMNS_MAX: Final = 500
TARGETS: Final[Mapping[str, str]] = {**LABELS, FULL_NAME: "First and last name"}
# Headings, folded as `_fold` does, of the exports of common shops, mailers and address books; for
# phones the likelier to receive texts first.
_PHONE_HEADINGS: Final = (
    "mobile", "mobilephone", "mobilenumber", "mobilephonenumber", "cell", "cellphone",
    "cellnumber", "cellphonenumber", "smsnumber", "sms", "handy", "handynummer", "mobil",
    "mobilnummer", "mobiltelefon", "portable", "telephoneportable", "movil", "telefonomovil",
    "celular", "cellulare", "gsm", "phone", "phonenumber", "phoneno", "phone1", "phone1value",
    "telephone", "telephonenumber", "tel", "telefon", "telefonnummer", "telefono", "telefone",
    "contactnumber", "contactphone", "customerphone", "billingphone", "defaultaddressphone",
    "shippingphone", "number", "numero", "nummer", "msisdn", "e164", "to", "whatsapp",
)  # fmt: skip
_HEADINGS: Final[Mapping[str, str]] = {
    **dict.fromkeys(_PHONE_HEADINGS, "phone"),
    **dict.fromkeys(
        ("firstname", "first", "fname", "givenname", "forename", "vorname", "prenom", "nombre",
         "nome", "contactfirstname", "billingfirstname"),
        "first_name",
    ),
    **dict.fromkeys(
        ("lastname", "last", "lname", "surname", "familyname", "nachname", "familienname", "nom",
         "nomdefamille", "apellido", "apellidos", "cognome", "sobrenome", "contactlastname",
         "billinglastname"),
        "last_name",
    ),
    **dict.fromkeys(
        ("name", "fullname", "contactname", "customername", "contact", "customer",
         "nombrecompleto", "nomcomplet", "displayname"),
        FULL_NAME,
    ),
    **dict.fromkeys(
        ("email", "emailaddress", "mail", "mailaddress", "emailadresse", "correo",
         "correoelectronico", "courriel", "email1value", "billingemail"),
        "email",
    ),
    **dict.fromkeys(("timezone", "tz", "zeitzone"), "timezone"),
}  # fmt: skip
_CUSTOM_GUESSED_MAX: Final = 20


class Layout(NamedTuple):
    """What a file's first rows tell: whether they begin with headings, and the guessed mapping."""

    has_header: bool
    mapping: list[str]


def width(rows: Sequence[Sequence[str]]) -> int:
    """Columns of a file: those most of its first rows have, and no less than the very first."""
    usual, _ = Counter(map(len, rows[1:] or rows)).most_common(1)[0]
    return max(usual, len(rows[0]))


def guess(rows: Sequence[Sequence[str]], *, country: str, header: bool | None = None) -> Layout:
    """Guess headings and mapping from the first rows.

    Args:
        rows: The file's first rows, at least one.
        country: Where numbers without + are dialled.
        header: Whether the first row holds headings, where somebody said so.
    """
    columns = min(width(rows), COLUMNS_MAX)
    cells = [[row[i] if i < len(row) else "" for row in rows] for i in range(columns)]
    if header is None:
        header = _has_header(cells, country)
    headings = [column[0] if header else "" for column in cells]
    values = [column[1:] if header else column for column in cells]
    return Layout(header, _mapping(headings, values, country))


def headings_of(rows: Sequence[Sequence[str]], *, has_header: bool, columns: int) -> list[str]:
    """A name for each column: its heading, or ``Column 3``."""
    first = rows[0] if has_header and rows else []
    return [
        (first[i].strip() if i < len(first) else "") or f"Column {i + 1}" for i in range(columns)
    ]


def headings_key(headings: Sequence[str]) -> str:
    """What files with the same headings in the same order share, whatever the case of letters."""
    folded = [" ".join(heading.split()).casefold() for heading in headings]
    return hashlib.sha256(json.dumps(folded).encode()).hexdigest()


def check(mapping: Sequence[str]) -> None:
    """Refuse a mapping that cannot be imported.

    Raises:
        MappingInvalid: no phone, a field twice, too many fields, or an unknown field.
    """
    chosen = [target for target in mapping if target]
    if "phone" not in chosen:
        raise MappingInvalid("Say which column holds the phone number. Nothing was imported yet.")
    twice = next((target for target in chosen if chosen.count(target) > 1), None)
    if twice:
        raise MappingInvalid(
            f"Two columns go to “{label(twice)}”. Leave one of them out. Nothing was imported yet."
        )
    if FULL_NAME in chosen and {"first_name", "last_name"} & set(chosen):
        raise MappingInvalid(
            "Choose either one column with the whole name or columns for first and last name."
            " Nothing was imported yet."
        )
    custom = [target for target in chosen if target not in TARGETS]
    if any(target != CUSTOM_PREFIX + custom_key(target[len(CUSTOM_PREFIX) :]) for target in custom):
        raise MappingInvalid("One of the columns goes to a field that does not exist.")
    if len(custom) > CUSTOM_FIELDS_MAX:
        raise MappingInvalid(
            f"A contact can have at most {CUSTOM_FIELDS_MAX} fields of its own. Leave some columns"
            " out. Nothing was imported yet."
        )


def label(target: str) -> str:
    """What a mapping's entry is called on pages."""
    if target in TARGETS:
        return TARGETS[target]
    return target.removeprefix(CUSTOM_PREFIX).replace("_", " ").capitalize()


def label_of(heading: str) -> str:
    """What a column is called as a field: ``VIP?`` is VIP, ``shirt  size`` is Shirt size."""
    text = " ".join(heading.split()).strip(" ?!:;*#.")
    return (text[:1].upper() + text[1:])[:80].strip()


def labels(mapping: Sequence[str], headings: Sequence[str]) -> dict[str, str]:
    """Names of the account's own fields that columns go to, by key.

    Args:
        mapping: One entry a column.
        headings: Of the file, as it has them; none where it has none.
    """
    found = {}
    for i, target in enumerate(mapping):
        if not target.startswith(CUSTOM_PREFIX):
            continue
        key = target[len(CUSTOM_PREFIX) :]
        heading = headings[i] if i < len(headings) else ""
        found[key] = (label_of(heading) if custom_key(heading) == key else "") or label(target)
    return found


def _mapping(headings: Sequence[str], values: Sequence[Sequence[str]], country: str) -> list[str]:
    mapping = [_HEADINGS.get(_fold(heading), "") for heading in headings]
    phone = _phone_column(headings, values, country)
    seen = set()
    for i, target in enumerate(mapping):
        if target == "phone" or (target and target in seen):
            mapping[i] = ""
        elif not target and not headings[i] and _share_of_emails(values[i]) >= 0.5:
            mapping[i] = "email" if "email" not in mapping else ""
        seen.add(mapping[i])
    if FULL_NAME in mapping and {"first_name", "last_name"} & set(mapping):
        mapping[mapping.index(FULL_NAME)] = ""
    if phone is not None:
        mapping[phone] = "phone"
    return _with_custom(mapping, headings)


def _with_custom(mapping: list[str], headings: Sequence[str]) -> list[str]:
    """Columns with a heading that is no known field become fields of the account's own."""
    free = _CUSTOM_GUESSED_MAX
    for i, heading in enumerate(headings):
        target = CUSTOM_PREFIX + custom_key(heading)
        known = _HEADINGS.get(_fold(heading), "") in ("first_name", "last_name", FULL_NAME)
        if mapping[i] or known or target == CUSTOM_PREFIX or target in mapping or not free:
            continue
        mapping[i] = target
        free -= 1
    return mapping


def _phone_column(
    headings: Sequence[str], values: Sequence[Sequence[str]], country: str
) -> int | None:
    """The column with most numbers among those with a phone's heading, else among all."""
    named = [i for i, heading in enumerate(headings) if _fold(heading) in _PHONE_HEADINGS]
    shares = {i: _share_of_phones(values[i], country) for i in named or range(len(values))}
    rank = {i: _PHONE_HEADINGS.index(_fold(headings[i])) for i in named}
    best = max(shares, key=lambda i: (shares[i], -rank.get(i, 0), -i), default=None)
    if best is None or (not named and shares[best] < 0.5):
        return None
    return best


def _has_header(cells: Sequence[Sequence[str]], country: str) -> bool:
    first = [column[0] for column in cells]
    if any(_is_phone(cell, country) for cell in first):
        return False
    if any(_fold(cell) in _HEADINGS for cell in first):
        return True
    return any(_share_of_phones(column[1:], country) >= 0.5 for column in cells)


def _share_of_phones(values: Sequence[str], country: str) -> float:
    filled = [value for value in values if value.strip()]
    if not filled:
        return 0.0
    return sum(_is_phone(value, country) for value in filled) / len(filled)


def _share_of_emails(values: Sequence[str]) -> float:
    filled = [value for value in values if value.strip()]
    return sum("@" in value for value in filled) / len(filled) if filled else 0.0


def _is_phone(text: str, country: str) -> bool:
    # Dates, prices and postcodes are short or have letters; most cells never reach the metadata.
    if not 7 <= sum(c.isdigit() for c in text) <= 15 or len(text) > 30:
        return False
    try:
        normalise(text, country)
    except PhoneError:
        return False
    return True


def _fold(heading: str) -> str:
    text = unicodedata.normalize("NFKD", heading.strip().lower())
    return re.sub(r"[^a-z0-9]+", "", text.encode("ascii", "ignore").decode())
