"""What people did themselves under another number was kept as entered by the shop until 0019.

Known by its wording, which names the act. One scan of the events; only what changes is locked.
"""

from django.db import migrations

NAME = r"""
WITH newest AS (
    SELECT e.id, e.account_id, e.phone FROM contacts_consentevent e
    WHERE e.kind = 'out' AND e.source = 'manual'
        AND e.wording LIKE 'Left under another number on %'
        AND substring(e.wording FROM '\((.*)\); they are one person$') IN (
            'texted a keyword', 'asked in own words', 'reported by the carrier', 'public form',
            'asked to be erased'
        )
        AND NOT EXISTS (
            SELECT FROM contacts_consentevent later
            WHERE later.account_id = e.account_id AND later.phone = e.phone
                AND later.kind = 'out' AND later.id > e.id
        )
),
named AS (
    UPDATE contacts_optout o SET source = 'person' FROM newest
    WHERE o.account_id = newest.account_id AND o.phone = newest.phone AND o.source = 'manual'
    RETURNING newest.id
)
UPDATE contacts_consentevent e SET source = 'person' FROM named WHERE e.id = named.id
"""


class Migration(migrations.Migration):
    dependencies = [("contacts", "0019_left_under_another_number")]

    operations = [migrations.RunSQL(NAME, migrations.RunSQL.noop)]
