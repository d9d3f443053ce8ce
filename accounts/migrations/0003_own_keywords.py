import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_frequency_cap"),
    ]

    operations = [
        migrations.AddField(
            model_name="account",
            name="start_words",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40),
                blank=True,
                default=list,
                help_text="Whole texts that opt in here, beside START and its fixed set.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="account",
            name="stop_words",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=40),
                blank=True,
                default=list,
                help_text="Whole texts that opt out here, beside STOP and its fixed set.",
                size=None,
            ),
        ),
    ]
