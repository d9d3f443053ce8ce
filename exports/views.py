"""Pages of exports: those that are kept, one in the making, its file."""

import re

from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.errors import NotFound
from common.pagination import keyset_page
from exports import selectors, services
from exports.choices import ExportState

PAGE_SIZE = 25
_FILENAME = re.compile(r"[a-z0-9-]{1,60}\.csv")
_NOT_OF_THE_LIST = {"kind", "filename", "csrfmiddlewaretoken"}


@requires(Role.VIEWER)
@require_GET
def export_list(request: AccountRequest) -> HttpResponse:
    """Exports that were made in the background, newest first."""
    page = keyset_page(selectors.exports_list(account=request.account), request.GET, size=PAGE_SIZE)
    return render(request, "exports/list.html", {"page": page})


@requires(Role.VIEWER)
@require_POST
def export_start(request: AccountRequest) -> HttpResponse:
    """Have a list made into a file: `kind`, `filename` and the parameters of the list."""
    filename = request.POST.get("filename", "")
    params = {name: value for name, value in request.POST.items() if name not in _NOT_OF_THE_LIST}
    try:
        export = services.export_request(
            account=request.account,
            actor=request.user,
            kind=request.POST.get("kind", ""),
            params={name: str(value) for name, value in params.items()},
            filename=filename if _FILENAME.fullmatch(filename) else "list.csv",
        )
    except NotFound as error:
        raise Http404(error.message) from error
    return redirect("export_detail", export.pk)


@requires(Role.VIEWER)
@require_GET
def export_detail(request: AccountRequest, pk: int) -> HttpResponse:
    """How far an export is; asks for itself until it is done."""
    export = owned(selectors.exports_list(account=request.account), request.account, pk=pk)
    return render(request, "exports/detail.html", {"export": export})


@requires(Role.VIEWER)
@require_GET
def export_file(request: AccountRequest, pk: int) -> HttpResponseBase:
    """The file, streamed."""
    export = owned(selectors.exports_list(account=request.account), request.account, pk=pk)
    if export.state != ExportState.DONE:
        return redirect("export_detail", pk)
    return StreamingHttpResponse(
        selectors.export_content(export=export),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{export.filename}"',
            "Content-Length": str(export.size_bytes),
        },
    )
