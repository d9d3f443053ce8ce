"""One statement over the people of a queryset, any number of them; nobody is loaded."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from accounts.models import Account
from common.clock import now
from common.sql import unguessed
from contacts.models import Contact


def run_on(
    statement: str,
    contacts: QuerySet[Contact],
    *,
    account: Account,
    params: Mapping[str, Any] | None = None,
    **parts: str,
) -> int:
    """Run a statement that answers with a number; it is 0 where nobody can be chosen.

    Args:
        statement: SQL; ``{chosen}`` becomes the ids of `contacts` and ``{name}`` one of `parts`.
            ``%(account)s`` and ``%(moment)s`` (now) are there. It looks them up by
            ``= ANY (ARRAY({chosen}))``: of a join the planner may think that both sides are one
            row, and go through all of one for each of the other.
        contacts: Who; of the account alone, whatever else it says.
        account: Whose.
        params: Of the statement, by name.
        parts: SQL of ours.
    """
    own = contacts.filter(account=unguessed(account.pk)).order_by().values("pk")
    try:
        chosen, chosen_params = own.query.sql_with_params()
    except EmptyResultSet:
        return 0
    # The query's own parameters go by place, ours by name; theirs get names too.
    theirs = {f"chosen_{n}": param for n, param in enumerate(chosen_params)}
    named = chosen.replace("%%", "%%%%") % tuple(f"%({name})s" for name in theirs)
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(chosen=named, **parts),
            {**(params or {}), **theirs, "account": account.pk, "moment": now()},
        )
        (people,) = cursor.fetchone()
    return int(people)
