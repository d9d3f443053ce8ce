"""A payload is kept as text: as the carrier's form came, or as JSON. Rewrites the table of events.

It cannot be reversed once the edge has stored a form, which is no JSON: PostgreSQL refuses then,
and nothing is changed.
"""

from django.db import migrations

from messaging.payloads import PayloadField


class Migration(migrations.Migration):
    dependencies = [("messaging", "0017_queue_by_commit")]

    operations = [
        migrations.AlterField(model_name="carrierevent", name="payload", field=PayloadField()),
    ]
