"""Statistics follow what an account brings in, not the size of the table."""

from django.db import migrations

from common.storage import analyzed_after


class Migration(migrations.Migration):
    dependencies = [("messaging", "0027_email_in_one_spelling")]
    operations = [
        analyzed_after("messaging_message", rows=20_000),
        analyzed_after("messaging_attempt", rows=20_000),
        analyzed_after("messaging_carrierevent", rows=20_000),
    ]
