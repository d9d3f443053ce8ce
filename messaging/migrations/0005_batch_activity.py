"""Kept counts over time, and those of what was there before (docs/adr/0014-activity-in-slots.md)."""

import django.db.models.deletion
from django.db import migrations, models

# As `messaging.activity.COUNTED_SQL` stood when this was written.
FILL = """
INSERT INTO messaging_batchactivity (batch_id, account_id, our_number, what, slot_at, people)
SELECT m.batch_id, b.account_id, m.our_number, e.what,
    date_bin(
        CASE WHEN e.at < date_bin(
                '15 minutes', b.launched_at + interval '3 hours', 'epoch'::timestamptz)
            THEN interval '1 minute' ELSE interval '15 minutes' END,
        e.at, 'epoch'::timestamptz),
    count(*)
FROM messaging_batch b
JOIN messaging_message m ON m.batch_id = b.id AND m.direction = 'out'
CROSS JOIN LATERAL (VALUES
    ('accepted', m.accepted_at),
    (CASE WHEN m.state IN ('delivered', 'failed', 'refused', 'undelivered') THEN m.state END,
        m.final_at),
    ('clicked', m.human_click_at),
    ('replied', m.replied_at),
    ('opted_out', m.opted_out_at)
) AS e(what, at)
WHERE b.kind = 'blast' AND e.what IS NOT NULL AND e.at IS NOT NULL
GROUP BY 1, 2, 3, 4, 5
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0004_texts_removed")]

    operations = [
        migrations.CreateModel(
            name="BatchActivity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account_id", models.BigIntegerField()),
                ("our_number", models.CharField(max_length=16)),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("accepted", "Accepted"),
                            ("delivered", "Delivered"),
                            ("undelivered", "Not delivered"),
                            ("failed", "Failed"),
                            ("refused", "Refused"),
                            ("clicked", "Clicked"),
                            ("replied", "Replied"),
                            ("opted_out", "Left"),
                        ],
                        max_length=11,
                    ),
                ),
                ("slot_at", models.DateTimeField()),
                ("people", models.BigIntegerField(default=0)),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="activity",
                        to="messaging.batch",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["account_id", "slot_at"], name="activity_by_time")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("batch", "our_number", "what", "slot_at"), name="activity_unique"
                    )
                ],
            },
        ),
        migrations.RunSQL(
            # A slot's counts grow while it lasts.
            "ALTER TABLE messaging_batchactivity SET (fillfactor = 50)",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
