"""Pages of the inbox: three panes, refreshed in place by htmx."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from accounts.models import Membership
from accounts.selectors import team_list
from common.errors import DomainError
from common.ids import secret_token
from contacts.models import Contact
from inbox import selectors, services
from inbox.choices import ConversationStatus
from inbox.models import Conversation
from messaging.services import sender_default

LIST_LENGTH = 60


def _list_context(request: AccountRequest, selected: Conversation | None) -> dict[str, Any]:
    which = request.GET.get("show", "open")
    search = request.GET.get("q", "").strip()
    rows = selectors.conversations_list(
        account=request.account, user=request.user, which=which, search=search
    )
    return {
        "conversations": rows[:LIST_LENGTH],
        "show": which if which in selectors.FILTERS else "open",
        "filters": selectors.FILTERS,
        "q": search,
        "selected": selected,
        "keep": request.GET.urlencode(),
    }


def _thread_context(request: AccountRequest, conversation: Conversation) -> dict[str, Any]:
    return {
        "selected": conversation,
        "items": selectors.thread(conversation=conversation),
        "person": selectors.person_pane(conversation=conversation),
        "request_key": secret_token(12),
        "keep": request.GET.urlencode(),
    }


def _team(request: AccountRequest) -> list[Membership]:
    return list(team_list(account=request.account))


@requires(Role.VIEWER)
@require_GET
def inbox(request: AccountRequest) -> HttpResponse:
    """The list, with nothing opened; htmx asks for the list alone."""
    context = _list_context(request, None)
    if request.headers.get("HX-Request"):
        return render(request, "inbox/_list.html", context)
    return render(request, "inbox/inbox.html", context)


@requires(Role.VIEWER)
@require_GET
def conversation(request: AccountRequest, pk: int) -> HttpResponse:
    """One thread beside the list; opening it marks it read for those who may answer."""
    row = owned(Conversation.objects.select_related("contact", "assignee"), request.account, pk=pk)
    if request.membership.role != Role.VIEWER and row.unread:
        services.conversation_mark_read(account=request.account, conversation=row)
        row.unread = 0
    context = _list_context(request, row) | _thread_context(request, row)
    context["team"] = _team(request)
    return render(request, "inbox/inbox.html", context)


@requires(Role.VIEWER)
@require_GET
def conversation_thread(request: AccountRequest, pk: int) -> HttpResponse:
    """The thread alone, for the live refresh of an open page."""
    row = owned(Conversation.objects.select_related("contact"), request.account, pk=pk)
    return render(request, "inbox/_thread.html", _thread_context(request, row))


@requires(Role.MARKETER)
@require_POST
def conversation_reply(request: AccountRequest, pk: int) -> HttpResponse:
    """Send a reply; a refused one stays in the box with the reason."""
    row = owned(Conversation.objects.select_related("contact"), request.account, pk=pk)
    try:
        services.conversation_reply(
            account=request.account,
            actor=request.user,
            conversation=row,
            body=request.POST.get("body", ""),
            request_key=request.POST.get("request_key", ""),
        )
    except DomainError as error:
        return render(
            request,
            "inbox/_reply.html",
            _thread_context(request, row)
            | {"error": error.message, "draft": request.POST.get("body", "")},
        )
    context = _thread_context(request, row) | {"swap_thread": True}
    return render(request, "inbox/_reply.html", context)


@requires(Role.MARKETER)
@require_POST
def conversation_note(request: AccountRequest, pk: int) -> HttpResponse:
    """Leave a note for colleagues."""
    row = owned(Conversation.objects.all(), request.account, pk=pk)
    try:
        services.note_add(
            account=request.account,
            actor=request.user,
            conversation=row,
            text=request.POST.get("text", ""),
        )
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("conversation", pk=pk)


@requires(Role.MARKETER)
@require_POST
def conversation_assign(request: AccountRequest, pk: int) -> HttpResponse:
    """Hand the thread to a colleague (`assignee` empty: to nobody)."""
    row = owned(Conversation.objects.all(), request.account, pk=pk)
    assignee = request.POST.get("assignee", "")
    try:
        services.conversation_assign(
            account=request.account,
            actor=request.user,
            conversation=row,
            assignee_id=int(assignee) if assignee.isascii() and assignee.isdigit() else None,
        )
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("conversation", pk=pk)


@requires(Role.MARKETER)
@require_POST
def conversation_status(request: AccountRequest, pk: int) -> HttpResponse:
    """Close or reopen; back to the list after closing."""
    row = owned(Conversation.objects.all(), request.account, pk=pk)
    closing = request.POST.get("status") == ConversationStatus.CLOSED
    services.conversation_set_status(
        account=request.account,
        conversation=row,
        status=ConversationStatus.CLOSED if closing else ConversationStatus.OPEN,
    )
    return redirect("inbox") if closing else redirect("conversation", pk=pk)


@requires(Role.MARKETER)
@require_POST
def conversation_unread(request: AccountRequest, pk: int) -> HttpResponse:
    """Mark as unread and go back to the list."""
    row = owned(Conversation.objects.all(), request.account, pk=pk)
    services.conversation_mark_unread(account=request.account, conversation=row)
    return redirect("inbox")


@requires(Role.MARKETER)
@require_POST
def conversation_start(request: AccountRequest, contact_pk: int) -> HttpResponse:
    """Open the thread with a contact, from the account's usual number."""
    contact = owned(Contact.objects.filter(deleted_at__isnull=True), request.account, pk=contact_pk)
    try:
        sender = sender_default(account=request.account)
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("inbox")
    row = services.conversation_start(
        account=request.account, contact=contact, our_number=sender.phone
    )
    return redirect("conversation", pk=row.pk)
