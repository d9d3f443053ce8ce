"""`make bench-import`: a large dirty CSV file into an account that holds half of its people.

Figures and what they are held against are listed in docs/performance.md. Sizes can be changed by
BENCH_IMPORT and BENCH_IMPORT_NAIVE.
"""

import csv
import os
import subprocess
import time
from pathlib import Path
from typing import Final

import phonenumbers
from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.management import call_command
from django.db import connection

from accounts.models import Account, User
from accounts.services import account_create
from bench.figures import Figure, report
from bench.import_lists import clean_rows, write_clean, write_list
from contacts.choices import ImportStatus
from contacts.models import ContactImport
from contacts.services import import_create, import_start
from smsplatform.local import processes

ROWS: Final = int(os.environ.get("BENCH_IMPORT", "1000000"))
NAIVE: Final = int(os.environ.get("BENCH_IMPORT_NAIVE", "5000"))
SMALL: Final = 10_000
_COLUMNS = "phone, first_name, last_name, email, custom, line_type, region"
# The same rows into the same table and indexes, as plain as it can be said.
_MERGE = f"""
    INSERT INTO contacts_contact AS c (
        account_id, {_COLUMNS}, timezone, consent, created_at, updated_at
    )
    SELECT %s, {_COLUMNS}, '', 'unknown', now(), now() FROM clean ORDER BY phone
    ON CONFLICT (account_id, phone) DO UPDATE SET
        first_name = EXCLUDED.first_name, last_name = EXCLUDED.last_name,
        email = EXCLUDED.email, custom = EXCLUDED.custom, line_type = EXCLUDED.line_type,
        region = EXCLUDED.region, updated_at = EXCLUDED.updated_at
"""


def main() -> None:
    """Measure everything and report."""
    call_command("migrate", verbosity=0)
    folder = Path(settings.MEDIA_ROOT)
    dirty, small, clean, known = (folder / name for name in ("dirty", "small", "clean", "known"))
    write_list(dirty, ROWS)
    write_list(small, SMALL)
    write_clean(clean, clean_rows(ROWS))
    write_clean(known, clean_rows(ROWS, known=True))
    owner = User.objects.create_user("bench@example.com")
    account = account_create(name="Bench", owner=owner)

    _fresh(account, known)
    merge_s = _merge_s(account, clean)
    print(f"merge: {ROWS / merge_s:,.0f} rows/s", flush=True)
    _fresh(account, known)
    naive = _naive(account, dirty)
    print(f"naive: {naive:,.0f} rows/s", flush=True)
    _fresh(account, known)
    _, low_mb = _import(account, small)
    _fresh(account, known)
    whole_s, high_mb = _import(account, dirty)
    speed = ROWS / whole_s
    print(f"import: {speed:,.0f} rows/s, {low_mb:.0f} -> {high_mb:.0f} MB", flush=True)
    report(
        "import",
        [
            Figure(
                "vs_naive", speed, "rows/s", naive, 50,
                note=f"a query and an insert a row, same number library, {NAIVE:,} rows",
            ),
            Figure(
                "vs_merge", speed, "rows/s", ROWS / merge_s, 0.3,
                note="COPY and one INSERT ... ON CONFLICT of rows that are clean already",
            ),
            Figure(
                "memory", high_mb, "MB", low_mb, 1.2, "lower",
                note=f"peak of a worker at {SMALL:,} rows; value: at {ROWS:,}",
            ),
        ],
    )  # fmt: skip


def _fresh(account: Account, known: Path) -> None:
    """The account holds half of the people, by name and number; nothing else is there."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE contacts_contact, contacts_importchange CASCADE")
    _merge_s(account, known)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE contacts_contact")
        cursor.execute("CHECKPOINT")


def _merge_s(account: Account, clean: Path) -> float:
    start = time.perf_counter()
    with connection.cursor() as cursor, clean.open("rb") as file:
        cursor.execute("SET work_mem = '64MB'")
        cursor.execute(
            "CREATE TEMPORARY TABLE clean (phone text, first_name text, last_name text,"
            " email text, custom jsonb, line_type text, region text)"
        )
        cursor.copy_expert(
            "COPY clean FROM STDIN WITH (FORMAT csv, FORCE_NOT_NULL (last_name, email))", file
        )
        cursor.execute("ANALYZE clean")
        cursor.execute(_MERGE, [account.pk])
        cursor.execute("DROP TABLE clean")
    return time.perf_counter() - start


def _import(account: Account, path: Path) -> tuple[float, float]:
    """(seconds from the upload to its end, peak megabytes of the worker's process)."""
    start = time.perf_counter()
    with TemporaryUploadedFile("list.csv", "text/csv", path.stat().st_size, "utf-8") as upload:
        upload.write(path.read_bytes())
        upload.seek(0)
        made = import_create(account=account, actor=None, upload=upload)
    import_start(account=account, actor=None, import_id=made.pk, mapping=made.mapping)
    answer = subprocess.run(
        processes.module("bench.run", "import_worker", str(made.pk)),
        capture_output=True,
        text=True,
        check=True,
    )
    taken = time.perf_counter() - start
    done = ContactImport.objects.get(pk=made.pk)
    assert done.status == ImportStatus.DONE, done.error
    print(
        f"{done.rows_read:,} rows: {done.rows_new:,} new, {done.rows_updated:,} updated,"
        f" {done.rows_unchanged:,} unchanged, {done.rows_duplicate:,} repeated,"
        f" {done.rows_refused:,} refused in {taken:.1f} s",
        flush=True,
    )
    return taken, float(answer.stdout)


def _naive(account: Account, path: Path) -> float:
    """Rows a second of the usual way: look at the number, ask for it, write it; each committed."""
    start = time.perf_counter()
    rows = 0
    with path.open(encoding="utf-8", newline="") as file, connection.cursor() as cursor:
        for row in csv.DictReader(file):
            rows += 1
            if rows > NAIVE:
                break
            try:
                number = phonenumbers.parse(row["Mobile"], "US")
            except phonenumbers.NumberParseException:
                continue
            if not phonenumbers.is_valid_number(number):
                continue
            phone = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            cursor.execute(
                "SELECT id FROM contacts_contact WHERE account_id = %s AND phone = %s",
                [account.pk, phone],
            )
            found = cursor.fetchone()
            values = [row["First name"], row["Last name"], row["Email"]]
            if found:
                cursor.execute(
                    "UPDATE contacts_contact SET first_name = %s, last_name = %s, email = %s,"
                    " updated_at = now() WHERE id = %s",
                    [*values, found[0]],
                )
            else:
                cursor.execute(
                    "INSERT INTO contacts_contact (account_id, phone, first_name, last_name,"
                    " email, timezone, custom, line_type, region, consent, created_at, updated_at)"
                    " VALUES (%s, %s, %s, %s, %s, '', '{}', 'unknown', 'US', 'unknown', now(),"
                    " now())",
                    [account.pk, phone, *values],
                )
    return NAIVE / (time.perf_counter() - start)
