import pytest

from accounts.models import Account
from contacts.models import Contact, OptOut
from messaging.models import Batch, Message
from messaging.rendering import TemplateError
from messaging.services import estimate
from tests.messaging.conftest import Launch, People, states

pytestmark = pytest.mark.django_db


def everybody(account: Account):
    return Contact.objects.filter(account=account)


def test_it_announces_what_the_launch_then_does(launch: Launch, people: People, account: Account):
    people(5)
    people(2, line_type="landline")
    people(1, first_name="")
    ann = people(1)[0]
    OptOut.objects.create(account=account, phone=ann.phone, source="keyword")
    body = "Hi {{first_name}}, https://shop.example/ " + "x" * 130

    found = estimate(account=account, body=body, audience=everybody(account))

    assert (found.people, found.texted_now) == (9, 5)
    assert found.not_texted == {"landline": 2, "blank_field": 1, "opted_out": 1}
    assert (found.segments, found.credits, found.max_segments) == (10, 10, 2)
    assert (found.encoding, found.exact) == ("GSM-7", True)
    assert not Batch.objects.exists()
    batch = launch(body=body)
    assert states(batch) == {
        ("pending", ""): 5,
        **{("skipped", reason): n for reason, n in found.not_texted.items()},
    }
    assert batch.credits_reserved == found.credits


def test_a_text_without_fields_is_counted_exactly_for_any_audience(
    people: People, account: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("messaging.services.estimating.SAMPLE", 3)
    people(10)

    found = estimate(account=account, body="Tulips 🌷", audience=everybody(account))

    assert (found.segments, found.exact, found.encoding) == (10, True, "UCS-2")


def test_of_a_large_audience_a_part_stands_for_the_rest(
    people: People, account: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("messaging.services.estimating.SAMPLE", 4)
    people(10)

    found = estimate(
        account=account, body="{{first_name}}" + "x" * 160, audience=everybody(account)
    )

    assert (found.texted_now, found.segments, found.exact) == (10, 20, False)


def test_nobody_is_counted_as_nobody(account: Account):
    found = estimate(account=account, body="Hi", audience=Contact.objects.none())

    assert (found.people, found.segments, found.credits, found.max_segments) == (0, 0, 0, 1)


def test_a_body_that_cannot_be_sent_says_so(account: Account):
    with pytest.raises(TemplateError, match="no field called"):
        estimate(account=account, body="{{nickname}}", audience=everybody(account))

    assert not Message.objects.exists()
