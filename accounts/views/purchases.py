"""Buying credits: the packages, the way to the payment page and back, and Stripe's webhook."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts import payments, selectors, services
from accounts.access import AccountRequest, requires
from accounts.choices import Role
from common.errors import DomainError
from common.ids import secret_token
from common.pagination import keyset_page
from common.text import whole_number


@requires(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def credit_buy(request: AccountRequest) -> HttpResponse:
    """What is offered, and what was bought; a POST leads to the payment page."""
    if request.method == "POST":
        try:
            _, url = services.purchase_begin(
                account=request.account,
                actor=request.user,
                package_id=whole_number(request.POST.get("package", "")) or 0,
                request_key=request.POST.get("once", "")[:80] or secret_token(),
            )
        except DomainError as error:
            messages.error(request, error.message)
            return redirect("credit_buy")
        return redirect(url)
    purchases = selectors.purchases_list(request.account)
    back = whole_number(request.GET.get("purchase", ""))
    context = {
        "packages": selectors.packages_offered(),
        "is_on": payments.is_on(),
        "once": secret_token(),
        "page": keyset_page(purchases, request.GET, size=20),
        "back": None if back is None else purchases.filter(pk=back).first(),
    }
    return render(request, "accounts/credit_buy.html", context)


@csrf_exempt
@require_http_methods(["POST"])
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Stripe tells of a payment. Anything but 2xx has it tell again later."""
    if not payments.is_on():
        return HttpResponse(status=404)
    try:
        services.payment_heard(
            payload=request.body, signature=request.headers.get("Stripe-Signature", "")
        )
    except DomainError as error:
        return HttpResponse(error.message, status=error.http_status, content_type="text/plain")
    return HttpResponse(status=204)
