from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Doubts are looked up a carrier account at a time: theirs are found without the others'."""

    atomic = False

    dependencies = [
        ("messaging", "0025_may_take"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(("outcome", "unknown")),
                fields=["carrier_account", "id"],
                name="attempt_in_doubt",
            ),
        ),
        RemoveIndexConcurrently(
            model_name="attempt",
            name="attempt_unknown",
        ),
    ]
