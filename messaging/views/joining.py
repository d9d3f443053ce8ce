"""Settings: ways to join. The public form with its link and QR code, and opt-in keywords."""

import io

import segno
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.errors import DomainError, NotFound
from contacts import selectors
from contacts.models import OptInForm, OptInKeyword
from contacts.services import optin_form_save, optin_keyword_delete
from messaging.joining import question, welcome
from messaging.segments import segments
from messaging.senders import senders_list
from messaging.services.joining import keyword_save
from messaging.views.joining_forms import JoinFormForm, KeywordForm


@requires(Role.VIEWER)
@require_GET
def joining(request: AccountRequest) -> HttpResponse:
    """The form with its figures, link and QR code; the keywords."""
    account = request.account
    form = selectors.optin_form_get(account=account)
    context = {
        "form": form,
        "form_url": _url(form) if form else "",
        "keywords": selectors.optin_keywords_list(account=account),
        "senders": senders_list(account),
    }
    return render(request, "joining/joining.html", context)


@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def joining_form(request: AccountRequest) -> HttpResponse:
    """Write the public form; beside it what people see and get."""
    account = request.account
    stored = selectors.optin_form_get(account=account)
    form = JoinFormForm(request.POST or None, account=account, stored=stored)
    if form.is_valid():
        try:
            optin_form_save(
                account=account,
                actor=request.user,
                group_ids=form.group_ids(),
                **form.values(),
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, "Saved.")
            return redirect("joining_form")
    context = {"form": form, "stored": stored, "texts": _texts(stored) if stored else []}
    status = 422 if form.errors else 200
    return render(request, "joining/form.html", context, status=status)


@requires(Role.VIEWER)
@require_GET
def joining_qr(request: AccountRequest) -> HttpResponse:
    """The form's address as a QR code, SVG; `?download` makes it a file."""
    form = owned(OptInForm.objects.all(), request.account)
    drawn = io.BytesIO()
    # Black on white in dark mode too, with the quiet zone: some cameras read nothing else.
    segno.make(_url(form), error="m").save(
        drawn, kind="svg", scale=8, border=4, dark="#000", light="#fff"
    )
    answer = HttpResponse(drawn.getvalue(), content_type="image/svg+xml")
    if "download" in request.GET:
        answer["Content-Disposition"] = 'attachment; filename="join.svg"'
    return answer


@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def keyword_add(request: AccountRequest) -> HttpResponse:
    """A new opt-in keyword."""
    return _keyword(request, None)


@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def keyword_edit(request: AccountRequest, pk: int) -> HttpResponse:
    """Change an opt-in keyword."""
    return _keyword(request, owned(OptInKeyword.objects.all(), request.account, pk=pk))


@requires(Role.ADMIN)
@require_POST
def keyword_delete(request: AccountRequest, pk: int) -> HttpResponse:
    """Listen to a keyword no more."""
    try:
        optin_keyword_delete(account=request.account, actor=request.user, keyword_id=pk)
    except NotFound as error:
        raise Http404(error.message) from error
    messages.success(request, "Deleted. Whoever joined by it stays on your lists.")
    return redirect("joining")


def _keyword(request: AccountRequest, stored: OptInKeyword | None) -> HttpResponse:
    form = KeywordForm(request.POST or None, account=request.account, stored=stored)
    if form.is_valid():
        try:
            keyword = keyword_save(
                account=request.account,
                actor=request.user,
                keyword_id=stored.pk if stored else None,
                group_ids=form.group_ids(),
                **form.values(),
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"Saved. People can text {keyword.word} now.")
            return redirect("joining")
    context = {"form": form, "stored": stored, "texts": _texts(stored) if stored else []}
    status = 422 if form.errors else 200
    return render(request, "joining/keyword.html", context, status=status)


def _texts(way: OptInForm | OptInKeyword) -> list[dict[str, object]]:
    """What is texted to who joins, in order, each with its segments."""
    bodies = [("First", question(way))] if way.asks_yes else []
    bodies.append(("After YES" if way.asks_yes else "At once", welcome(way)))
    return [{"when": when, "body": body, "segments": segments(body)} for when, body in bodies]


def _url(form: OptInForm) -> str:
    return settings.PUBLIC_URL + reverse("subscribe", args=[form.token])
