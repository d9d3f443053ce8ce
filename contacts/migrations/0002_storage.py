"""Storage settings the ORM cannot express: the staging of imports is not worth logging."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("contacts", "0001_initial")]
    operations = [
        migrations.RunSQL("ALTER TABLE contacts_importrow SET UNLOGGED", migrations.RunSQL.noop)
    ]
