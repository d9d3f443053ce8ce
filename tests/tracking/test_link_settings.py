"""What an account sets for its links: domain, end, UTM parameters, in the page and in the links."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import Account, AuditEvent, User
from accounts.services import apikey_create
from contacts.models import Contact
from messaging.choices import BatchKind
from messaging.content import content_of, link_codes
from messaging.models import SenderNumber
from messaging.services import batch_launch
from tracking.errors import BadDestination
from tracking.models import Link, LinkSettings
from tracking.services import links_create
from tracking.utm import with_utm

WANTED = {
    "domain": " GO.Roses.example. ",
    "expires_after_days": "30",
    "fallback_url": "https://roses.example/over",
    "utm_source": "texts",
    "utm_medium": "sms",
}


@pytest.mark.django_db
def test_an_admin_sets_them_and_the_trail_says_what(
    account: Account, alice: User, client: Client
) -> None:
    client.force_login(alice)

    answer = client.post("/links/settings/", WANTED)

    assert answer.status_code == 302
    row = LinkSettings.objects.get(account=account)
    assert (row.domain, row.expires_after_days) == ("go.roses.example", 30)
    assert (row.fallback_url, row.utm_source, row.utm_medium) == (
        "https://roses.example/over",
        "texts",
        "sms",
    )
    assert AuditEvent.objects.get(action="links.changed").data["domain"] == [
        None,
        "go.roses.example",
    ]
    assert "https://go.roses.example/" in client.get("/links/settings/").content.decode()

    client.post("/links/settings/", WANTED | {"domain": "", "expires_after_days": ""})

    row.refresh_from_db()
    assert (row.domain, row.expires_after_days) == (None, None)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("domain", "https://go.roses.example/", "without https://"),
        ("domain", "roses", "without https://"),
        ("domain", "go.roses.local", "without https://"),
        ("domain", "10.0.0.1", "without https://"),
        ("domain", "l.example.com", "platform’s own address"),
        ("domain", "taken.example", "Another account uses this domain"),
        ("expires_after_days", "0", "Between 1 and 3,650 days"),
        ("fallback_url", "ftp://roses.example", "must begin with https://"),
        ("fallback_url", "https://taken.example/x", "is itself a short link"),
    ],
)
def test_what_cannot_be_used_is_told_at_its_field(
    account: Account,
    other_account: Account,
    alice: User,
    client: Client,
    settings: Any,
    field: str,
    value: str,
    says: str,
) -> None:
    settings.LINK_URL = "https://l.example.com"
    LinkSettings.objects.create(account=other_account, domain="taken.example")
    client.force_login(alice)

    answer = client.post("/links/settings/", WANTED | {field: value})

    assert answer.status_code == 200
    assert says in answer.content.decode()
    assert not LinkSettings.objects.filter(account=account).exists()
    assert not AuditEvent.objects.filter(action="links.changed").exists()


@pytest.mark.django_db
def test_a_blast_freezes_the_settings_it_was_launched_under(
    account: Account, alice: User, sender: SenderNumber
) -> None:
    rules = LinkSettings.objects.create(
        account=account, domain="go.roses.example", expires_after_days=30, utm_source="texts"
    )
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    Contact.objects.create(account=account, phone="+12125550123")

    batch = batch_launch(
        account=account,
        actor=alice,
        kind=BatchKind.BLAST,
        name="Spring sale!",
        body="Tulips: https://roses.example/tulips",
        sender=sender,
        audience=Contact.objects.filter(account=account),
        request_key="one",
    )
    rules.domain = None
    rules.save()

    link = Link.objects.get(batch_id=batch.pk)
    assert link.destination == (
        "https://roses.example/tulips?utm_source=texts&utm_campaign=spring-sale"
    )
    assert link.domain == "go.roses.example"
    assert link.expires_at == link.created_at + timedelta(days=30)
    content = content_of(batch)
    (text,) = content.texts([None], *link_codes([([1], [link.pk])]))
    assert text.startswith("Tulips: https://go.roses.example/")
    assert len(text) == len(content.sample(None))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("utm", "marks"),
    [
        ({}, "utm_source=texts&utm_medium=sms&utm_campaign=spring"),
        ({"utm_campaign": "May Days"}, "utm_source=texts&utm_medium=sms&utm_campaign=may-days"),
        (
            {"utm_source": "vip", "utm_medium": "mms"},
            "utm_source=vip&utm_medium=mms&utm_campaign=spring",
        ),
    ],
)
def test_a_blast_may_say_its_own_utm_parameters(
    account: Account, utm: dict[str, str], marks: str
) -> None:
    (link,) = links_create(
        account=account,
        batch_id=7,
        destinations=["https://roses.example/"],
        label="Spring",
        recipients=1,
        rules=LinkSettings(account=account, utm_source="texts", utm_medium="sms"),
        utm=utm,
    )

    assert link.destination == f"https://roses.example/?{marks}"


@pytest.mark.django_db
def test_no_link_leads_to_a_link_domain_of_any_account(
    account: Account, other_account: Account
) -> None:
    LinkSettings.objects.create(account=other_account, domain="go.other.example")

    with pytest.raises(BadDestination, match="is itself a short link"):
        links_create(
            account=account,
            batch_id=7,
            destinations=["https://GO.other.example./abcdefghij"],
            label="",
            recipients=1,
        )

    assert not Link.objects.exists()


@pytest.mark.django_db
def test_an_address_that_utm_parameters_would_make_too_long_stays_as_it_is(
    account: Account,
) -> None:
    url = "https://roses.example/" + "x" * 1970

    (link,) = links_create(
        account=account,
        batch_id=7,
        destinations=[url],
        label="Sale",
        recipients=1,
        rules=LinkSettings(account=account, utm_source="texts"),
    )

    assert link.destination == url


@pytest.mark.parametrize(
    ("url", "marked"),
    [
        ("https://a.example", "https://a.example?utm_source=x%26y&utm_medium=sms&utm_campaign=mai"),
        (
            "https://a.example/p?b=%20&c#top",
            "https://a.example/p?b=%20&c&utm_source=x%26y&utm_medium=sms&utm_campaign=mai#top",
        ),
        (
            "https://a.example/?utm_source=own&utm_campaign=",
            "https://a.example/?utm_source=own&utm_campaign=&utm_medium=sms",
        ),
    ],
)
def test_utm_parameters_leave_the_rest_untouched(url: str, marked: str) -> None:
    assert with_utm(url, source="x&y", medium="sms", campaign="Mai!") == marked
    assert with_utm(url, source="", medium="sms", campaign="Mai!") == url


@pytest.mark.django_db
def test_the_api_reads_and_changes_what_is_named(account: Account, alice: User) -> None:
    _, key = apikey_create(account=account, actor=alice, name="Shop", scopes=["read", "write"])
    api = Client(headers={"Authorization": f"Bearer {key}"})
    kind = "application/json"

    before = api.get("/api/v1/link-settings/").json()
    wanted = {"utm_source": "texts", "expires_after_days": 30}
    changed = api.patch("/api/v1/link-settings/", wanted, content_type=kind).json()
    refused = api.patch("/api/v1/link-settings/", {"expires_after_days": 0}, content_type=kind)

    assert before == {
        "domain": None,
        "expires_after_days": None,
        "fallback_url": "",
        "utm_source": "",
        "utm_medium": "",
    }
    assert changed == before | wanted
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["expires_after_days"])
    row = LinkSettings.objects.get(account=account)
    assert (row.utm_source, row.expires_after_days) == ("texts", 30)
    event = AuditEvent.objects.get(action="links.changed")
    assert (event.actor, event.data["utm_source"]) == (alice, ["", "texts"])
