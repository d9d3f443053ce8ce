from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Func, Value


class Migration(migrations.Migration):
    """The trail is found by day, by person and by what was done, in the order it is shown."""

    atomic = False

    dependencies = [
        ("accounts", "0015_movements_of_credits"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="auditevent",
            index=models.Index(fields=["account", "-at", "-id"], name="audit_by_day"),
        ),
        AddIndexConcurrently(
            model_name="auditevent",
            index=models.Index(fields=["account", "actor", "-at", "-id"], name="audit_by_actor"),
        ),
        AddIndexConcurrently(
            model_name="auditevent",
            index=models.Index(
                F("account"),
                Func(
                    F("action"),
                    Value("."),
                    Value(1),
                    function="split_part",
                    output_field=models.TextField(),
                ),
                F("at").desc(),
                F("id").desc(),
                name="audit_by_kind",
            ),
        ),
        RemoveIndexConcurrently(model_name="auditevent", name="audit_by_account"),
        migrations.AlterField(
            model_name="auditevent",
            name="actor",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=models.deletion.SET_NULL,
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
