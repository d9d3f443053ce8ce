"""Who of an audience would be texted more often than the account allows, before anybody sends it.

Foreseen from what went out or waits and from what is planned before; the engine holds the cap
itself (`messaging.frequency`), by what then really went.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from accounts.models import Account
from common.sql import Sql
from contacts.models import Contact
from messaging.capping import texts_lately
from messaging.errors import EmptyAudience
from messaging.services.timing import chosen_people


def people_crowded(
    *,
    account: Account,
    body: str,
    audience: QuerySet[Contact],
    at: datetime,
    earlier: Sequence[QuerySet[Contact]] = (),
) -> dict[int, int]:
    """How many people would get one blast too many at `at`: which one it is to people.

    ``{3: 212}`` is 212 people for whom it would be the third within the cap's days. One query.

    Args:
        account: The tenant, with `cap_texts` set; without it nobody is crowded.
        body: The blast's text.
        audience: Its people.
        at: When it goes out.
        earlier: People of blasts planned before it, within the cap's days.

    Raises:
        TemplateError: the body cannot be sent as it is.
    """
    if not account.cap_texts:
        return {}
    try:
        chosen = chosen_people(account, body, audience)
    except EmptyAudience:
        return {}
    since = at - timedelta(days=account.cap_days)
    lately = texts_lately(account_id=account.pk, since=since, until=at)
    planned = [found for one in earlier if (found := _ids(one)) is not None]
    more = "".join(f" + (p.id IN ({one.text}))::int" for one in planned)
    # OFFSET 0: each person's texts are added up once, not for each place that names the sum.
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH recent AS (
                SELECT phone, count(*) AS texts FROM ({lately.text}) t WHERE at > %s GROUP BY phone)
            SELECT texts, count(*) FROM (
                SELECT 1 + coalesce(r.texts, 0){more} AS texts
                FROM ({chosen.text}) p LEFT JOIN recent r ON r.phone = p.phone
                WHERE p.reason = '' OFFSET 0) c
            WHERE texts > %s GROUP BY texts ORDER BY texts
            """,
            [
                *(*lately.params, since),
                *(param for one in planned for param in one.params),
                *chosen.params,
                account.cap_texts,
            ],
        )
        return dict(cursor.fetchall())


def _ids(people: QuerySet[Contact]) -> Sql | None:
    """The ids in SQL; None where the queryset is provably empty."""
    try:
        text, params = people.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return None
    return Sql(text, list(params))
