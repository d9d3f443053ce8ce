"""Joining by keyword: what is texted, what is on record, and what never is."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Account, User
from common.clock import now
from contacts.choices import Consent
from contacts.errors import KeywordTaken, OptInInvalid
from contacts.models import Contact, OptInKeyword, OptInPending
from contacts.selectors import opted_out
from contacts.services import optin_pending_expire
from inbox.models import Conversation
from messaging.choices import BatchKind, MessageState
from messaging.joining import word_refused
from messaging.services.joining import keyword_save
from tests.messaging.joining.conftest import (
    ANN,
    QUESTION,
    SIGN,
    WELCOME,
    Says,
    groups_of,
    make_keyword,
    proofs,
    texts,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("said", ["GARDEN", "garden", " “Garden!” ", "g a r d e n"])
def test_a_keyword_opts_in_with_its_proof_and_is_confirmed(
    garden: OptInKeyword, says: Says, said: str
) -> None:
    message = says(said)

    assert Contact.objects.get(phone=ANN).consent == Consent.OPTED_IN
    assert groups_of(ANN) == ["Garden"]
    wording = f"Texted “{said.strip()}” after reading: {SIGN}"
    assert proofs() == [("in", "keyword", wording, message.pk, None)]
    assert texts() == [(BatchKind.AUTO, MessageState.PENDING, WELCOME)]
    garden.refresh_from_db()
    assert garden.joined == 1


def test_a_keyword_again_within_the_hour_is_answered_once(garden: OptInKeyword, says: Says) -> None:
    at = now().replace(minute=5)

    for minutes in (0, 20):
        says("garden", at=at + timedelta(minutes=minutes))

    assert len(texts()) == 1
    assert len(proofs()) == 1


def test_other_words_join_nobody(garden: OptInKeyword, says: Says) -> None:
    says("I love my garden")

    assert (texts(), proofs()) == ([], [])


def test_a_keyword_is_not_heard_in_another_account(
    garden: OptInKeyword, says: Says, other_account: Account, account: Account
) -> None:
    OptInKeyword.objects.filter(pk=garden.pk).update(account=other_account)

    says("GARDEN")

    assert (texts(), proofs()) == ([], [])


def test_with_a_yes_asked_for_nobody_is_opted_in_until_they_say_it(
    account: Account, alice: User, says: Says
) -> None:
    keyword = make_keyword(account, alice, asks_yes=True)
    says("GARDEN")

    assert texts() == [(BatchKind.AUTO, MessageState.PENDING, QUESTION)]
    assert (proofs(), Contact.objects.filter(deleted_at=None).count()) == ([], 0)

    yes = says("Yes!")

    wording = f"Texted “GARDEN” after reading: {SIGN}"
    assert proofs() == [("in", "keyword", wording, yes.pk, None)]
    assert texts()[1:] == [(BatchKind.AUTO, MessageState.PENDING, WELCOME)]
    assert groups_of(ANN) == ["Garden"]
    assert OptInPending.objects.count() == 0
    keyword.refresh_from_db()
    assert (keyword.asked, keyword.joined) == (1, 1)

    says("yes")
    assert len(texts()) == 2
    assert len(proofs()) == 1


def test_a_yes_after_three_days_is_a_word_like_any_other(
    account: Account, alice: User, says: Says
) -> None:
    make_keyword(account, alice, asks_yes=True)
    says("GARDEN")
    OptInPending.objects.update(expires_at=now() - timedelta(seconds=1))

    says("YES")

    assert proofs() == []
    assert optin_pending_expire() == 1
    assert OptInPending.objects.count() == 0


def test_a_stop_ends_what_is_pending(account: Account, alice: User, says: Says) -> None:
    make_keyword(account, alice, asks_yes=True)
    says("GARDEN")

    says("STOP")

    assert OptInPending.objects.count() == 0
    assert opted_out(account=account, phone=ANN)


def test_a_keyword_lifts_the_persons_own_stop_on_our_list(
    account: Account, garden: OptInKeyword, says: Says
) -> None:
    says("STOP")

    says("GARDEN")

    assert not opted_out(account=account, phone=ANN)
    assert [event[:2] for event in proofs()] == [("out", "keyword"), ("in", "keyword")]


def test_a_keyword_older_than_the_stop_changes_nothing(
    account: Account, garden: OptInKeyword, says: Says
) -> None:
    says("STOP")
    sent = len(texts())

    says("GARDEN", at=now() - timedelta(minutes=10))

    assert opted_out(account=account, phone=ANN)
    assert len(texts()) == sent
    assert not Contact.objects.filter(deleted_at=None).exists()


@pytest.mark.parametrize("word", ["stop", "Opt-out", "START", "yes", "help", "stopp", "basta", "!"])
def test_a_keyword_is_never_a_word_that_means_something_else(
    account: Account, alice: User, word: str
) -> None:
    account.stop_words = ["basta"]

    with pytest.raises(OptInInvalid) as refused:
        make_keyword(account, alice, word=word, asks_yes=False)

    assert set(refused.value.fields) == {"word"}
    assert OptInKeyword.objects.count() == 0
    assert word_refused("GARDEN", stop_words=["basta"], start_words=[]) == ""


def test_a_word_is_taken_once(account: Account, alice: User, garden: OptInKeyword) -> None:
    given: dict[str, Any] = {
        "frequency": "Weekly",
        "welcome": "",
        "wording": "",
        "asks_yes": False,
    }

    with pytest.raises(KeywordTaken):
        keyword_save(account=account, actor=alice, group_ids=[], word="GARDEN!", **given)

    assert OptInKeyword.objects.get().frequency == "Up to 4 msgs/month"


def test_joining_waits_for_nobody_in_the_inbox(account: Account, alice: User, says: Says) -> None:
    make_keyword(account, alice, asks_yes=True)

    says("GARDEN")
    says("YES")

    assert list(Conversation.objects.values_list("unread", "status")) == [(0, "closed")]
