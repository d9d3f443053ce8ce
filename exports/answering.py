"""The one way every list answers "as CSV": at once, or by offering to make the file meanwhile."""

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render

from accounts.access import AccountRequest
from exports import services
from exports.lists import Params, export_lines, export_list


def export_answer(
    request: AccountRequest, *, kind: str, params: Params, filename: str, back: str
) -> HttpResponseBase:
    """The list as a CSV file, streamed; a list beyond EXPORT_STREAM_ROWS is offered instead.

    Args:
        request: Of a member of the account.
        kind: One of EXPORT_LISTS.
        params: Which rows, as the list understands it.
        filename: Of the file.
        back: Address of the list.
    """
    if services.is_long(account=request.account, kind=kind, params=params):
        return _offer(request, kind, params, filename, back)
    lines = export_lines(account=request.account, kind=kind, params=params)
    return StreamingHttpResponse(
        lines, content_type="text/csv; charset=utf-8", headers=_as_file(filename)
    )


def _offer(
    request: AccountRequest, kind: str, params: Params, filename: str, back: str
) -> HttpResponse:
    context = {
        "title": export_list(kind).title(request.account, params),
        "fields": {"kind": kind, "filename": filename, **params},
        "back": back,
    }
    return render(request, "exports/offer.html", context)


def _as_file(filename: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{filename}"'}
