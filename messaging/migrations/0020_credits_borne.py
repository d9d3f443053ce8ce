from django.db import migrations, models

# Until now a batch kept what the carrier's count differed by, also where less could be charged.
BORNE = """
UPDATE messaging_batch b
SET credits_borne = b.credits_adjusted - e.charged, credits_adjusted = e.charged
FROM (
    SELECT batch_id, -sum(available) AS charged FROM accounts_creditentry
    WHERE kind = 'adjust' GROUP BY 1
) e
WHERE b.id = e.batch_id AND b.credits_adjusted <> e.charged
"""
DIFFERED = """
UPDATE messaging_batch SET credits_adjusted = credits_adjusted + credits_borne
WHERE credits_borne <> 0
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_disputes_and_debt"),
        ("messaging", "0019_single_costs"),
    ]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="credits_borne",
            field=models.BigIntegerField(
                db_default=0,
                default=0,
                help_text="What that count came to beyond what was left: the platform bore it.",
            ),
        ),
        migrations.AlterField(
            model_name="batch",
            name="credits_adjusted",
            field=models.BigIntegerField(
                default=0,
                help_text="Charged, or given back (negative), by the carrier's own count.",
            ),
        ),
        migrations.RunSQL(BORNE, DIFFERED),
    ]
