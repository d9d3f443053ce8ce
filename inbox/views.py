"""Pages of the inbox: three panes, whose list and thread are refreshed in place by htmx."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires, role_includes
from accounts.choices import Role
from accounts.selectors import team_list
from common.errors import DomainError
from common.ids import secret_token
from common.text import ids_typed, typed, whole_number
from contacts.models import Contact
from inbox import selectors, services
from inbox.choices import ConversationStatus
from inbox.models import Conversation
from messaging.selectors import media_list
from messaging.services import sender_default

LIST_LENGTH = 60
LONGEST_LIST = 600


def _shown(request: AccountRequest) -> dict[str, Any]:
    """What of the list is shown: from the URL, in which every link and form keeps it."""
    which = request.GET.get("show", "")
    length = request.GET.get("n", "")
    return {
        "show": which if which in selectors.FILTERS else "open",
        "q": typed(request.GET.get("q", "")),
        "n": min(int(length), LONGEST_LIST)
        if length.isascii() and length.isdigit() and len(length) < 6
        else LIST_LENGTH,
    }


def _keep(shown: dict[str, Any]) -> str:
    """The query string that shows the same list again; empty for the usual one."""
    usual = {"show": "open", "q": "", "n": LIST_LENGTH}
    changed = {name: value for name, value in shown.items() if value != usual[name]}
    return f"?{urlencode(changed)}" if changed else ""


def _list_context(request: AccountRequest, selected_pk: int | None) -> dict[str, Any]:
    shown = _shown(request)
    rows, more = selectors.conversations_list(
        account=request.account,
        user=request.user,
        which=shown["show"],
        search=shown["q"],
        length=shown["n"],
    )
    return {
        **shown,
        "rows": rows,
        "longer": min(shown["n"] + LIST_LENGTH, LONGEST_LIST) if more else None,
        "selected_pk": selected_pk,
        "keep": _keep(shown),
    }


def _page_context(request: AccountRequest, selected_pk: int | None) -> dict[str, Any]:
    counts = selectors.conversations_counts(account=request.account, user=request.user)
    filters = [(name, label, counts.get(name, 0)) for name, label in selectors.FILTERS.items()]
    return _list_context(request, selected_pk) | {"filters": filters}


def _thread_context(request: AccountRequest, row: Conversation) -> dict[str, Any]:
    return {
        "selected": row,
        "items": selectors.thread(conversation=row),
        "person": selectors.person_pane(account=request.account, conversation=row),
        "request_key": secret_token(12),
        "keep": _keep(_shown(request)),
    }


def _conversation(request: AccountRequest, pk: int) -> Conversation:
    return owned(Conversation.objects.select_related("assignee"), request.account, pk=pk)


def _read(request: AccountRequest, row: Conversation) -> None:
    """Somebody who may answer has it before their eyes."""
    if row.unread and role_includes(request.membership.role, Role.MARKETER):
        services.conversation_mark_read(account=request.account, conversation=row)


def _to_list(request: AccountRequest) -> HttpResponse:
    return redirect(reverse("inbox") + _keep(_shown(request)))


def _to_conversation(request: AccountRequest, pk: int) -> HttpResponse:
    return redirect(reverse("conversation", args=[pk]) + _keep(_shown(request)))


@requires(Role.VIEWER)
@require_GET
def inbox(request: AccountRequest) -> HttpResponse:
    """The list, with nothing opened."""
    return render(request, "inbox/inbox.html", _page_context(request, None))


@requires(Role.VIEWER)
@require_GET
def inbox_rows(request: AccountRequest) -> HttpResponse:
    """The list alone, for its live refresh; `selected` names the row that stays marked."""
    selected_pk = whole_number(request.GET.get("selected", ""))
    return render(request, "inbox/_rows.html", _list_context(request, selected_pk))


@requires(Role.VIEWER)
@require_GET
def conversation(request: AccountRequest, pk: int) -> HttpResponse:
    """One thread beside the list; opening it marks it read for those who may answer."""
    row = _conversation(request, pk)
    _read(request, row)
    context = _page_context(request, pk) | _thread_context(request, row)
    context["team"] = team_list(request.account)
    return render(request, "inbox/inbox.html", context)


@requires(Role.VIEWER)
@require_GET
def conversation_thread(request: AccountRequest, pk: int) -> HttpResponse:
    """The thread alone, for the live refresh of an open page."""
    row = _conversation(request, pk)
    _read(request, row)
    return render(request, "inbox/_live.html", _thread_context(request, row))


@requires(Role.MARKETER)
@require_POST
def conversation_reply(request: AccountRequest, pk: int) -> HttpResponse:
    """Send a reply; a refused one stays in the box with the reason (422)."""
    row = _conversation(request, pk)
    body = request.POST.get("body", "")
    media_ids = ids_typed(request.POST.getlist("media_ids"))
    try:
        services.conversation_reply(
            account=request.account,
            actor=request.user,
            conversation=row,
            body=body,
            request_key=request.POST.get("request_key", ""),
            media_ids=media_ids,
        )
    except DomainError as error:
        context = _thread_context(request, row) | {
            "error": error.message,
            "draft": body,
            "pictures": media_list(account=request.account, media_ids=media_ids),
        }
        return render(request, "inbox/_answer.html", context, status=422)
    return render(request, "inbox/_answer.html", _thread_context(request, row))


@requires(Role.MARKETER)
@require_POST
def conversation_note(request: AccountRequest, pk: int) -> HttpResponse:
    """Leave a note for colleagues."""
    row = _conversation(request, pk)
    try:
        services.note_add(
            account=request.account,
            actor=request.user,
            conversation=row,
            text=request.POST.get("text", ""),
        )
    except DomainError as error:
        messages.error(request, error.message)
    return _to_conversation(request, pk)


@requires(Role.MARKETER)
@require_POST
def conversation_assign(request: AccountRequest, pk: int) -> HttpResponse:
    """Hand the thread to a colleague (`assignee` empty: to nobody)."""
    row = _conversation(request, pk)
    try:
        services.conversation_assign(
            account=request.account,
            actor=request.user,
            conversation=row,
            assignee_id=whole_number(request.POST.get("assignee", "")),
        )
    except DomainError as error:
        messages.error(request, error.message)
    return _to_conversation(request, pk)


@requires(Role.MARKETER)
@require_POST
def conversation_status(request: AccountRequest, pk: int) -> HttpResponse:
    """Close (and back to the list) or reopen."""
    row = _conversation(request, pk)
    closing = request.POST.get("status") == ConversationStatus.CLOSED
    services.conversation_set_status(
        account=request.account,
        conversation=row,
        status=ConversationStatus.CLOSED if closing else ConversationStatus.OPEN,
    )
    if not closing:
        return _to_conversation(request, pk)
    messages.success(request, "Closed. It opens again by itself when they write.")
    return _to_list(request)


@requires(Role.MARKETER)
@require_POST
def conversation_unread(request: AccountRequest, pk: int) -> HttpResponse:
    """Mark as unread and go back to the list."""
    row = _conversation(request, pk)
    services.conversation_mark_unread(account=request.account, conversation=row)
    return _to_list(request)


@requires(Role.MARKETER)
@require_POST
def conversation_start(request: AccountRequest, contact_pk: int) -> HttpResponse:
    """Open the thread with a contact, from the account's usual number."""
    contact = owned(Contact.objects.filter(deleted_at__isnull=True), request.account, pk=contact_pk)
    try:
        sender = sender_default(request.account)
    except DomainError as error:
        messages.error(request, error.message)
        return _to_list(request)
    row = services.conversation_start(
        account=request.account, contact=contact, our_number=sender.phone
    )
    return _to_conversation(request, row.pk)
