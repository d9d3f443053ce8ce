"""Statistics follow what an account brings in, not the size of the table."""

from django.db import migrations

from common.storage import analyzed_after


class Migration(migrations.Migration):
    dependencies = [("tracking", "0003_destination")]
    operations = [
        analyzed_after("tracking_click", rows=20_000),
    ]
