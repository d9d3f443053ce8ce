from django.db import migrations


class Migration(migrations.Migration):
    """The trail names the public form by its title, where it once named it by its address.

    The address is public and gave no reader anything: the page on which people join shows it.
    """

    dependencies = [
        ("accounts", "0016_audit_by_day_actor_kind"),
        ("contacts", "0022_fresh_statistics"),
    ]

    operations = [
        migrations.RunSQL(
            sql="""
                UPDATE accounts_auditevent e
                SET subject = left(coalesce(e.data ->> 'title', f.title), 120)
                FROM contacts_optinform f
                WHERE e.account_id = f.account_id AND split_part(e.action, '.', 1) = 'optin'
                  AND e.action = 'optin.form_changed' AND e.subject = f.token
            """,
            reverse_sql=migrations.RunSQL.noop,
        ),
    ]
