"""Statistics follow what an account brings in, not the size of the table."""

from django.db import migrations

# By a tenth of the table, as PostgreSQL does it, an account of fifty thousand people beside one of
# ten million would stay unknown to the planner for weeks; at these it is known within a minute.
_TABLES = {
    "contacts_contact": 5_000,
    "contacts_groupmember": 5_000,
    "contacts_contacttag": 5_000,
    "contacts_consentevent": 5_000,
}


class Migration(migrations.Migration):
    dependencies = [("contacts", "0021_email_in_one_spelling")]
    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {table} SET "
            f"(autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = {rows})",
            f"ALTER TABLE {table} RESET "
            "(autovacuum_analyze_scale_factor, autovacuum_analyze_threshold)",
        )
        for table, rows in _TABLES.items()
    ]
