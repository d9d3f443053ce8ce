"""Storage settings the ORM cannot express: room for HOT updates, brisk vacuum of queues."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("messaging", "0001_initial")]
    operations = [
        migrations.RunSQL(sql, migrations.RunSQL.noop)
        for sql in (
            "ALTER TABLE messaging_message SET (fillfactor = 70)",
            "ALTER TABLE messaging_chunk SET (fillfactor = 70)",
            "ALTER TABLE messaging_lane SET (fillfactor = 50)",
            "ALTER TABLE messaging_batchtally SET (fillfactor = 50)",
            "ALTER TABLE messaging_batchtotals SET (fillfactor = 50)",
            "ALTER TABLE messaging_carriereventqueue SET "
            "(autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)",
        )
    ]
