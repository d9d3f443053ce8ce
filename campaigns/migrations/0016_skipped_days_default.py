from datetime import timedelta
from typing import Any

import django.contrib.postgres.fields
from django.db import migrations, models

from campaigns.recurring import Rule
from common.clock import now


def forget(apps: Any, schema_editor: Any) -> None:
    """Clear the skipped days of what a person ended before that did so; none is brought back.

    What ended by itself has no day to come but skipped ones, which may be brought back.
    """
    # What goes out today may be of tomorrow's date already.
    to_come = now().date() + timedelta(days=2)
    ended = apps.get_model("campaigns", "Series").objects.filter(state="ended")
    for series in ended.exclude(skipped_on=[]):
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
        if any(day not in series.skipped_on for day in rule.days(since=to_come)):
            series.skipped_on = []
            series.save(update_fields=["skipped_on"])


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0015_skipped_days"),
    ]

    operations = [
        migrations.AlterField(
            model_name="series",
            name="skipped_on",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.DateField(),
                blank=True,
                db_default=[],
                default=list,
                help_text="Days of the rule on which nothing goes out.",
                size=None,
            ),
        ),
        migrations.RunPython(forget, migrations.RunPython.noop),
    ]
