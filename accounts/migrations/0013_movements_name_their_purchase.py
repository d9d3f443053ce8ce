from django.db import migrations, models

# What a movement is of never changes, its purchase as little as its send.
_TRIGGER = """
DROP TRIGGER append_only ON accounts_creditentry;
CREATE TRIGGER append_only BEFORE DELETE
    OR UPDATE OF account_id, kind, available, held, owed, balance_after, idempotency_key,
        batch_id{more}
    ON accounts_creditentry
    FOR EACH ROW EXECUTE FUNCTION accounts_creditentry_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_disputes_and_debt"),
    ]

    operations = [
        migrations.AddField(
            model_name="creditentry",
            name="purchase_id",
            field=models.BigIntegerField(
                blank=True,
                help_text="The purchase whose payment came in or went back.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="creditentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("trial", "Trial credits"),
                    ("purchase", "Purchase"),
                    ("grant", "Granted by staff"),
                    ("reserve", "Reserved"),
                    ("settle", "Used"),
                    ("release", "Released, not used"),
                    ("adjust", "Adjusted to the carrier's count"),
                    ("refund", "Paid back"),
                ],
                max_length=12,
            ),
        ),
        migrations.RunSQL(
            """
            UPDATE accounts_creditentry e SET purchase_id = p.id
            FROM accounts_purchase p
            WHERE p.session_id <> '' AND e.account_id = p.account_id
                AND e.idempotency_key = 'stripe:' || p.session_id
            """,
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(_TRIGGER.format(more=", purchase_id"), _TRIGGER.format(more="")),
    ]
