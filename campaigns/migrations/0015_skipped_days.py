from datetime import timedelta
from typing import Any

import django.contrib.postgres.fields
from django.db import migrations, models

from campaigns.recurring import Rule
from common.clock import now


def remember(apps: Any, schema_editor: Any) -> None:
    """Until now a skipped occurrence was one that `next_on` had passed over."""
    series_model = apps.get_model("campaigns", "Series")
    today = now().date()
    for series in series_model.objects.filter(state__in=("running", "paused"), next_on__gt=today):
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
        since = max(today, made.occurrence_on + timedelta(days=1)) if made else today
        series.skipped_on = rule.days_between(since, series.next_on - timedelta(days=1))
        series.save(update_fields=["skipped_on"])


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
