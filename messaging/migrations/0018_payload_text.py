"""A payload is kept as text: as the carrier's form came, or as JSON. Rewrites the table of events."""

from django.db import migrations

from messaging.payloads import PayloadField


class Migration(migrations.Migration):
    dependencies = [("messaging", "0017_queue_by_commit")]

    operations = [
        migrations.AlterField(model_name="carrierevent", name="payload", field=PayloadField()),
    ]
