"""Storage settings of tables that the ORM cannot express, for migrations."""

from django.db.migrations import RunSQL


def analyzed_after(table: str, *, rows: int) -> RunSQL:
    """Have autovacuum tell the planner of a table's rows after so many changes, whatever its size.

    By a tenth of the table, as PostgreSQL does it, an account of fifty thousand people beside one
    of ten million would stay unknown to the planner for weeks; so it is known within a minute.
    """
    return RunSQL(
        f"ALTER TABLE {table} SET "
        f"(autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = {rows})",
        f"ALTER TABLE {table} RESET "
        "(autovacuum_analyze_scale_factor, autovacuum_analyze_threshold)",
    )
