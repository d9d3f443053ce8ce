from datetime import date, datetime, timedelta
from typing import Any

import django.contrib.postgres.fields
from django.db import migrations, models

from campaigns.recurring import Rule
from common.clock import now
from messaging.timetable import wall_moment


def remember(apps: Any, schema_editor: Any) -> None:
    """Until now a skipped occurrence was one that `next_on` had passed over.

    Days whose moment has passed were not skipped: the series may have begun after it.
    """
    series_model = apps.get_model("campaigns", "Series")
    at = now()
    # Somewhere it is still yesterday.
    yesterday = at.date() - timedelta(days=1)
    waiting = series_model.objects.filter(state__in=("running", "paused"), next_on__gt=yesterday)
    for series in waiting.select_related("account"):
        rule = Rule(
            every=series.every,
            at=series.at,
            starts_on=series.starts_on,
            interval=series.interval,
            weekdays=tuple(series.weekdays),
            ends_on=series.ends_on,
            count=series.count,
            is_local=series.is_local,
        )
        made = series.occurrences.order_by("-occurrence_on").first()
        since = max(yesterday, made.occurrence_on + timedelta(days=1)) if made else yesterday
        days = rule.days_between(since, series.next_on - timedelta(days=1))
        series.skipped_on = [day for day in days if moment_on(series, day) > at]
        series.save(update_fields=["skipped_on"])


def moment_on(series: Any, day: date) -> datetime:
    """When the occurrence of a day would have been launched: at the first turn of anybody."""
    clocks = series.clocks if series.is_local and series.clocks else [[series.account.timezone]]
    wall = datetime.combine(day, series.at)
    return min(max(wall_moment(wall, zone) for zone in zones) for zones in clocks)


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0014_blast_written_by"),
    ]

    operations = [
        migrations.AddField(
            model_name="series",
            name="skipped_on",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.DateField(),
                blank=True,
                default=list,
                help_text="Days of the rule on which nothing goes out.",
                size=None,
            ),
        ),
        migrations.RunPython(remember, migrations.RunPython.noop),
    ]
