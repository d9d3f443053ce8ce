"""A row of the queue holds the events of one commit; what waits becomes rows of one event each.

It cannot be reversed while anything waits: a row of many events has no place in the old queue.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

# A new column numbers rows as they lie in the table. The oldest first again, before all new ones.
_IN_ORDER = """
UPDATE messaging_carriereventqueue SET id = event_ids[1] - 1 - (
    SELECT max(event_ids[1]) FROM messaging_carriereventqueue)
"""
_NOT_WHILE_EVENTS_WAIT = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM messaging_carriereventqueue) THEN
        RAISE EXCEPTION 'Events wait in the queue. Let a worker apply them, then reverse this.';
    END IF;
END $$
"""


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
        migrations.RunSQL(_IN_ORDER, _NOT_WHILE_EVENTS_WAIT),
    ]
