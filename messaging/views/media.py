"""Pictures in the dashboard: uploaded into a form, and shown to the account's people."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.errors import DomainError
from common.text import ids_typed
from messaging.models import Media
from messaging.pictures import PICTURES_LIMIT, upload_bytes
from messaging.selectors.media import media_bytes, media_headers, media_list
from messaging.services.media import media_upload


@requires(Role.MARKETER)
@require_POST
def media_add(request: AccountRequest) -> HttpResponse:
    """The pictures of a form with those added that were uploaded: an htmx fragment.

    `media_ids` are those the form holds already, `without` one of them to take out. What is refused
    is said, and the others stay.
    """
    held = ids_typed(request.POST.getlist("media_ids"))
    without = request.POST.get("without", "")
    held = [one for one in held if str(one) != without]
    error = ""
    for file in request.FILES.getlist("picture"):
        if len(held) >= PICTURES_LIMIT:
            error = f"A text carries up to {PICTURES_LIMIT} pictures. Take one out to add another."
            break
        try:
            data = upload_bytes(file)
            media = media_upload(account=request.account, actor=request.user, data=data)
        except DomainError as refusal:
            error = refusal.message
            continue
        if media.pk not in held:
            held.append(media.pk)
    pictures = media_list(account=request.account, media_ids=held)
    return render(
        request, "messaging/_pictures_chosen.html", {"pictures": pictures, "error": error}
    )


@requires(Role.VIEWER)
@require_GET
def media_show(request: AccountRequest, pk: int) -> HttpResponse:
    """One file of the account; what is no picture is only offered for download."""
    media = owned(Media.objects.all(), request.account, pk=pk)
    try:
        data = media_bytes(media)
    except FileNotFoundError as error:
        raise Http404 from error
    headers = {**media_headers(media), "Cache-Control": "private, max-age=86400"}
    return HttpResponse(data, headers=headers)
