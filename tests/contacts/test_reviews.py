"""Opt-outs read out of people's own words: a person says whether each was read rightly."""

import pytest
from django.test import Client

from accounts.models import Account, AuditEvent, User
from contacts.choices import Consent, ConsentKind, ConsentSource
from contacts.errors import ReasonMissing, ReviewClosed
from contacts.models import ConsentEvent, Contact, OptOut
from contacts.selectors import opt_outs_to_review, opted_out
from contacts.services import (
    consent_grant,
    consent_revoke,
    contact_upsert,
    optout_keep,
    optout_take_back,
)

ANN = "+13055550101"
WORDS = "please stop texting me"
FREE_TEXT, KEYWORD = ConsentSource.FREE_TEXT, ConsentSource.KEYWORD


def _leaves_in_own_words(shop: Account) -> OptOut:
    consent_revoke(account=shop, phone=ANN, source=FREE_TEXT, wording=WORDS, message_id=7)
    return OptOut.objects.get(account=shop, phone=ANN)


def _consent() -> str:
    return Contact.objects.get(phone=ANN).consent


def test_only_opt_outs_in_own_words_wait(shop: Account, other_shop: Account) -> None:
    consent_revoke(account=shop, phone="+13055550102", source=KEYWORD, wording="STOP")
    consent_revoke(account=other_shop, phone=ANN, source=FREE_TEXT, wording="no more")
    _leaves_in_own_words(shop)

    waiting = opt_outs_to_review(account=shop).values_list("account", "phone")

    assert list(waiting) == [(shop.pk, ANN)]


def test_one_that_was_read_rightly_stands_and_leaves_the_list(shop: Account, alice: User) -> None:
    opt_out = _leaves_in_own_words(shop)

    optout_keep(account=shop, actor=alice, opt_out_id=opt_out.pk)

    opt_out.refresh_from_db()
    assert opt_out.reviewed_by == alice
    assert opted_out(account=shop, phone=ANN)
    assert not opt_outs_to_review(account=shop).exists()
    assert AuditEvent.objects.get(action="consent.review_kept").subject == ANN
    with pytest.raises(ReviewClosed):
        optout_take_back(account=shop, actor=alice, opt_out_id=opt_out.pk, reason="A joke")


@pytest.mark.parametrize("had_agreed", [True, False])
def test_one_that_was_misread_leaves_the_person_as_before(
    had_agreed: bool, shop: Account, alice: User
) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN)
    if had_agreed:
        consent_grant(account=shop, phone=ANN, source=KEYWORD, wording="START")
    opt_out = _leaves_in_own_words(shop)

    optout_take_back(account=shop, actor=alice, opt_out_id=opt_out.pk, reason=" About a bus ")

    assert _consent() == (Consent.OPTED_IN if had_agreed else Consent.UNKNOWN)
    assert not opted_out(account=shop, phone=ANN)
    said, undone = ConsentEvent.objects.order_by("-id")[:2][::-1]
    assert (said.kind, said.wording) == (ConsentKind.OUT, WORDS)
    assert (undone.kind, undone.wording, undone.actor) == (ConsentKind.VOID, "About a bus", alice)
    assert AuditEvent.objects.get(action="consent.review_undone").data == {"reason": "About a bus"}


def test_an_opt_out_from_before_the_misread_text_is_in_force_again(
    shop: Account, alice: User
) -> None:
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.MANUAL, wording="Told us")
    opt_out = _leaves_in_own_words(shop)

    optout_take_back(account=shop, actor=alice, opt_out_id=opt_out.pk, reason="About a bus")

    assert OptOut.objects.get(account=shop).source == ConsentSource.MANUAL
    assert _consent() == Consent.OPTED_OUT


@pytest.mark.parametrize("source", [ConsentSource.MANUAL, ConsentSource.API])
def test_an_opt_out_that_comes_while_the_words_wait_stands_once_they_were_misread(
    source: ConsentSource, shop: Account, alice: User
) -> None:
    opt_out = _leaves_in_own_words(shop)
    assert not consent_revoke(account=shop, phone=ANN, source=source, wording="Told us")

    optout_take_back(account=shop, actor=alice, opt_out_id=opt_out.pk, reason="About a bus")

    assert OptOut.objects.get(account=shop).source == source
    assert _consent() == Consent.OPTED_OUT


def test_a_second_misread_text_is_undone_like_the_first(shop: Account, alice: User) -> None:
    for _ in range(2):
        opt_out = _leaves_in_own_words(shop)
        optout_take_back(account=shop, actor=alice, opt_out_id=opt_out.pk, reason="About a bus")

    assert _consent() == Consent.UNKNOWN
    assert not OptOut.objects.exists()
    assert [event.kind for event in ConsentEvent.objects.order_by("id")] == [
        *("out", "void", "out", "void")
    ]


def test_whoever_texts_stop_afterwards_cannot_be_brought_back(shop: Account, alice: User) -> None:
    opt_out = _leaves_in_own_words(shop)

    was_new = consent_revoke(account=shop, phone=ANN, source=KEYWORD, wording="STOP")

    assert not was_new
    assert not opt_outs_to_review(account=shop).exists()
    with pytest.raises(ReviewClosed):
        optout_take_back(account=shop, actor=alice, opt_out_id=opt_out.pk, reason="A joke")
    assert opted_out(account=shop, phone=ANN)


def test_without_a_reason_nothing_is_undone(shop: Account, alice: User) -> None:
    opt_out = _leaves_in_own_words(shop)

    with pytest.raises(ReasonMissing):
        optout_take_back(account=shop, actor=alice, opt_out_id=opt_out.pk, reason="  ")

    assert opted_out(account=shop, phone=ANN)
    assert ConsentEvent.objects.count() == 1


def test_the_page_lists_keeps_and_undoes(shop: Account, alice: User, client: Client) -> None:
    client.force_login(alice)
    assert "Nothing to review" in client.get("/contacts/reviews/").content.decode()
    opt_out = _leaves_in_own_words(shop)

    listed = client.get("/contacts/reviews/").content.decode()
    refused = client.post(f"/contacts/reviews/{opt_out.pk}/undo/", {"reason": ""}, follow=True)
    undone = client.post(f"/contacts/reviews/{opt_out.pk}/undo/", {"reason": "Bus"}, follow=True)

    assert f'href="/messages/7/">“{WORDS}”' in listed
    assert "Say why the text was no request to stop" in refused.content.decode()
    assert "Nothing to review" in undone.content.decode()
    assert not opted_out(account=shop, phone=ANN)
    again = _leaves_in_own_words(shop)
    assert client.post(f"/contacts/reviews/{again.pk}/keep/").status_code == 302
    assert OptOut.objects.get(pk=again.pk).reviewed_by == alice


def test_the_contact_says_that_only_they_can_undo_it_once_that_is_so(
    shop: Account, alice: User, client: Client
) -> None:
    client.force_login(alice)
    only_they = "Only they can undo this, by texting START"
    contact = contact_upsert(account=shop, actor=None, phone=ANN)
    opt_out = _leaves_in_own_words(shop)

    waiting = client.get(f"/contacts/{contact.pk}/").content.decode()
    optout_keep(account=shop, actor=alice, opt_out_id=opt_out.pk)
    kept = client.get(f"/contacts/{contact.pk}/").content.decode()

    assert 'href="/contacts/reviews/">review it</a>' in waiting
    assert only_they not in waiting
    assert only_they in kept
    assert "review it</a>" not in kept
