"""Settings: numbers to text from, carrier accounts, and a trial's verified phones."""

from collections.abc import Sequence

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts import selectors as accounts_selectors
from accounts.access import AccountRequest, owned, requires
from accounts.choices import AccountStatus, Role
from accounts.services import verifiednumber_confirm, verifiednumber_remove
from common.errors import DomainError, NotFound
from common.templatetags.ui import phone
from messaging import senders
from messaging.choices import SenderKind
from messaging.models import CarrierAccount, SenderNumber
from messaging.sender_kinds import FACTS
from messaging.verification import verification_send
from messaging.views.number_forms import (
    CarrierEditForm,
    CarrierForm,
    CodeForm,
    NumberForm,
    PhoneForm,
    SenderForm,
)

# What each kind of number changes, in the order of the choices.
_KINDS = [(label, FACTS[kind].sentence) for kind, label in SenderKind.choices]


def _carrier_row(carrier: CarrierAccount) -> dict[str, object]:
    return {
        "row": carrier,
        "inbound_url": senders.webhook_url(carrier, "inbound"),
        "clicks_url": senders.webhook_url(carrier, "clicks"),
    }


def _practice_phones(held: Sequence[SenderNumber]) -> str:
    """Where the texts of practice numbers are read; empty for who texts real phones."""
    practice = any(sender.carrier_account.is_simulated for sender in held)
    return senders.practice_phones_url() if practice else ""


@requires(Role.VIEWER)
@require_http_methods(["GET"])
def numbers(request: AccountRequest) -> HttpResponse:
    """Sender numbers, carrier accounts with the addresses to paste there, verified phones."""
    account = request.account
    held = list(senders.senders_list(account))
    carriers = list(senders.carrieraccounts_list(account))
    context = {
        "senders": held,
        "carriers": [_carrier_row(carrier) for carrier in carriers],
        "verified": accounts_selectors.verified_numbers(account),
        "verification_needed": account.status == AccountStatus.TRIAL
        and not all(sender.carrier_account.is_simulated for sender in held),
        "practice_possible": senders.practice_is_possible(),
        "practice_phones": _practice_phones(held),
        "phone_form": PhoneForm(country=account.default_country),
    }
    return render(request, "messaging/numbers.html", context)


@requires(Role.ADMIN)
@require_POST
def number_practice(request: AccountRequest) -> HttpResponse:
    """One more made-up number, where the carrier is carriersim."""
    try:
        sender = senders.sender_assign(account=request.account, actor=request.user)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        if sender is None:
            raise Http404("There are no practice numbers here.")
        messages.success(request, f"{phone(sender.phone)} is yours.")
    return redirect("numbers")


@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def number_add(request: AccountRequest) -> HttpResponse:
    """Enter a number held at one of the account's own carrier accounts."""
    carriers = senders.carrieraccounts_list(request.account)
    form = NumberForm(
        request.POST or None, carriers=carriers, country=request.account.default_country
    )
    if form.is_valid():
        try:
            sender = senders.sender_create(
                account=request.account, actor=request.user, **form.cleaned_data
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{phone(sender.phone)} was added.")
            return redirect("numbers")
    context = {
        "form": form,
        "title": "Add a number",
        "has_carriers": carriers.exists(),
        "kinds": _KINDS,
    }
    return render(request, "messaging/numbers_form.html", context)


@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def number_edit(request: AccountRequest, sender_id: int) -> HttpResponse:
    """Label, kind, rate, daily cap of a number, and whether it sends pictures."""
    sender = owned(senders.senders_list(request.account), request.account, pk=sender_id)
    shown = ("label", "kind", "rate_per_s", "daily_cap", "can_mms")
    values = {name: getattr(sender, name) for name in shown}
    form = SenderForm(request.POST or None, initial=values)
    if form.is_valid():
        try:
            senders.sender_update(
                account=request.account,
                actor=request.user,
                sender_id=sender_id,
                **form.cleaned_data,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, "Saved.")
            return redirect("numbers")
    context = {
        "form": form,
        "title": sender.phone,
        "sender": sender,
        "has_carriers": True,
        "kinds": _KINDS,
    }
    return render(request, "messaging/numbers_form.html", context)


@requires(Role.ADMIN)
@require_POST
def number_default(request: AccountRequest, sender_id: int) -> HttpResponse:
    """Make a number the one that is used where nobody chooses."""
    try:
        sender = senders.sender_default_set(
            account=request.account, actor=request.user, sender_id=sender_id
        )
    except NotFound as error:
        raise Http404(error.message) from error
    messages.success(request, f"New blasts go out from {phone(sender.phone)}.")
    return redirect("numbers")


@requires(Role.ADMIN)
@require_POST
def number_release(request: AccountRequest, sender_id: int) -> HttpResponse:
    """Stop using a number."""
    try:
        sender = senders.sender_release(
            account=request.account, actor=request.user, sender_id=sender_id
        )
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"{phone(sender.phone)} is no longer used. What it sent is kept.")
    return redirect("numbers")


@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def carrier_add(request: AccountRequest) -> HttpResponse:
    """Keep the account's own log-in at Twilio."""
    form = CarrierForm(request.POST or None)
    if form.is_valid():
        try:
            senders.carrieraccount_create(
                account=request.account, actor=request.user, **form.cleaned_data
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(
                request, "Saved. Paste the addresses below at Twilio, then add numbers."
            )
            return redirect("numbers")
    context = {"form": form, "title": "Add a Twilio account", "has_carriers": True}
    return render(request, "messaging/numbers_form.html", context)


@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def carrier_edit(request: AccountRequest, carrier_account_id: int) -> HttpResponse:
    """Rename a carrier account, or give it a new token."""
    carrier = owned(
        senders.carrieraccounts_list(request.account), request.account, pk=carrier_account_id
    )
    form = CarrierEditForm(request.POST or None, initial={"name": carrier.name})
    if form.is_valid():
        senders.carrieraccount_update(
            account=request.account,
            actor=request.user,
            carrier_account_id=carrier_account_id,
            **form.cleaned_data,
        )
        messages.success(request, "Saved.")
        return redirect("numbers")
    context = {"form": form, "title": carrier.name, "has_carriers": True}
    return render(request, "messaging/numbers_form.html", context)


@requires(Role.MARKETER)
@require_POST
def verify_request(request: AccountRequest) -> HttpResponse:
    """Text a code to a phone."""
    form = PhoneForm(request.POST, country=request.account.default_country)
    if not form.is_valid():
        messages.error(request, " ".join(map(str, form.errors["phone"])))
        return redirect("numbers")
    try:
        number = verification_send(
            account=request.account, actor=request.user, phone=form.cleaned_data["phone"]
        )
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("numbers")
    return redirect("verify_confirm", number.pk)


@requires(Role.MARKETER)
@require_http_methods(["GET", "POST"])
def verify_confirm(request: AccountRequest, number_id: int) -> HttpResponse:
    """Enter the code that was texted."""
    number = owned(
        accounts_selectors.verified_numbers(request.account), request.account, pk=number_id
    )
    form = CodeForm(request.POST or None)
    if form.is_valid():
        try:
            verifiednumber_confirm(
                account=request.account,
                actor=request.user,
                number_id=number_id,
                code=form.cleaned_data["code"],
            )
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{phone(number.phone)} is verified: you can text it now.")
            return redirect("numbers")
    held = list(senders.senders_list(request.account))
    context = {"form": form, "number": number, "practice_phones": _practice_phones(held)}
    return render(request, "messaging/numbers_verify.html", context)


@requires(Role.MARKETER)
@require_POST
def verify_remove(request: AccountRequest, number_id: int) -> HttpResponse:
    """Forget a verified phone."""
    try:
        verifiednumber_remove(account=request.account, actor=request.user, number_id=number_id)
    except NotFound as error:
        raise Http404(error.message) from error
    messages.success(request, "Removed.")
    return redirect("numbers")
