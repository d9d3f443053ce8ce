"""The rules of allowed hours as they stand in the database: read, kept for a moment, begun with.

Owns the copy that each process keeps, so that no recipient costs a query, and the rows of a new
installation. What a rule means is `messaging.hours_law`'s, adding one is a service's.
"""

from typing import Any, Final

from django.apps import apps as all_apps

from common.clock import boot_s
from messaging.hours_law import SEED, Law, Rule
from messaging.models import HoursRule

# A rule that staff add is obeyed by every process this much later at most.
LIFE_S: Final = 30.0

_kept: tuple[float, Law] | None = None


def law_now() -> Law:
    """Every rule there is, past and future. At most one query in `LIFE_S` seconds a process.

    Those of the code where there is none (a migration that has not come to its end): never no law.
    """
    global _kept
    at_s = boot_s()
    if _kept is None or at_s - _kept[0] > LIFE_S:
        rows = [rule_of(row) for row in HoursRule.objects.order_by("pk")]
        _kept = at_s, Law(rows or SEED)
    return _kept[1]


def forget() -> None:
    """Read the rules again the next time that this process asks for them."""
    global _kept
    _kept = None


def rule_of(row: HoursRule) -> Rule:
    """A row as what the engine asks."""
    return Rule(
        region=row.region,
        opens=row.opens,
        closes=row.closes,
        source=row.source,
        weekdays=frozenset(row.weekdays),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        link=row.link,
    )


def seed(*, using: str, apps: Any = all_apps, **_: Any) -> None:
    """Give a database that has no rules those of `hours_law.SEED`; answers `post_migrate`.

    Not a step of a migration: a database that was flushed has lost the rows of its migrations, and
    without rules texts would go out at any hour that the account allows.

    Args:
        using: The database.
        apps: The models as the migrations so far have made them.
    """
    try:
        rows = apps.get_model("messaging", "HoursRule").objects.using(using)
    except LookupError:  # migrated back to before there were rules
        return
    if not rows.exists():
        rows.bulk_create(
            rows.model(
                region=rule.region,
                weekdays=sorted(rule.weekdays),
                opens=rule.opens,
                closes=rule.closes,
                valid_from=rule.valid_from,
                source=rule.source,
                link=rule.link,
            )
            for rule in SEED
        )
