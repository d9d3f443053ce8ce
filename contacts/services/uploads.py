"""An uploaded file: keeping it, guessing how it is written and what its columns are, the preview.

Nothing of its rows is stored here. What follows the confirmed columns is contacts.services.imports.
"""

import shutil
from pathlib import Path, PurePath
from typing import NamedTuple

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from accounts.models import Account, User
from common.errors import NotFound
from common.ids import secret_token
from contacts import columns, listfile, workbook
from contacts.choices import ImportPurpose, ImportStatus
from contacts.errors import FileUnusable, ImportNotOpen
from contacts.listfile import Shape
from contacts.models import ContactImport
from contacts.selectors import mapping_remembered

FILE_BYTES_MAX = 512 * 1024 * 1024
FILE_GONE = "The uploaded file is gone. Nothing was imported. Upload it again."


class Preview(NamedTuple):
    """Names of a file's columns, and for each its first filled cells."""

    headings: list[str]
    samples: list[list[str]]


def import_create(
    *,
    account: Account,
    actor: User | None,
    upload: UploadedFile,
    purpose: ImportPurpose = ImportPurpose.CONTACTS,
) -> ContactImport:
    """Keep an uploaded file and guess how it is written and what its columns are.

    Columns go where those of the account's last finished import with these headings went.

    Args:
        account: Whose contacts the file holds.
        actor: Who uploaded it.
        upload: The file, read in chunks.
        purpose: Whether its people are to be texted, or must not be.

    Returns:
        The import, waiting for its columns to be confirmed (`import_start`).

    Raises:
        FileUnusable: too large, empty, neither text nor workbook, or without rows. Nothing is kept.
    """
    if (upload.size or 0) > FILE_BYTES_MAX:
        raise FileUnusable(
            f"This file is larger than {FILE_BYTES_MAX >> 20} MB. Split it and import the parts."
            " Nothing was imported."
        )
    path = f"imports/{account.pk}/{secret_token()}"
    target = file_path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(upload, file, 1 << 20)
    contact_import = ContactImport(
        account=account,
        created_by=actor,
        purpose=purpose,
        filename=PurePath(upload.name or "contacts.csv").name.replace("\0", "")[:200],
        path=path,
        size_bytes=target.stat().st_size,
    )
    try:
        _layout_guess(contact_import, listfile.detect(target), None)
        contact_import.save()
    except Exception:
        target.unlink(missing_ok=True)
        raise
    return contact_import


@transaction.atomic
def import_reread(
    *,
    account: Account,
    import_id: int,
    has_header: bool,
    encoding: str = "",
    delimiter: str = "",
    sheet_no: int | None = None,
) -> ContactImport:
    """Read the beginning of the file in another way and guess its columns anew.

    Args:
        account: Whose import.
        import_id: An uploaded import of the account.
        has_header: Whether the first row names the columns.
        encoding: Of a text (contacts.csvfile.ENCODINGS); a workbook has none.
        delimiter: Of a text.
        sheet_no: Of a workbook: which of its sheets, from 0.

    Raises:
        FileUnusable: read like this, the file has no rows.
        ImportNotOpen: its columns were confirmed already.
        NotFound: no such import in the account.
    """
    contact_import = import_lock(account, import_id, ImportStatus.UPLOADED)
    shape = Shape(encoding, delimiter)
    if contact_import.sheet_no is not None:
        shape = Shape(sheet_no=contact_import.sheet_no if sheet_no is None else sheet_no)
    _layout_guess(contact_import, shape, has_header)
    contact_import.save()
    return contact_import


def import_preview(contact_import: ContactImport) -> Preview:
    """The beginning of an uploaded file, as its columns are read now; three cells a column.

    Raises:
        FileUnusable: the file is gone.
    """
    path = file_path(contact_import.path)
    try:
        found = listfile.sample(path, import_shape(contact_import))
    except FileNotFoundError as error:
        raise FileUnusable(FILE_GONE) from error
    rows = [record.cells for record in found]
    count = len(contact_import.mapping)
    headings = columns.headings_of(rows, has_header=contact_import.has_header, columns=count)
    body = rows[1:] if contact_import.has_header else rows
    samples = [
        [row[i].strip() for row in body if i < len(row) and row[i].strip()][:3]
        for i in range(count)
    ]
    return Preview(headings, samples)


def import_headings(contact_import: ContactImport) -> list[str]:
    """Names of an import's columns, as its file has them; none where it has none, or is gone."""
    if not contact_import.has_header:
        return []
    path = file_path(contact_import.path)
    try:
        found = listfile.sample(path, import_shape(contact_import))
    except FileNotFoundError:
        return []
    return list(found[0].cells) if found else []


def import_sheets(contact_import: ContactImport) -> list[str]:
    """Names of the sheets of an uploaded workbook; none of any other file, or one that is gone."""
    path = file_path(contact_import.path)
    if contact_import.sheet_no is None or not path.exists():
        return []
    return [sheet.title for sheet in workbook.sheets(path)]


def import_shape(contact_import: ContactImport) -> Shape:
    """How the uploaded file is read."""
    return Shape(contact_import.encoding, contact_import.delimiter, contact_import.sheet_no)


def file_path(path: str) -> Path:
    """Where an import's file lies."""
    return Path(settings.MEDIA_ROOT) / path


def _layout_guess(contact_import: ContactImport, shape: Shape, has_header: bool | None) -> None:
    rows = [record.cells for record in listfile.sample(file_path(contact_import.path), shape)]
    if not rows:
        raise FileUnusable(
            "No rows could be read from this file. Export the list as CSV and upload that."
            " Nothing was imported."
            if shape.sheet_no is None
            else "This sheet has no rows. Nothing was imported. Choose another sheet, or upload"
            " another file."
        )
    if columns.width(rows) > columns.COLUMNS_MAX:
        raise FileUnusable(
            f"This file has more than {columns.COLUMNS_MAX:,} columns. Keep those you need and"
            " upload it again. Nothing was imported."
        )
    layout = columns.guess(rows, country=contact_import.account.default_country, header=has_header)
    contact_import.encoding, contact_import.delimiter, contact_import.sheet_no = shape
    contact_import.has_header = layout.has_header
    contact_import.mapping = layout.mapping
    contact_import.headings_key = ""
    if layout.has_header:
        names = columns.headings_of(rows, has_header=True, columns=len(layout.mapping))
        contact_import.headings_key = columns.headings_key(names)
        contact_import.mapping = mapping_remembered(contact_import) or layout.mapping
    if contact_import.is_opt_out_list:
        contact_import.mapping = [
            target if target == "phone" else "" for target in contact_import.mapping
        ]


def import_lock(account: Account, import_id: int, status: ImportStatus) -> ContactImport:
    """The account's import, locked, if it stands where it is expected.

    Raises:
        ImportNotOpen: it was moved on meanwhile.
        NotFound: no such import in the account.
    """
    contact_import = (
        ContactImport.objects.select_for_update(no_key=True, of=("self",))
        .select_related("account", "group")
        .filter(account=account, pk=import_id)
        .first()
    )
    if contact_import is None:
        raise NotFound
    if contact_import.status != status:
        raise ImportNotOpen(
            "This import has moved on meanwhile. Reload the page to see where it stands."
        )
    return contact_import
