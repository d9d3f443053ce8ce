"""A row of the queue holds the events of one commit; what waits becomes rows of one event each."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0016_pictures")]

    operations = [
        migrations.AddField(
            model_name="carriereventqueue",
            name="event_ids",
            field=ArrayField(models.BigIntegerField(), default=list),
            preserve_default=False,
        ),
        migrations.RunSQL(
            "UPDATE messaging_carriereventqueue SET event_ids = ARRAY[event_id]",
            migrations.RunSQL.noop,
        ),
        migrations.RemoveIndex(model_name="carriereventqueue", name="queue_of_texts"),
        migrations.RemoveField(model_name="carriereventqueue", name="event_id"),
        migrations.AddField(
            model_name="carriereventqueue",
            name="id",
            field=models.BigAutoField(
                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
            ),
        ),
        migrations.AddIndex(
            model_name="carriereventqueue",
            index=models.Index(
                condition=models.Q(("kind", "status"), _negated=True),
                fields=["id"],
                name="queue_of_texts",
            ),
        ),
    ]
