"""What tests of imports share: a list that is uploaded, started, or run to its end."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Account
from common.clock import now
from contacts.choices import ImportPurpose
from contacts.models import ContactImport, ImportRow
from contacts.services import import_create, import_run, import_start


def uploaded(
    account: Account,
    content: bytes,
    *,
    name: str = "list.csv",
    purpose: ImportPurpose = ImportPurpose.CONTACTS,
) -> ContactImport:
    """A list that waits to be told what its columns are."""
    upload = SimpleUploadedFile(name, content)
    return import_create(account=account, actor=None, upload=upload, purpose=purpose)


def started(account: Account, content: bytes, **how: Any) -> ContactImport:
    """An import that waits for its worker.

    `how` is `uploaded`'s and `import_start`'s; the columns are those that were guessed.
    """
    upload = {word: how.pop(word) for word in ("name", "purpose") if word in how}
    found = uploaded(account, content, **upload)
    how.setdefault("mapping", found.mapping)
    return import_start(account=account, actor=None, import_id=found.pk, **how)


def ran(account: Account, content: bytes, **how: Any) -> ContactImport:
    """The same as `started`, run to its end."""
    return run(started(account, content, **how))


def run(found: ContactImport) -> ContactImport:
    """What was started, run to its end."""
    import_run(found.pk)
    found.refresh_from_db()
    return found


def rows(count: int, *, first: int = 0, name: str = "Name") -> bytes:
    """A file of `count` valid numbers."""
    lines = (
        f"+1{305 + n // 800_000}{200 + n // 10_000 % 80}{n % 10_000:04d},{name} {n}"
        for n in range(first, first + count)
    )
    return ("phone,first name\n" + "\n".join(lines) + "\n").encode()


def stale(found: ContactImport) -> None:
    """Nobody has heard of its worker for five minutes."""
    ContactImport.objects.filter(pk=found.pk).update(heartbeat_at=now() - timedelta(minutes=5))


def nothing_left(media: Path) -> bool:
    """Whether neither a file nor a staged row is left."""
    files = [p for p in media.rglob("*") if p.is_file()]
    return not files and not ImportRow.objects.exists()
