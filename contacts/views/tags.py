"""Pages of tags: all of them, renaming and deleting one, putting them on a contact and off."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.errors import DomainError
from contacts import selectors, services
from contacts.errors import TagInRules
from contacts.forms import TagForm, refuse
from contacts.models import Tag


@requires(Role.VIEWER)
@require_GET
def tag_list(request: AccountRequest) -> HttpResponse:
    """All tags by name, with how many people have each."""
    context = {"tags": selectors.tags_list(account=request.account)}
    return render(request, "contacts/tags.html", context)


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def tag_edit(request: AccountRequest, pk: int) -> HttpResponse:
    """Rename a tag; from here it can be deleted."""
    tag = owned(selectors.tags_list(account=request.account), request.account, pk=pk)
    form = TagForm(request.POST or None, initial={"name": tag.name})
    if form.is_valid():
        try:
            services.tag_rename(
                account=request.account,
                actor=request.user,
                tag_id=pk,
                name=form.cleaned_data["name"],
            )
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, "Renamed.")
            return redirect("tag_list")
    context = {"tag": tag, "form": form}
    return render(request, "contacts/tag.html", context, status=422 if form.errors else 200)


@requires(Role.MARKETER)
@require_POST
def tag_delete(request: AccountRequest, pk: int) -> HttpResponse:
    """Delete a tag; its people stay."""
    tag = owned(Tag.objects.all(), request.account, pk=pk)
    try:
        people = services.tag_delete(account=request.account, actor=request.user, tag_id=pk)
    except TagInRules as error:
        messages.error(request, error.message)
        return redirect("tag_edit", pk)
    messages.success(
        request, f"The tag “{tag.name}” was deleted. Its {people:,} people are still here."
    )
    return redirect("tag_list")


@requires(Role.MARKETER)
@require_POST
def contact_tag(request: AccountRequest, pk: int) -> HttpResponse:
    """Put tags on a contact: `names`, separated by commas."""
    contact = owned(selectors.contacts_list(account=request.account), request.account, pk=pk)
    try:
        services.contact_tags_add(
            account=request.account,
            actor=request.user,
            contact_id=contact.pk,
            names=request.POST.get("names", "").split(","),
        )
    except DomainError as error:
        messages.error(request, error.message)
    return redirect(f"{reverse('contact_detail', args=[pk])}#tags")


@requires(Role.MARKETER)
@require_POST
def contact_untag(request: AccountRequest, pk: int, tag_pk: int) -> HttpResponse:
    """Take a tag off a contact."""
    contact = owned(selectors.contacts_list(account=request.account), request.account, pk=pk)
    tag = owned(Tag.objects.all(), request.account, pk=tag_pk)
    services.contact_tag_remove(
        account=request.account, actor=request.user, contact_id=contact.pk, tag_id=tag.pk
    )
    return redirect(f"{reverse('contact_detail', args=[pk])}#tags")
