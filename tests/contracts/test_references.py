"""Nothing of another account's is reached by its id inside a form or a call.

Charlie, whose account is Alice's in every way, names things of hers in whatever he sends; no row of
hers changes, and no row of his refers to one."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from contacts.models import GroupMember
from messaging.models import SenderNumber
from tests.contracts.conftest import browser_of, headers_of
from tests.contracts.world import (
    World,
    of_account,
    references_across_accounts,
)

pytestmark = pytest.mark.django_db


ONLY_ALICES_NUMBER = "+12025550199"


def _api_tries(own: dict[str, int], theirs: dict[str, int]) -> Iterator[tuple[str, str, Any]]:
    """Method, address and body of calls in which Charlie names things of Alice's."""
    group, contact, campaign = theirs["group"], theirs["contact"], theirs["campaign"]
    blast = {"campaign": own["campaign"], "name": "X", "body": "Hi", "groups": [own["group"]]}
    draft = reverse("blast-detail", kwargs={"pk": own["draft"]})
    yield "POST", reverse("api-contact-list"), {"phone": "+12025550155", "groups": [group]}
    bulk = {"contacts": [{"phone": "+12025550156"}], "groups": [group]}
    yield "POST", reverse("api-contact-bulk"), bulk
    for name in ("api-group-add", "api-group-remove"):
        yield "POST", reverse(name, kwargs={"pk": own["group"]}), {"contacts": [contact]}
    yield "POST", reverse("api-contact-merge", kwargs={"pk": own["contact"]}), {"other": contact}
    for rule in (
        {"group": group},
        {"did": "sent", "blast": theirs["sent"]},
        {"did": "sent", "campaign": campaign},
    ):
        yield "POST", reverse("api-group-list"), {"name": "X", "rules": {"not": rule}}
    for foreign in (
        {"campaign": campaign},
        {"groups": [group]},
        {"sender": ONLY_ALICES_NUMBER},
    ):
        yield "POST", reverse("blast-list"), blast | foreign
        yield "PATCH", draft, foreign
    message = {"to": "+12025550157", "body": "Hi", "sender": ONLY_ALICES_NUMBER}
    yield "POST", reverse("api-message-list"), message


def _page_tries(
    own: dict[str, int], theirs: dict[str, int], alice: User
) -> Iterator[tuple[str, Any]]:
    """Address and form of pages in which Charlie names things of Alice's."""
    blast = {"campaign": own["campaign"], "name": "X", "body": "Hi", "groups": [own["group"]]}
    for url in (
        reverse("blast_create"),
        reverse("blast_count"),
        reverse("blast_audience"),
        reverse("blast_edit", kwargs={"pk": own["draft"]}),
    ):
        for foreign in (
            {"campaign": theirs["campaign"]},
            {"groups": [theirs["group"]]},
            {"sender": theirs["sender"]},
        ):
            yield url, blast | foreign
    yield (
        reverse("contact_create"),
        {
            "phone": "(202) 555-0158",
            "groups": [theirs["group"]],
            "unknown": "on",
        },
    )
    for act, named in (
        ("tag", {"do-names": "mine"}),
        ("untag", {"do-tag": theirs["tag"]}),
        ("group", {"do-group": theirs["group"]}),
        ("ungroup", {"do-group": theirs["group"]}),
        ("field", {"do-own": theirs["custom_field"], "do-value": "x"}),
        ("delete", {}),
    ):
        yield reverse("contact_many"), {"do-act": act, "id": [theirs["contact"]], **named}
    yield reverse("contacts_restore"), {"id": [theirs["deleted"]]}
    for what, named in (
        ("group", {"value": theirs["group"]}),
        ("tag", {"value": theirs["tag"]}),
        ("did:sent", {"of": f"blast:{theirs['sent']}"}),
        ("did:sent", {"of": f"campaign:{theirs['campaign']}"}),
    ):
        row = {"what": what, "op": "not_in", **named}
        rules = {"b0.match": "all", **{f"b0.r0.{name}": value for name, value in row.items()}}
        for act in ("save", "look"):
            yield reverse("group_smart"), {"name": "X", "act": act, **rules}
    word = {"word": "JOIN", "frequency": "Weekly", "groups": [theirs["group"]]}
    yield reverse("keyword_add"), word
    yield reverse("keyword_edit", kwargs={"pk": own["optin_keyword"]}), word
    conversation = {"pk": own["conversation"]}
    yield reverse("conversation_assign", kwargs=conversation), {"assignee": alice.pk}
    started = reverse("import_start", kwargs={"pk": own["contact_import"]})
    yield started, {"group": theirs["group"], "unknown": "on"}
    yield (
        reverse("number_add"),
        {
            "phone": "(202) 555-0159",
            "carrier_account": theirs["carrier"],
            "rate_per_s": "1",
        },
    )


@pytest.fixture
def strangers_number(alices: World) -> SenderNumber:
    """A number that only Alice has."""
    return SenderNumber.objects.create(
        account=alices.account, carrier_account=alices.carrier, phone=ONLY_ALICES_NUMBER
    )


def test_a_reference_across_accounts_would_be_found(alices: World, charlies: World) -> None:
    assert references_across_accounts() == []

    charlies.draft.groups.add(alices.group)
    GroupMember.objects.create(
        account=charlies.account, group=charlies.group, contact=alices.contact
    )

    assert [found.split(" of ")[0] for found in references_across_accounts()] == [
        "contacts.GroupMember.contact",
        "campaigns.Blast_groups.group",
    ]


def test_calls_that_name_a_strangers_things_do_not_reach_them(
    alices: World,
    charlies: World,
    strangers_number: SenderNumber,
    other_account: Account,
    charlie: User,
) -> None:
    headers = headers_of(other_account, charlie)
    hers = of_account(alices.account)

    for method, url, body in _api_tries(charlies.ids(), alices.ids()):
        answer = Client().generic(
            method, url, json.dumps(body), content_type="application/json", headers=headers
        )
        assert answer.status_code < 500, (url, body)
        assert references_across_accounts() == [], (url, body)
        assert of_account(alices.account) == hers, (url, body)


def test_forms_that_name_a_strangers_things_do_not_reach_them(
    alices: World, charlies: World, alice: User, charlie: User
) -> None:
    browser = browser_of(charlie)
    hers = of_account(alices.account)

    for url, form in _page_tries(charlies.ids(), alices.ids(), alice):
        answer = browser.post(url, form)
        assert answer.status_code < 500, (url, form)
        assert references_across_accounts() == [], (url, form)
        assert of_account(alices.account) == hers, (url, form)
