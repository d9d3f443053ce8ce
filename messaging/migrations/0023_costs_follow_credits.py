from django.db import migrations

# 0020 told what was charged from what was borne, and 0019 what several numbers cost; the rows of a
# batch, which sum up what was charged for it by number, still say what they said before. What is
# too much is taken from the first that were charged more, the rest is the last one's: which number
# it was of is not known any more.
FOLLOW = """
WITH wrong AS (
    SELECT b.id, sum(c.adjusted_credits) - b.credits_adjusted AS excess
    FROM messaging_batch b JOIN messaging_batchcost c ON c.batch_id = b.id
    GROUP BY b.id HAVING sum(c.adjusted_credits) <> b.credits_adjusted
), ordered AS (
    SELECT c.id, w.excess, greatest(c.adjusted_credits, 0) AS more,
        coalesce(sum(greatest(c.adjusted_credits, 0)) OVER (
            PARTITION BY c.batch_id ORDER BY c.our_number
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before,
        lead(c.id) OVER (PARTITION BY c.batch_id ORDER BY c.our_number) IS NULL AS is_last
    FROM wrong w JOIN messaging_batchcost c ON c.batch_id = w.id
)
UPDATE messaging_batchcost c
SET adjusted_credits = c.adjusted_credits - CASE
    WHEN o.is_last THEN o.excess - least(greatest(o.excess, 0), o.before)
    ELSE least(o.more, greatest(o.excess - o.before, 0)) END
FROM ordered o
WHERE c.id = o.id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0022_deleted_reason"),
    ]

    operations = [migrations.RunSQL(FOLLOW, migrations.RunSQL.noop)]
