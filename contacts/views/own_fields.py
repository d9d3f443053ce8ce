"""Pages of the account's own fields: the list, making one, its name and type, deleting it."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import AccountRequest, owned, requires
from accounts.choices import Role
from common.errors import DomainError
from contacts import selectors, services
from contacts.errors import FieldMisfits
from contacts.fields import CUSTOM_PREFIX
from contacts.forms import OwnFieldForm, refuse
from contacts.models import CustomField


@requires(Role.VIEWER)
@require_GET
def field_list(request: AccountRequest) -> HttpResponse:
    """The account's own fields by name, with what each holds."""
    return _list(request, OwnFieldForm())


@requires(Role.MARKETER)
@require_POST
def field_create(request: AccountRequest) -> HttpResponse:
    """Make a field."""
    form = OwnFieldForm(request.POST)
    if form.is_valid():
        try:
            field = services.custom_field_create(
                account=request.account, actor=request.user, **form.cleaned_data
            )
        except DomainError as error:
            refuse(form, error)
        else:
            messages.success(request, f"“{field.label}” is one of your fields.")
            return redirect("field_list")
    return _list(request, form)


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def field_edit(request: AccountRequest, pk: int) -> HttpResponse:
    """Rename a field or give it another type; values that do not fit open their people."""
    field = owned(CustomField.objects.all(), request.account, pk=pk)
    if request.method == "GET":
        given = {"label": field.label, "kind": field.kind, "options": "\n".join(field.options)}
        return _edit(request, field, OwnFieldForm(initial=given))
    form = OwnFieldForm(request.POST)
    misfits: FieldMisfits | None = None
    if form.is_valid():
        try:
            services.custom_field_change(
                account=request.account, actor=request.user, field_id=pk, **form.cleaned_data
            )
        except DomainError as error:
            refuse(form, error)
            misfits = error if isinstance(error, FieldMisfits) else None
        else:
            messages.success(request, "Saved.")
            return redirect("field_list")
    return _edit(request, field, form, misfits)


@requires(Role.MARKETER)
@require_POST
def field_delete(request: AccountRequest, pk: int) -> HttpResponse:
    """Delete a field with everybody's value."""
    field = owned(CustomField.objects.all(), request.account, pk=pk)
    try:
        services.custom_field_delete(account=request.account, actor=request.user, field_id=pk)
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("field_edit", pk)
    messages.success(request, f"“{field.label}” and what stood in it were deleted.")
    return redirect("field_list")


def _list(request: AccountRequest, form: OwnFieldForm) -> HttpResponse:
    context = {"own_fields": selectors.custom_fields(account=request.account), "form": form}
    return render(request, "contacts/fields.html", context, status=422 if form.errors else 200)


def _edit(
    request: AccountRequest,
    field: CustomField,
    form: OwnFieldForm,
    misfits: FieldMisfits | None = None,
) -> HttpResponse:
    name = CUSTOM_PREFIX + field.key
    people = reverse("contact_list")
    context = {
        "own": field,
        "merge": f"{{{{{name}}}}}",
        "form": form,
        "misfits": misfits,
        "rows": [
            (value, count, f"{people}?{urlencode({'own': name, 'value': value})}")
            for value, count in (misfits.values if misfits else ())
        ],
        "filled": selectors.contacts_filled(account=request.account, key=field.key),
    }
    return render(request, "contacts/field.html", context, status=422 if form.errors else 200)
