"""What lifts a STOP: the number's own START, or a person who finds the words misread."""

from typing import Any

import pytest

from accounts.models import Account, User
from common.clock import now
from contacts.choices import Consent, ConsentKind, ConsentSource
from contacts.errors import OptedOut, ReviewClosed
from contacts.models import ConsentEvent, Contact, OptOut
from contacts.selectors import opt_outs_to_review
from contacts.services import (
    consent_grant,
    consent_revoke,
    contact_upsert,
    contacts_unite,
    contacts_upsert_many,
    optout_take_back,
)
from messaging.models import SenderNumber
from tests.messaging.conftest import Launch, send_all, states
from tests.messaging.leaving.conftest import ANN, BEN, HOME, WORK, opt_out_list, out, says

pytestmark = pytest.mark.django_db


def test_only_a_text_from_the_number_lifts_what_the_person_said(
    account: Account, alice: User, sender: SenderNumber, ann: Contact
):
    says(sender, WORK, "STOP")

    for source in ConsentSource:
        if source != ConsentSource.KEYWORD:
            with pytest.raises(OptedOut):
                consent_grant(
                    account=account, phone=ANN, source=source, wording="Signed at the till"
                )
    says(sender, WORK, "START")
    assert out(account) == {ANN: "person", HOME: "person"}
    says(sender, ANN, "START")

    assert out(account) == {HOME: "person"}
    ann.refresh_from_db()
    assert ann.consent == Consent.OPTED_IN


def test_a_number_that_comes_back_as_a_contact_of_its_own_stays_out(
    account: Account, sender: SenderNumber, ann: Contact, launch: Launch
):
    says(sender, ANN, "STOP")

    contact_upsert(account=account, actor=None, phone=WORK, consent_wording="Signed")
    contacts_upsert_many(account=account, actor=None, rows=[{"phone": HOME}], consent_wording="Ok")

    with pytest.raises(OptedOut):
        consent_grant(account=account, phone=WORK, source=ConsentSource.MANUAL, wording="Signed")
    batch = launch()
    send_all()
    assert states(batch) == {("skipped", "opted_out"): 3, ("accepted", ""): 1}


def test_a_stop_that_was_overtaken_by_their_own_start_reaches_no_other_number(
    account: Account, ann: Contact
):
    moment = now()
    consent_grant(account=account, phone=ANN, source=ConsentSource.KEYWORD, wording="START")

    consent_revoke(
        account=account,
        phone=ANN,
        source=ConsentSource.KEYWORD,
        wording="STOP",
        at=moment.replace(year=moment.year - 1),
    )

    assert out(account) == {}


def test_a_list_that_comes_again_leaves_who_came_back_since(
    account: Account, sender: SenderNumber, ann: Contact, media: None
):
    opt_out_list(account, WORK)
    says(sender, ANN, "START")

    again = opt_out_list(account, WORK)
    assert (again.rows_new, out(account)) == (0, dict.fromkeys((WORK, HOME), "import"))
    more = opt_out_list(account, WORK, BEN)

    assert (more.rows_new, out(account)) == (1, dict.fromkeys((WORK, HOME, BEN), "import"))
    ann.refresh_from_db()
    assert ann.consent == Consent.OPTED_IN


def test_becoming_one_person_leaves_who_came_back_since(
    account: Account, alice: User, sender: SenderNumber, ann: Contact
):
    says(sender, WORK, "STOP")
    says(sender, ANN, "START")
    ben = Contact.objects.get(phone=BEN)

    contacts_unite(account=account, actor=alice, contact_id=ann.pk, other_id=ben.pk)

    assert out(account) == {WORK: "keyword", HOME: "person", BEN: "person"}
    ann.refresh_from_db()
    assert ann.consent == Consent.OPTED_IN


def test_becoming_one_person_with_somebody_who_left_later_takes_them_out(
    account: Account, alice: User, sender: SenderNumber, ann: Contact
):
    says(sender, WORK, "STOP")
    says(sender, ANN, "START")
    says(sender, BEN, "STOP")
    ben = Contact.objects.get(phone=BEN)

    contacts_unite(account=account, actor=alice, contact_id=ann.pk, other_id=ben.pk)

    assert out(account) == {ANN: "person", WORK: "keyword", HOME: "person", BEN: "keyword"}


@pytest.mark.parametrize("had_left", [False, True])
def test_what_was_misread_is_taken_back_on_all_their_numbers(
    account: Account, alice: User, sender: SenderNumber, ann: Contact, had_left: bool
):
    consent_grant(account=account, phone=ANN, source=ConsentSource.KEYWORD, wording="START")
    if had_left:
        consent_revoke(account=account, phone=HOME, source=ConsentSource.MANUAL, wording="Called")
    says(sender, WORK, "please stop texting me")
    assert out(account) == {ANN: "person", WORK: "free_text", HOME: "person"}
    misread = OptOut.objects.get(phone=WORK)

    optout_take_back(account=account, actor=alice, opt_out_id=misread.pk, reason="A joke")

    assert out(account) == (dict.fromkeys((ANN, WORK, HOME), "manual") if had_left else {})
    consents = Contact.objects.exclude(phone=BEN).order_by("phone")
    assert list(consents.values_list("consent", flat=True)) == (
        ["opted_out"] * 3 if had_left else ["opted_in", "unknown", "unknown"]
    )
    voids = ConsentEvent.objects.filter(kind=ConsentKind.VOID).order_by("phone")
    assert list(voids.values_list("phone", "wording")) == [
        (phone, "A joke") for phone in (ANN, WORK, HOME)
    ]


def test_whoever_asked_twice_in_their_own_words_stays_out_when_one_was_misread(
    account: Account, alice: User, sender: SenderNumber, ann: Contact
):
    says(sender, WORK, "please stop texting me")
    says(sender, WORK, "take me off your list")
    waiting: Any = opt_outs_to_review(account=account).get()
    assert waiting.wording == "take me off your list"

    optout_take_back(account=account, actor=alice, opt_out_id=waiting.pk, reason="A joke")

    assert out(account) == {ANN: "person", WORK: "free_text", HOME: "person"}
    waiting = opt_outs_to_review(account=account).get()
    assert waiting.wording == "please stop texting me"
    optout_take_back(account=account, actor=alice, opt_out_id=waiting.pk, reason="That too")
    assert out(account) == {}


def test_a_stop_from_another_number_stands_when_own_words_were_misread(
    account: Account, alice: User, sender: SenderNumber, ann: Contact
):
    says(sender, WORK, "please stop texting me")
    misread = OptOut.objects.get(phone=WORK)

    says(sender, HOME, "STOP")

    assert out(account) == {ANN: "person", WORK: "free_text", HOME: "keyword"}
    optout_take_back(account=account, actor=alice, opt_out_id=misread.pk, reason="A joke")
    assert out(account) == {ANN: "person", WORK: "person", HOME: "keyword"}
    with pytest.raises(ReviewClosed):
        optout_take_back(account=account, actor=alice, opt_out_id=misread.pk, reason="A joke")


@pytest.mark.parametrize("first", [WORK, HOME])
def test_own_words_from_two_of_their_numbers_are_both_reviewed(
    account: Account, alice: User, sender: SenderNumber, ann: Contact, first: str
):
    says(sender, WORK, "please stop texting me")
    says(sender, HOME, "take me off your list")
    assert out(account) == {ANN: "person", WORK: "free_text", HOME: "free_text"}
    waiting = {one.phone: one.pk for one in opt_outs_to_review(account=account)}
    assert set(waiting) == {WORK, HOME}
    second = ({WORK, HOME} - {first}).pop()

    optout_take_back(account=account, actor=alice, opt_out_id=waiting[first], reason="A joke")

    assert out(account) == {ANN: "person", first: "person", second: "free_text"}
    optout_take_back(account=account, actor=alice, opt_out_id=waiting[second], reason="That too")
    assert out(account) == {}
    consents = Contact.objects.exclude(phone=BEN).values_list("consent", flat=True)
    assert list(consents) == ["unknown"] * 3


def test_own_words_after_a_stop_from_another_number_are_reviewed_and_the_stop_stands(
    account: Account, alice: User, sender: SenderNumber, ann: Contact
):
    says(sender, HOME, "STOP")
    says(sender, WORK, "please stop texting me")
    assert out(account) == {ANN: "person", WORK: "free_text", HOME: "keyword"}

    misread = OptOut.objects.get(phone=WORK)
    optout_take_back(account=account, actor=alice, opt_out_id=misread.pk, reason="A joke")

    assert out(account) == {ANN: "person", WORK: "person", HOME: "keyword"}


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("listed", [ANN, WORK])
def test_a_list_names_somebody_whose_words_turn_out_to_be_misread(
    account: Account,
    alice: User,
    sender: SenderNumber,
    launch: Launch,
    media: None,
    listed: str,
    twice: bool,
):
    ann, work = (contact_upsert(account=account, actor=None, phone=one) for one in (ANN, WORK))
    contacts_unite(account=account, actor=alice, contact_id=ann.pk, other_id=work.pk)
    says(sender, WORK, "please stop texting me")
    assert out(account) == {ANN: "person", WORK: "free_text"}
    for _ in range(1 + twice):
        imported = opt_out_list(account, listed)
        assert (imported.rows_new, imported.rows_unchanged) == (0, 1)
    told = ConsentEvent.objects.filter(source=ConsentSource.IMPORT).order_by("phone")
    assert list(told.values_list("phone", flat=True)) == [ANN, WORK]

    misread = OptOut.objects.get(phone=WORK)
    optout_take_back(account=account, actor=alice, opt_out_id=misread.pk, reason="A joke")

    assert out(account) == {ANN: "import", WORK: "import"}
    batch = launch()
    send_all()
    assert states(batch) == {("skipped", "opted_out"): 1}
