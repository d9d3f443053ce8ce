from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0024_reconcile_not_before"),
    ]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="may_take",
            field=models.DurationField(
                blank=True,
                help_text="From its launch, and from each time it is resumed.",
                null=True,
            ),
        ),
        # Of those that can still be resumed; `batch_unsettled` finds them.
        migrations.RunSQL(
            "UPDATE messaging_batch SET may_take = expires_at - launched_at "
            "WHERE settled_at IS NULL AND expires_at IS NOT NULL",
            migrations.RunSQL.noop,
        ),
    ]
