"""What tests of imports share: a list that is started, or run to its end."""

from datetime import timedelta
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Account
from common.clock import now
from contacts.choices import ImportPurpose
from contacts.models import ContactImport, Group, ImportRow
from contacts.services import import_create, import_run, import_start


def started(
    account: Account,
    content: bytes,
    *,
    group: Group | None = None,
    wording: str = "",
    purpose: ImportPurpose = ImportPurpose.CONTACTS,
) -> ContactImport:
    """An import that waits for its worker."""
    upload = SimpleUploadedFile("list.csv", content)
    found = import_create(account=account, actor=None, upload=upload, purpose=purpose)
    return import_start(
        account=account,
        actor=None,
        import_id=found.pk,
        mapping=found.mapping,
        group=group,
        consent_wording=wording,
    )


def ran(
    account: Account, content: bytes, *, group: Group | None = None, wording: str = ""
) -> ContactImport:
    """The same, run to its end."""
    found = started(account, content, group=group, wording=wording)
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
