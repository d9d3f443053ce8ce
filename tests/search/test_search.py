"""Anything of one's own account is found by a few letters, nothing of another's, in few queries."""

from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse

from accounts.choices import Role
from accounts.models import Account, Membership, User
from contacts.models import Contact
from inbox.models import Conversation
from smsplatform.search import ROWS, Section, found
from tests.contracts.world import World, everything, world_create

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(account: Account, alice: User) -> World:
    """What Alice's shop owns."""
    return world_create(account, alice)


@pytest.fixture
def strange_shop(other_account: Account, charlie: User) -> World:
    """The same, by the same names, in Charlie's."""
    return world_create(other_account, charlie)


def _hrefs(sections: list[Section]) -> dict[str, list[str]]:
    return {section.title: [hit.href for hit in section.hits] for section in sections}


def _found(shop: World, words: str, role: str = Role.OWNER) -> dict[str, list[str]]:
    return _hrefs(found(account=shop.account, role=role, words=words))


def _contact(shop: World) -> str:
    return reverse("contact_detail", args=[shop.contact.pk])


@pytest.mark.parametrize("words", ["carol", "CARO", "+12025550170", "(202) 555-0170", "202555"])
def test_a_person_is_found_by_name_and_by_the_beginning_of_a_number(
    shop: World, words: str
) -> None:
    results = _found(shop, words)

    assert results["Contacts"] == [_contact(shop)]
    assert results["Conversations"] == [reverse("conversation", args=[shop.conversation.pk])]


def test_a_number_nobody_is_known_by_finds_what_was_said(shop: World) -> None:
    unknown = Conversation.objects.create(
        account=shop.account, our_number=shop.sender.phone, phone="+12025550175", snippet="Who?"
    )

    sections = found(account=shop.account, role=Role.VIEWER, words="202 555 0175")

    assert sections[0].title == "Conversations"
    (hit,) = sections[0].hits
    assert hit.href == reverse("conversation", args=[unknown.pk])
    assert (hit.label, hit.detail) == ("+1\u00a0202\u00a0555\u00a00175", "Who?")


@pytest.mark.parametrize(
    ("words", "kind", "page", "thing"),
    [
        ("mother", "Campaigns", "campaign_report", "campaign"),
        ("sent", "Blasts", "blast_report", "sent"),
        ("mother sent", "Blasts", "blast_report", "sent"),
        ("custom", "Groups", "group_detail", "group"),
        ("example.com", "Links", "link_report", "link"),
    ],
)
def test_everything_else_is_found_by_parts_of_its_name(
    shop: World, words: str, kind: str, page: str, thing: str
) -> None:
    assert _found(shop, words)[kind] == [reverse(page, args=[shop.ids()[thing]])]


def test_charlie_finds_only_his_own(shop: World, strange_shop: World, charlie: User) -> None:
    browser = Client()
    browser.force_login(charlie)
    before = everything()

    for words in ("carol", "+12025550170", "mother", "draft", "sent", "custom", "example"):
        theirs, his = (_found(world, words) for world in (shop, strange_shop))
        page = browser.get(reverse("search"), {"q": words}).content.decode()
        own = [href for title, hrefs in his.items() if title not in _PAGES for href in hrefs]
        hers = [href for title, hrefs in theirs.items() if title not in _PAGES for href in hrefs]
        assert own
        assert hers
        assert all(f'href="{href}"' in page for href in own), words
        assert not any(f'href="{href}"' in page for href in hers), words

    assert everything() == before


_PAGES = ("Go to", "Look further")


def test_a_viewer_sees_neither_drafts_nor_what_only_others_may_do(shop: World) -> None:
    viewer, owner = (_found(shop, "draft", role) for role in (Role.VIEWER, Role.OWNER))
    assert owner["Blasts"] == [reverse("blast_report", args=[shop.draft.pk])]
    assert "Blasts" not in viewer

    assert _found(shop, "new bl") == {"Go to": ["/blasts/new"], **_further("new bl")}
    assert _found(shop, "new bl", Role.VIEWER) == _further("new bl")
    assert _found(shop, "key", Role.MARKETER) == _further("key")
    assert _found(shop, "csv", Role.MARKETER)["Go to"] == [
        "/contacts/imports/new/",
        "/contacts/imports/",
    ]


def _further(words: str) -> dict[str, list[str]]:
    q = quote(words).replace("%20", "+")
    return {
        "Look further": [f"/contacts/?q={q}", f"/messages/?q={q}", f"/inbox/?show=all&q={q}"],
    }


@pytest.mark.parametrize("role", Role.values)
def test_every_page_offered_opens_for_the_role(role: str, account: Account) -> None:
    user = User.objects.create_user("dana@example.com")
    Membership.objects.create(account=account, user=user, role=role)
    browser = Client()
    browser.force_login(user)

    hrefs = _hrefs(found(account=account, role=role, words=""))["Go to"]

    assert {href: browser.get(href).status_code for href in hrefs} == dict.fromkeys(hrefs, 200)


def test_a_search_costs_six_queries_however_much_there_is(
    shop: World, django_assert_num_queries: Any
) -> None:
    for number in range(20):
        phone = f"+1202555{200 + number:04}"
        Contact.objects.create(account=shop.account, phone=phone, first_name="Carol")
        Conversation.objects.create(account=shop.account, our_number=shop.sender.phone, phone=phone)

    with django_assert_num_queries(6):
        results = _found(shop, "carol")
    with django_assert_num_queries(0):
        _found(shop, "c")

    assert len(results["Contacts"]) == len(results["Conversations"]) == ROWS


def test_as_a_page_and_as_a_part_of_one(shop: World, alice: User) -> None:
    browser = Client()
    browser.force_login(alice)
    odd = {"q": "carol\0<b>'&|!" + "x" * 200}

    page = browser.get(reverse("search"), {"q": "carol"})
    part = browser.get(reverse("search"), {"q": "carol"}, headers={"HX-Request": "true"})
    none = browser.get(reverse("search"), odd)

    assert b"<h1" in page.content
    assert b"<h1" not in part.content
    assert "HX-Request" in page.headers["Vary"]
    for answer in (page, part):
        assert f'href="{_contact(shop)}"'.encode() in answer.content
    assert none.status_code == 200
    assert b"Nothing of yours is called" in none.content
    assert b"<b>" not in none.content
    assert browser.post(reverse("search")).status_code == 405
