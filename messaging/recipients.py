"""An audience in SQL: who is in it, their merge values, and why some will not be texted.

Owns the one query that the launch inserts from and the estimate counts, so that both tell the
same. A million recipients never pass through Python. Consent and the rest are asked again at the
moment of sending (`messaging.gate`).
"""

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet

from accounts.choices import AccountStatus
from accounts.models import Account
from common.sql import Sql
from contacts.choices import Consent, FieldKind, LineType
from contacts.field_types import FieldType, words_sql
from contacts.fields import CUSTOM_PREFIX
from contacts.models import Contact
from contacts.selectors import field_types
from messaging.choices import Reason
from messaging.errors import EmptyAudience
from messaging.graphemes import has_joiners
from messaging.models import SenderNumber
from messaging.pricing import Prices
from messaging.rendering import BODY_LIMIT, Template
from messaging.segments import (
    GSM_BASIC,
    GSM_EXTENSION,
    GSM_SINGLE,
    UCS2_EACH,
    UCS2_SINGLE,
    is_gsm,
)
from messaging.shapes import shape_of

_COLUMNS: Final = frozenset({"first_name", "last_name", "email", "phone"})
_READ: Final = (
    "id", "account_id", "deleted_at", "custom", "line_type", "consent", "timezone", *_COLUMNS
)  # fmt: skip


def people(
    *,
    account: Account,
    sender: SenderNumber | None,
    template: Template,
    link_length: int,
    audience: QuerySet[Contact],
) -> Sql:
    """One row per person: no (from 1, by contact id), id, phone, timezone, merge, reason.

    The reason is why they are not texted, "" where they are. Everybody appears once whatever
    `audience` joins, and nobody of another account can appear.

    Raises:
        EmptyAudience: the queryset is provably empty.
    """
    everybody = everybody_from(account, audience, is_sorted=True)
    values = _values(account, template)
    merge, reason = _merge(values), _reason(account, sender, template, link_length, values)
    return Sql(
        f"""
        SELECT row_number() OVER (ORDER BY c.id) AS no, c.id, c.phone, c.timezone,
               {merge.text} AS merge, {reason.text} AS reason
        FROM {everybody.text}
        """,
        [*merge.params, *reason.params, *everybody.params],
    )


def people_by_shape(
    *,
    account: Account,
    sender: SenderNumber | None,
    template: Template,
    audience: QuerySet[Contact],
    prices: Prices,
    by_value: bool = False,
) -> Sql:
    """The same people, counted: reason, people, the first one's id, price, a shape of each field.

    Fields are in the order of their names; with `by_value` each value is its own shape. Nothing is
    sorted or numbered, so that PostgreSQL may count a million people in parallel. Who is left out
    for the length of a text is told by `shapes.counted`: the query is the same for every wording
    with the same fields.

    Raises:
        EmptyAudience: the queryset is provably empty.
    """
    everybody = everybody_from(account, audience, is_sorted=False)
    by_name = _values(account, template)
    reason = _reason(account, sender, template, None, by_name)
    values = list(by_name.values())
    columns = [value.text if by_value else shape_of(value.text) for value in values]
    shapes = "".join(f", {column}" for column in columns)
    params = [
        param
        for value, column in zip(values, columns, strict=True)
        for _ in range(column.count(value.text))
        for param in value.params
    ]
    keys = ", ".join(str(place) for place in (1, *range(4, 5 + len(values))))
    price = prices.sql("c.phone")
    return Sql(
        f"SELECT {reason.text} AS reason, count(*), min(c.id), {price.text}{shapes} "
        f"FROM {everybody.text} "
        f"GROUP BY {keys}",
        [*reason.params, *price.params, *params, *everybody.params],
    )


def everybody_from(account: Account, audience: QuerySet[Contact], *, is_sorted: bool) -> Sql:
    """What stands after FROM: the audience as `c`, each once, beside a possible opt-out as `o`.

    Raises:
        EmptyAudience: the queryset is provably empty.
    """
    try:
        chosen, params = audience.values(*_READ).query.sql_with_params()
    except EmptyResultSet as empty:
        raise EmptyAudience from empty
    # Not "id IN (audience)": joined with itself, contacts come out quadratic while the planner's
    # statistics do not know the account yet, as just after an import. For the same reason the
    # account is asked outside: through DISTINCT ON and OFFSET it is not pushed down. Of who left,
    # the planner reckons with as many as an account has on average (`common.sql.unguessed`).
    once = (
        f"(SELECT DISTINCT ON (a.id) a.* FROM ({chosen}) a ORDER BY a.id)"
        if is_sorted or _may_repeat(audience)
        else f"(SELECT a.* FROM ({chosen}) a OFFSET 0)"
    )
    return Sql(
        f"{once} c LEFT JOIN contacts_optout o "
        "ON o.account_id = (SELECT %s) AND o.phone = c.phone "
        "WHERE c.account_id = %s AND c.deleted_at IS NULL",
        [*params, account.pk, account.pk],
    )


def _may_repeat(audience: QuerySet[Contact]) -> bool:
    """Whether a contact could come twice: only where its table is not the only one read."""
    query = audience.query
    tables = [alias for alias in query.alias_map if query.alias_refcount[alias]]
    return bool(query.combinator) or len(tables) + len(query.extra_tables) > 1


def _values(account: Account, template: Template) -> dict[str, Sql]:
    """The contact's value of each merge field the text uses, in words, by name in their order.

    The names were checked against the account's fields. Everything that is said or counted of a
    value goes through here: what is frozen at launch, its shape, its length, whether it is blank.
    """
    names = sorted(template.names)
    types = {} if _COLUMNS.issuperset(names) else field_types(account=account)
    return {name: _value(name, types) for name in names}


def _value(name: str, types: Mapping[str, FieldType]) -> Sql:
    if name in _COLUMNS:
        return Sql(f"c.{name}", [])
    key = name.removeprefix(CUSTOM_PREFIX)
    kind = types[key].kind if key in types else FieldKind.TEXT
    text = words_sql(kind, "(c.custom ->> %s)")
    return Sql(text, [key] * text.count("%s"))


def _merge(values: Mapping[str, Sql]) -> Sql:
    """Only the fields the text uses, frozen at launch; NULL where it uses none."""
    if not values:
        return Sql("NULL::jsonb", [])
    pairs: list[str] = []
    params: list[Any] = []
    for name, value in values.items():
        pairs.append(f"%s::text, {value.text}")
        params += [name, *value.params]
    return Sql(f"jsonb_build_object({', '.join(pairs)})", params)


def _reason(
    account: Account,
    sender: SenderNumber | None,
    template: Template,
    link_length: int | None,
    values: Mapping[str, Sql],
) -> Sql:
    """Why not to text `c`, or ""; without `link_length` the length of the text is not looked at."""
    whens: list[Sql] = [Sql(f"WHEN o.id IS NOT NULL THEN '{Reason.OPTED_OUT}'", [])]
    if account.requires_consent:
        whens.append(Sql(f"WHEN c.consent <> '{Consent.OPTED_IN}' THEN '{Reason.NO_CONSENT}'", []))
    whens.append(Sql(f"WHEN c.line_type = '{LineType.LANDLINE}' THEN '{Reason.LANDLINE}'", []))
    if trial_is_restricted(account, sender):
        whens.append(
            Sql(
                "WHEN NOT EXISTS (SELECT FROM accounts_verifiednumber v WHERE v.account_id = "
                "c.account_id AND v.phone = c.phone AND v.verified_at IS NOT NULL) "
                f"THEN '{Reason.UNVERIFIED_TRIAL}'",
                [],
            )
        )
    for name in sorted(template.required):
        value = values[name]
        whens.append(Sql(f"WHEN {value.text} !~ '\\S' THEN '{Reason.BLANK_FIELD}'", value.params))
    if template.fields and link_length is not None:
        length = _sum_over_fields(template, "length({})", values)
        fixed = len(rendered_blank(template, link_length))
        whens.append(
            Sql(
                f"WHEN {fixed} + {length.text} > {BODY_LIMIT} THEN '{Reason.TOO_LONG}'",
                length.params,
            )
        )
    text = " ".join(when.text for when in whens)
    return Sql(f"CASE {text} ELSE '' END", [param for when in whens for param in when.params])


def trial_is_restricted(account: Account, sender: SenderNumber | None) -> bool:
    """Whether the account texts only numbers it verified: a trial on a real carrier."""
    return (
        account.status == AccountStatus.TRIAL
        and sender is not None
        and not sender.carrier_account.is_simulated
    )


def rendered_blank(template: Template, link_length: int) -> str:
    """The text with every field at its fallback and a placeholder of the length of a short link.

    Both sides of conditions stand in it, so that it is never shorter than what a person reads.
    """
    return template.fullest(["x" * link_length] * len(template.links))


def _sum_over_fields(template: Template, per_value: str, values: Mapping[str, Sql]) -> Sql:
    used = [values[field.name] for field in template.fields]
    return Sql(
        " + ".join(per_value.format(value.text) for value in used),
        [param for value in used for param in value.params],
    )


def segments_bound(template: Template, link_length: int) -> Sql:
    """An expression over `merge` of at least as many segments as the text will have.

    Exact where the text has no fields. Otherwise: fallbacks are counted beside the values they
    stand in for, and each segment may lose a unit to a pair that is not split (152 and 66 instead
    of 153 and 67). Clusters of several code points may waste up to half of every segment.
    """
    blank = rendered_blank(template, link_length)
    values = [("(merge ->> %s)", [field.name]) for field in template.fields]
    params = [param for _, own in values for param in own]
    joined = "concat(" + ", ".join(text for text, _ in values) + ")"
    gsm = _gsm_units(blank)
    utf16 = len(blank.encode("utf-16-le")) // 2
    tight = f"({UCS2_EACH} - 1.0)"
    loose = f"({UCS2_EACH} / 2.0)"
    wide = (
        loose
        if has_joiners(blank)
        else (f"CASE WHEN v ~ '[^\\u0001-\\u02ff]' THEN {loose} ELSE {tight} END")
    )
    ucs2 = (
        f"CASE WHEN {utf16} + u <= {UCS2_SINGLE} THEN 1 ELSE ceil(({utf16} + u) / {wide}) + 1 END"
    )
    lateral_u = "length(v) + length(regexp_replace(v, '[\\u0001-\\uffff]', '', 'g'))"
    ucs2 = ucs2.replace(" + u", f" + {lateral_u}")
    if is_gsm(blank):
        units = f"({gsm} + length(v) + length(v) - length(translate(v, %s, '')))"
        text = (
            f"CASE WHEN v ~ %s THEN CASE WHEN {units} <= {GSM_SINGLE} THEN 1 "
            f"ELSE ceil({units} / 152.0) END ELSE {ucs2} END"
        )
        own = [_gsm_pattern(), GSM_EXTENSION, GSM_EXTENSION]
    else:
        text, own = ucs2, []
    return Sql(f"(SELECT ({text})::int FROM (SELECT {joined} AS v) f)", [*own, *params])


def _gsm_units(text: str) -> int:
    return len(text) + sum(map(text.count, GSM_EXTENSION))


def _gsm_pattern() -> str:
    """A PostgreSQL pattern of texts that are all GSM-7."""
    chars = "".join(f"\\u{ord(char):04x}" for char in GSM_BASIC + GSM_EXTENSION)
    return f"^[{chars}]*$"
