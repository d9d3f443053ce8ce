"""Lists of millions: PostgreSQL writes the lines itself (COPY), page by page along the keys.

Rows of such a list never pass through Python one by one, and no transaction stays open for as long
as somebody downloads. Each column is an expression, so a list's rows stay its queryset's affair.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Case, CharField, Expression, F, Func, QuerySet, Value, When

from accounts.models import Account

Columns = Mapping[str, F | Expression]


class Copied(NamedTuple):
    """A page of a file: its text, how many rows, and the key of the last one (0 of none).

    `is_last`: no row lay behind it. A page that is not may hold fewer rows than were asked for,
    where some left the list between the two looks.
    """

    text: str
    rows: int
    last_id: int
    is_last: bool


def worded(name: str, choices: Sequence[tuple[str, Any]]) -> Case:
    """A stored word as the pages call it; nothing where it is empty."""
    whens = [When(**{name: word}, then=Value(label)) for word, label in choices]
    return Case(*whens, default=Value(None), output_field=CharField())


def told(name: str) -> Func:
    """A time in ISO 8601, with the offset of the account's zone."""
    form = Value('YYYY-MM-DD"T"HH24:MI:SSTZH:TZM')
    return Func(F(name), form, function="to_char", output_field=CharField())


def page_copied(
    *, account: Account, rows: QuerySet[Any], columns: Columns, after: int, size: int
) -> Copied:
    """The lines of the next `size` rows behind the key `after`, times in the account's zone.

    Two or three queries: where the page ends, and its lines.
    """
    ahead = rows.filter(pk__gt=after).select_related(None)
    keys = ahead.order_by("pk").values_list("pk", flat=True)
    last = keys[size - 1 : size].first()
    is_last = last is None
    if last is None:
        last = keys.last()
    if last is None:
        return Copied("", 0, 0, True)
    named = {f"csv_{name}": column for name, column in columns.items()}
    page = ahead.filter(pk__lte=last).order_by("pk").annotate(**named).values_list(*named)
    sql, params = page.query.sql_with_params()
    block = io.BytesIO()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('timezone', %s, true)", [account.timezone])
        query = cursor.cursor.mogrify(sql, params).decode()
        cursor.cursor.copy_expert(f"COPY ({query}) TO STDOUT WITH (FORMAT csv)", block)
        count = cursor.cursor.rowcount
        cursor.execute("SELECT set_config('timezone', %s, true)", [connection.timezone_name])
    return Copied(block.getvalue().decode(), count, last, is_last)
