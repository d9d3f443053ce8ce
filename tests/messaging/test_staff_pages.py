"""What staff see and enter of messaging under /staff/."""

import pytest
from django.test import Client

from accounts.models import Account, User
from messaging.choices import EventEnd, EventKind
from messaging.models import CarrierAccount, CarrierEvent, SenderNumber

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("staff@example.com", "not-used-here"))
    return client


def _number(account: Account, carrier: CarrierAccount, phone: str) -> dict[str, object]:
    return {
        "account": account.pk,
        "carrier_account": carrier.pk,
        "phone": phone,
        "label": "Main line",
        "rate_per_s": "3",
    }


def test_staff_enter_a_number_for_an_account(
    staff: Client, account: Account, carrier: CarrierAccount
) -> None:
    answer = staff.post(
        "/staff/messaging/sendernumber/add/", _number(account, carrier, "(415) 555-0142")
    )

    assert answer.status_code == 302
    sender = SenderNumber.objects.get()
    assert (sender.account, sender.phone, sender.rate_per_s) == (account, "+14155550142", 3.0)
    assert sender.is_default
    assert account.audit_events.filter(action="sender.added", subject=sender.phone).count() == 1


def test_a_number_in_use_is_refused_in_a_sentence(
    staff: Client, account: Account, other_account: Account, sender: SenderNumber
) -> None:
    answer = staff.post(
        "/staff/messaging/sendernumber/add/",
        _number(other_account, sender.carrier_account, sender.phone),
    )

    assert answer.status_code == 200
    assert SenderNumber.objects.filter(account=other_account).count() == 0


def test_events_set_aside_are_shown_with_their_reason(
    staff: Client, carrier: CarrierAccount
) -> None:
    for ended, error in ((EventEnd.SET_ASIDE, "The message is another account's."), ("", "")):
        CarrierEvent.objects.create(
            carrier_account=carrier,
            kind=EventKind.STATUS,
            payload={"MessageStatus": "delivered"},
            ended=ended,
            error=error,
        )

    page = staff.get("/staff/messaging/carrierevent/")

    assert page.status_code == 200
    assert page.context["title"] == "Set aside: what carriers told and could not be applied"
    assert page.content.decode().count("The message is another account") == 1
    assert page.context["cl"].result_count == 1
