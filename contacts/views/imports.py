"""Pages of an import: upload, columns with a preview, progress, result, refused rows."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.csvout import csv_lines
from common.errors import DomainError
from common.pagination import keyset_page
from contacts import selectors, services
from contacts.choices import ImportPurpose, ImportStatus, RefusalReason
from contacts.errors import FileUnusable
from contacts.forms import RereadForm, StartForm, UploadForm, refuse, targets
from contacts.models import ContactImport

PAGE_SIZE = 25
REFUSALS_SHOWN = 10
_REFUSALS_HEADING = ("Line", "Reason", "What is wrong", "The row")


@requires(Role.VIEWER)
@require_GET
def import_list(request: AccountRequest) -> HttpResponse:
    """All imports, newest first."""
    page = keyset_page(selectors.imports_list(account=request.account), request.GET, size=PAGE_SIZE)
    return render(request, "contacts/imports.html", {"page": page})


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def import_create(request: AccountRequest) -> HttpResponse:
    """Upload a file."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            contact_import = services.import_create(
                account=request.account,
                actor=request.user,
                upload=form.cleaned_data["file"],
                purpose=ImportPurpose(form.cleaned_data["purpose"] or ImportPurpose.CONTACTS),
            )
        except DomainError as error:
            form.add_error("file", error.message)
        else:
            return redirect("import_detail", contact_import.pk)
    status = 422 if form.errors else 200
    return render(request, "contacts/import_upload.html", {"form": form}, status=status)


@requires(Role.VIEWER)
@require_GET
def import_detail(request: AccountRequest, pk: int) -> HttpResponse:
    """Where an import stands: its columns or counts to confirm, its progress, what came of it."""
    contact_import = _import(request, pk)
    if contact_import.status == ImportStatus.UPLOADED:
        form = StartForm(account=request.account, contact_import=contact_import)
        return _columns(request, contact_import, form, contact_import.mapping)
    context: dict[str, Any] = {
        "import": contact_import,
        "is_undoable": services.is_undoable(contact_import),
    }
    if contact_import.status in (ImportStatus.CHECKED, ImportStatus.DONE):
        labels = dict(RefusalReason.choices)
        counts = selectors.refusal_counts(contact_import=contact_import)
        context["reasons"] = [(labels.get(reason, reason), rows) for reason, rows in counts]
        context["refusals"] = selectors.refusals_first(
            contact_import=contact_import, limit=REFUSALS_SHOWN
        )
    return render(request, "contacts/import.html", context)


@requires(Role.MARKETER)
@require_POST
def import_reread(request: AccountRequest, pk: int) -> HttpResponse:
    """Read the file in another way: letters and separator or sheet, and the heading."""
    contact_import = _import(request, pk)
    try:
        form = RereadForm(request.POST, sheets=services.import_sheets(contact_import))
        if form.is_valid():
            services.import_reread(
                account=request.account, import_id=contact_import.pk, **form.cleaned_data
            )
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("import_detail", pk)


@requires(Role.MARKETER)
@require_POST
def import_start(request: AccountRequest, pk: int) -> HttpResponse:
    """Confirm the columns; a worker counts what would become of each row."""
    contact_import = _import(request, pk)
    if contact_import.status != ImportStatus.UPLOADED:
        return redirect("import_detail", pk)
    form = StartForm(request.POST, account=request.account, contact_import=contact_import)
    if form.is_valid():
        try:
            services.import_start(
                account=request.account,
                actor=request.user,
                import_id=pk,
                mapping=form.mapping(),
                group=form.cleaned_data.get("group"),
                group_name=form.cleaned_data.get("group_name", ""),
                tags=form.tag_names(),
                consent_wording=form.cleaned_data["wording"],
                dry_run=True,
            )
        except DomainError as error:
            if "name" in error.fields:
                form.add_error("group_name", error.fields["name"])
            else:
                refuse(form, error)
        else:
            return redirect("import_detail", pk)
    return _columns(request, contact_import, form, form.mapping())


@requires(Role.MARKETER)
@require_POST
def import_confirm(request: AccountRequest, pk: int) -> HttpResponse:
    """Have the counted rows written."""
    return _move(request, pk, services.import_confirm)


@requires(Role.MARKETER)
@require_POST
def import_reopen(request: AccountRequest, pk: int) -> HttpResponse:
    """Go back from the counts to the columns."""
    return _move(request, pk, services.import_reopen)


@requires(Role.MARKETER)
@require_POST
def import_undo(request: AccountRequest, pk: int) -> HttpResponse:
    """Undo a finished import as a whole."""
    return _move(request, pk, services.import_undo)


@requires(Role.MARKETER)
@require_POST
def import_cancel(request: AccountRequest, pk: int) -> HttpResponse:
    """Stop an import; nothing of it stays."""
    return _move(request, pk, services.import_cancel)


@requires(Role.VIEWER)
@require_GET
def import_refusals(request: AccountRequest, pk: int) -> HttpResponseBase:
    """Refused rows as a CSV file, streamed; safe to open in a spreadsheet."""
    contact_import = _import(request, pk)
    rows = selectors.refusals(contact_import=contact_import)
    lines = ((row.line, row.get_reason_display(), row.sentence, row.raw) for row in rows)
    response = StreamingHttpResponse(
        csv_lines(_REFUSALS_HEADING, lines), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="refused-rows-{pk}.csv"'
    return response


def _move(request: AccountRequest, pk: int, move: Callable[..., ContactImport]) -> HttpResponse:
    contact_import = _import(request, pk)
    try:
        move(account=request.account, actor=request.user, import_id=contact_import.pk)
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("import_detail", pk)


def _import(request: AccountRequest, pk: int) -> ContactImport:
    return owned(selectors.imports_list(account=request.account), request.account, pk=pk)


def _columns(
    request: AccountRequest, contact_import: ContactImport, form: StartForm, mapping: list[str]
) -> HttpResponse:
    try:
        preview = services.import_preview(contact_import)
        sheets = services.import_sheets(contact_import)
    except FileUnusable as error:
        messages.error(request, error.message)
        return redirect("import_create")
    own = {f.key: f.label for f in selectors.custom_fields(account=request.account)}
    context = {
        "import": contact_import,
        "form": form,
        "remembered": mapping == selectors.mapping_remembered(contact_import),
        "columns": [
            {
                "no": i,
                "heading": heading,
                "samples": preview.samples[i],
                "targets": targets(heading, own, phone_only=contact_import.is_opt_out_list),
                "target": mapping[i],
            }
            for i, heading in enumerate(preview.headings)
        ],
        "reread": RereadForm(
            sheets=sheets,
            initial={
                "encoding": contact_import.encoding,
                "delimiter": contact_import.delimiter,
                "sheet_no": contact_import.sheet_no,
                "has_header": contact_import.has_header,
            },
        ),
    }
    status = 422 if form.errors else 200
    return render(request, "contacts/import_columns.html", context, status=status)
