"""Batches of campaigns launched before they knew their budget."""

from django.db import migrations

FILL = """
UPDATE messaging_batch b SET budget_group = c.id, budget_credits = c.budget_credits
FROM campaigns_blast l JOIN campaigns_campaign c ON c.id = l.campaign_id
WHERE l.batch_id = b.id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0006_saved_text"),
        ("messaging", "0009_budget_gate"),
    ]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
