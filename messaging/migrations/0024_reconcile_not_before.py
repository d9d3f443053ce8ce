from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0023_costs_follow_credits")]

    operations = [
        migrations.AddField(
            model_name=model,
            name="reconcile_not_before",
            field=models.DateTimeField(
                null=True,
                blank=True,
                help_text="The carrier's list could not be read: not until then.",
            ),
        )
        for model in ("batch", "sendernumber")
    ]
