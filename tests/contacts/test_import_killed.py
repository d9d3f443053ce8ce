"""A worker killed in the middle of an import: nothing is half done, the next one finishes."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from accounts.models import Account
from common.clock import now
from contacts.choices import ImportStatus
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactImport,
    ImportChange,
    ImportRefusal,
    ImportRow,
)
from contacts.services import import_create, import_run, import_start, import_sweep

ROWS = 1000
# Runs the import in small pieces, up to the place, says so, and waits there to be killed.
WORKER = """
import sys, threading
import django
django.setup()
from contacts.services import running
place, after, pk = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
running.PIECE_ROWS = 100
real, calls = getattr(running, place), iter(range(after))
def stop_here(*args, **kwargs):
    if next(calls, None) is None:
        print("here", flush=True)
        threading.Event().wait()
    return real(*args, **kwargs)
setattr(running, place, stop_here)
running.import_run(pk)
"""


def killed_at(place: str, after: int, import_id: int, media: Path) -> None:
    """Run the import in a process of its own and kill it at the place, nothing left to tidy up."""
    url = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(url._replace(path="/" + str(connection.settings_dict["NAME"])))
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, place, str(after), str(import_id)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "DATABASE_URL": database, "MEDIA_ROOT": str(media)},
    )
    assert worker.stdout is not None
    with worker.stdout:
        assert worker.stdout.readline() == "here\n"
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("place", "after", "read"), [("_piece", 4, 400), ("_finish", 0, ROWS + 1)])
def test_a_killed_worker_leaves_nothing_and_the_next_one_finishes(
    shop: Account, tmp_path: Path, settings: Any, place: str, after: int, read: int
) -> None:
    settings.MEDIA_ROOT = tmp_path
    lines = [f"305{200 + n // 100}{n % 100:04d},Name" for n in range(ROWS)]
    content = "\n".join(["phone,first name", *lines, "123,Nobody\n"]).encode()
    found = import_create(account=shop, actor=None, upload=SimpleUploadedFile("list.csv", content))
    import_start(
        account=shop,
        actor=None,
        import_id=found.pk,
        mapping=found.mapping,
        consent_wording="Till",
    )

    killed_at(place, after, found.pk, tmp_path)

    found.refresh_from_db()
    assert (found.status, found.rows_read) == (ImportStatus.RUNNING, read)
    assert Contact.objects.count() == ConsentEvent.objects.count() == 0
    assert ImportChange.objects.count() == 0
    ContactImport.objects.update(heartbeat_at=now() - timedelta(minutes=5))
    assert import_sweep() == [found.pk]
    import_run(found.pk)
    found.refresh_from_db()
    assert (found.status, found.run_no) == (ImportStatus.DONE, 2)
    assert (found.rows_read, found.rows_new, found.rows_refused) == (ROWS + 1, ROWS, 1)
    assert Contact.objects.count() == ConsentEvent.objects.count() == ROWS
    assert ImportRefusal.objects.count() == 1
    assert ImportRow.objects.count() == 0
