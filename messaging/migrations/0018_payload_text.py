"""A payload is kept as text: as the carrier's form came, or as JSON. Rewrites the table of events.

It cannot be reversed once the edge has stored a form, which is no JSON: PostgreSQL refuses then,
and nothing is changed.
"""

from django.db import migrations

from messaging.payloads import PayloadField

_TYPE = "ALTER TABLE messaging_carrierevent ALTER COLUMN payload TYPE {0} USING payload::{0}"


class Migration(migrations.Migration):
    dependencies = [("messaging", "0017_queue_by_commit")]

    operations = [
        # Django does not say how a text becomes JSON again.
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(_TYPE.format("text"), _TYPE.format("jsonb"))],
            [
                migrations.AlterField(
                    model_name="carrierevent", name="payload", field=PayloadField()
                )
            ],
        ),
    ]
