"""Statistics follow what an account brings in, not the size of the table."""

from django.db import migrations

from common.storage import analyzed_after


class Migration(migrations.Migration):
    dependencies = [("contacts", "0021_email_in_one_spelling")]
    operations = [
        analyzed_after("contacts_contact", rows=5_000),
        analyzed_after("contacts_groupmember", rows=5_000),
        analyzed_after("contacts_contacttag", rows=5_000),
        analyzed_after("contacts_consentevent", rows=5_000),
    ]
