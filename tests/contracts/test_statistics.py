"""The planner is told of an account by what it brought in, however large the table is."""

import pytest
from django.apps import apps
from django.db import connection

OF_PEOPLE = ("Contact", "GroupMember", "ContactTag", "ConsentEvent")
OF_TEXTS = ("Message", "Attempt", "CarrierEvent", "Click")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "rows"),
    [*((name, 5_000) for name in OF_PEOPLE), *((name, 20_000) for name in OF_TEXTS)],
)
def test_a_table_is_analyzed_after_so_many_rows(name: str, rows: int) -> None:
    (model,) = (one for one in apps.get_models() if one.__name__ == name)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reloptions FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table]
        )
        (options,) = cursor.fetchone()

    assert "autovacuum_analyze_scale_factor=0" in options
    assert f"autovacuum_analyze_threshold={rows}" in options
