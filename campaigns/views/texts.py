"""Pages of saved texts: the list by folder, writing one, approving and deleting."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role, TemplateRule
from campaigns import selectors, services
from campaigns.choices import TextKind
from campaigns.forms import SavedTextForm
from campaigns.models import SavedText
from campaigns.views.counting import text_counted, text_tools
from common.errors import DomainError
from common.text import ids_typed, typed


@requires(Role.VIEWER)
@require_GET
def text_list(request: AccountRequest) -> HttpResponse:
    """Templates and snippets by folder: `folder` in the URL."""
    folder = typed(request.GET.get("folder", ""))
    context = {
        "texts": selectors.texts_list(account=request.account, folder=folder),
        "folders": selectors.text_folders(account=request.account),
        "folder": folder,
        "is_bound": request.account.template_rule != TemplateRule.FREE,
        "rule": request.account.get_template_rule_display(),
    }
    return render(request, "campaigns/texts.html", context)


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def text_create(request: AccountRequest) -> HttpResponse:
    """Write a saved text; `body` and `kind` of the URL fill it in beforehand."""
    return _form(request, None)


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def text_edit(request: AccountRequest, pk: int) -> HttpResponse:
    """Change a saved text."""
    return _form(request, owned(SavedText.objects.all(), request.account, pk=pk))


@requires(Role.MARKETER)
@require_POST
def text_count(request: AccountRequest) -> HttpResponse:
    """What the form of a saved text tells while somebody types; a fragment. Stores nothing."""
    form = SavedTextForm(request.POST)
    return render(
        request, "campaigns/_text_count.html", text_counted(request, form, is_typing=True)
    )


@requires(Role.MARKETER)
@require_POST
def text_delete(request: AccountRequest, pk: int) -> HttpResponse:
    """Throw a saved text away."""
    text = owned(SavedText.objects.all(), request.account, pk=pk)
    services.text_delete(account=request.account, actor=request.user, text=text)
    messages.success(request, f"“{text.name}” is gone.")
    return redirect("text_list")


@requires(Role.ADMIN)
@require_POST
def text_approve(request: AccountRequest, pk: int) -> HttpResponse:
    """Approve a template; `approved` empty takes the approval back."""
    text = owned(SavedText.objects.all(), request.account, pk=pk)
    approved = bool(request.POST.get("approved"))
    try:
        services.text_approve(
            account=request.account,
            actor=request.user,
            text=text,
            approved=approved,
            seen=request.POST.get("seen"),
            seen_media=ids_typed(request.POST.getlist("seen_media")),
        )
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("text_list")


def _form(request: AccountRequest, text: SavedText | None) -> HttpResponse:
    if request.method == "POST":
        form = SavedTextForm(request.POST)
    elif text is not None:
        form = SavedTextForm(
            initial={
                "kind": text.kind,
                "folder": text.folder,
                "name": text.name,
                "body": text.body,
                "media_ids": text.media_ids,
            }
        )
    else:
        form = SavedTextForm(
            initial={
                "kind": request.GET.get("kind", TextKind.TEMPLATE),
                "body": request.GET.get("body", ""),
            }
        )
    if request.method == "POST" and form.is_valid():
        try:
            services.text_save(
                account=request.account, actor=request.user, text=text, **form.cleaned_data
            )
        except DomainError as error:
            form.show_error(error.fields, error.message)
        else:
            return redirect("text_list")
    context = {
        "form": form,
        "text": text,
        "folders": selectors.text_folders(account=request.account),
        **text_tools(request),
        **text_counted(request, form),
    }
    return render(request, "campaigns/text_form.html", context, status=422 if form.errors else 200)
