import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("contacts", "0002_storage"),
    ]

    operations = [
        migrations.AlterField(
            model_name="consentevent",
            name="kind",
            field=models.CharField(
                choices=[("in", "Opt-in"), ("out", "Opt-out"), ("void", "Opt-out taken back")],
                max_length=4,
            ),
        ),
        migrations.AddField(
            model_name="optout",
            name="reviewed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="optout",
            name="reviewed_by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="optout",
            index=models.Index(
                condition=models.Q(("reviewed_at", None), ("source", "free_text")),
                fields=["account", "-id"],
                name="opt_out_to_review",
            ),
        ),
    ]
