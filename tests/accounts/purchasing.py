"""Steps of tests about payments: recorded payloads posted as Stripe does, and what came of it."""

import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

from django.test import Client

from accounts.models import Account, CreditEntry, User
from messaging.recounting import differences as recounted

PAYLOADS = Path(__file__).parent.parent / "payloads" / "stripe"
SECRET = "whsec_of_the_tests"
PAID = "checkout.session.completed"
OPENED, WON, LOST = (f"charge.dispute.{name}" for name in ("created", "closed-won", "closed-lost"))
ASKED = "charge.dispute.created-inquiry"


def browser(user: User) -> Client:
    """One in which the user has logged in."""
    client = Client()
    client.force_login(user)
    return client


def tell(name: str, *, secret: str = SECRET, signed_at: float | None = None, **changes: Any) -> int:
    """Post a recorded payload as Stripe does; returns the status of the answer."""
    body = (PAYLOADS / f"{name}.json").read_text()
    if changes:
        event = json.loads(body)
        event["data"]["object"].update(changes)
        body = json.dumps(event)
    stamp = int(signed_at if signed_at is not None else time.time())
    digest = hmac.new(secret.encode(), f"{stamp}.{body}".encode(), hashlib.sha256).hexdigest()
    # Stripe's servers hold no cookie: this client checks that none is asked for.
    answer = Client(enforce_csrf_checks=True).post(
        "/payments/stripe/",
        body,
        content_type="application/json",
        headers={"Stripe-Signature": f"t={stamp},v1={digest}"},
    )
    return answer.status_code


def bought(account: Account) -> list[tuple[str, int]]:
    """(kind, credits) of the movements that purchases made."""
    entries = CreditEntry.objects.filter(account=account, kind__in=["purchase", "refund"])
    return list(entries.order_by("pk").values_list("kind", "available"))


def owes(account: Account) -> tuple[int, int]:
    """What is left and what is owed, both of which are the ledger's sums."""
    account.refresh_from_db()
    assert recounted() == []
    return account.credit_balance, account.credit_owed
