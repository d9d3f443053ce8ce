from datetime import UTC, datetime

import pytest

from accounts.models import Account, User
from contacts.choices import Consent, ConsentSource
from contacts.errors import OptedOut, ProofMissing
from contacts.models import ConsentEvent, Contact, OptOut
from contacts.selectors import consent_history, contacts_list, opted_out
from contacts.services import consent_grant, consent_revoke, contact_upsert

ANN = "+13055550101"
MORNING = datetime(2026, 5, 5, 9, tzinfo=UTC)
NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)


def test_a_stop_is_kept_with_its_proof_and_shown_on_the_contact(shop: Account) -> None:
    contact = contact_upsert(account=shop, actor=None, phone=ANN)

    changed = consent_revoke(
        account=shop, phone=ANN, source=ConsentSource.KEYWORD, wording="STOP", message_id=7, at=NOON
    )

    contact.refresh_from_db()
    event = ConsentEvent.objects.get()
    assert changed
    assert (contact.consent, contact.consent_at) == (Consent.OPTED_OUT, NOON)
    assert (event.kind, event.source, event.wording, event.message_id, event.at) == (
        "out", "keyword", "STOP", 7, NOON,
    )  # fmt: skip
    assert opted_out(account=shop, phone=ANN)


def test_a_second_stop_changes_nothing(shop: Account) -> None:
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD, at=MORNING)

    changed = consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD, at=NOON)

    assert not changed
    assert ConsentEvent.objects.count() == 1
    assert OptOut.objects.get().at == MORNING


def test_a_stranger_can_opt_out_and_is_out_when_added_later(shop: Account) -> None:
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)

    assert contacts_list(account=shop).count() == 0
    added = contact_upsert(
        account=shop, actor=None, phone=ANN, consent_wording="On the list of our shop"
    )
    assert added.consent == Consent.OPTED_OUT
    assert ConsentEvent.objects.filter(kind="in").count() == 0


def test_an_opt_out_concerns_one_account(shop: Account, other_shop: Account) -> None:
    contact_upsert(account=other_shop, actor=None, phone=ANN)

    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD)

    assert not opted_out(account=other_shop, phone=ANN)
    assert contacts_list(account=other_shop).get().consent == Consent.UNKNOWN


def test_a_start_lifts_the_persons_own_stop(shop: Account) -> None:
    contact = contact_upsert(account=shop, actor=None, phone=ANN)
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD, at=MORNING)

    changed = consent_grant(
        account=shop, phone=ANN, source=ConsentSource.KEYWORD, wording="START", at=NOON
    )

    contact.refresh_from_db()
    assert changed
    assert (contact.consent, contact.consent_at) == (Consent.OPTED_IN, NOON)
    assert not opted_out(account=shop, phone=ANN)
    assert [e.kind for e in consent_history(account=shop, phone=ANN)] == ["in", "out"]


@pytest.mark.parametrize("how", [ConsentSource.MANUAL, ConsentSource.API, ConsentSource.IMPORT])
@pytest.mark.parametrize(
    "left", [ConsentSource.KEYWORD, ConsentSource.FREE_TEXT, ConsentSource.CARRIER]
)
def test_nobody_else_lifts_a_persons_own_opt_out(
    shop: Account, left: ConsentSource, how: ConsentSource
) -> None:
    consent_revoke(account=shop, phone=ANN, source=left)

    with pytest.raises(OptedOut):
        consent_grant(account=shop, phone=ANN, source=how, wording="She told me so")

    assert opted_out(account=shop, phone=ANN)
    assert ConsentEvent.objects.count() == 1
    assert Contact.objects.get().consent == Consent.OPTED_OUT


def test_a_typed_in_opt_out_can_be_corrected_but_not_by_an_import(
    shop: Account, alice: User
) -> None:
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.MANUAL, actor=alice)

    with pytest.raises(OptedOut):
        consent_grant(account=shop, phone=ANN, source=ConsentSource.IMPORT, wording="List")
    changed = consent_grant(
        account=shop, phone=ANN, source=ConsentSource.MANUAL, wording="Wrong row", actor=alice
    )

    assert changed
    assert not opted_out(account=shop, phone=ANN)


def test_a_typed_in_opt_out_becomes_the_persons_own_when_they_text_stop(shop: Account) -> None:
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.MANUAL, at=MORNING)

    changed = consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD, at=NOON)

    assert not changed
    assert OptOut.objects.get().source == ConsentSource.KEYWORD
    assert ConsentEvent.objects.count() == 2


def test_an_opt_in_by_hand_needs_its_proof(shop: Account) -> None:
    with pytest.raises(ProofMissing):
        consent_grant(account=shop, phone=ANN, source=ConsentSource.MANUAL, wording="  ")

    assert ConsentEvent.objects.count() == 0


def test_granting_twice_is_one_event(shop: Account) -> None:
    consent_grant(account=shop, phone=ANN, source=ConsentSource.FORM, wording="Ticked the box")

    changed = consent_grant(account=shop, phone=ANN, source=ConsentSource.KEYWORD, wording="JOIN")

    assert not changed
    assert ConsentEvent.objects.count() == 1


@pytest.mark.parametrize(
    "left", [ConsentSource.KEYWORD, ConsentSource.FREE_TEXT, ConsentSource.MANUAL]
)
def test_a_form_lifts_no_opt_out_since_anybody_can_type_anybodys_number(
    shop: Account, left: ConsentSource
) -> None:
    consent_revoke(account=shop, phone=ANN, source=left)

    with pytest.raises(OptedOut):
        consent_grant(account=shop, phone=ANN, source=ConsentSource.FORM, wording="Ticked the box")

    assert opted_out(account=shop, phone=ANN)
    assert ConsentEvent.objects.count() == 1


@pytest.mark.parametrize(("message_id", "is_out"), [(None, True), (9, False)])
def test_a_late_stop_stands_against_a_form_unless_a_text_confirmed_it(
    shop: Account, message_id: int | None, is_out: bool
) -> None:
    consent_grant(
        account=shop, phone=ANN, source=ConsentSource.FORM, message_id=message_id, at=NOON
    )

    changed = consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD, at=MORNING)

    assert (changed, opted_out(account=shop, phone=ANN)) == (is_out, is_out)


def test_a_persons_own_opt_in_is_kept_on_top_of_the_shops_word_once(shop: Account) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN, consent_wording="Signed at the till")

    changed = [
        consent_grant(account=shop, phone=ANN, source=ConsentSource.KEYWORD, wording="JOIN")
        for _ in range(2)
    ]

    assert changed == [False, False]
    history = consent_history(account=shop, phone=ANN)
    assert [(e.kind, e.source) for e in history] == [("in", "keyword"), ("in", "manual")]


@pytest.mark.parametrize(
    ("left", "remedy"),
    [
        (ConsentSource.KEYWORD, "Only the person can undo that, by texting START"),
        (ConsentSource.FREE_TEXT, "say under Contacts, Opt-outs to review"),
    ],
)
def test_a_refused_opt_in_says_what_would_undo_the_opt_out(
    shop: Account, left: ConsentSource, remedy: str
) -> None:
    consent_revoke(account=shop, phone=ANN, source=left)

    with pytest.raises(OptedOut) as refused:
        consent_grant(account=shop, phone=ANN, source=ConsentSource.API, wording="Told us")

    assert remedy in refused.value.message


def test_a_stop_that_arrives_late_does_not_undo_a_newer_start(shop: Account) -> None:
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.MANUAL, at=MORNING)
    consent_grant(account=shop, phone=ANN, source=ConsentSource.KEYWORD, at=NOON)

    changed = consent_revoke(
        account=shop, phone=ANN, source=ConsentSource.KEYWORD, at=MORNING, message_id=3
    )

    assert not changed
    assert not opted_out(account=shop, phone=ANN)
    assert Contact.objects.get().consent == Consent.OPTED_IN
    assert ConsentEvent.objects.count() == 3


def test_a_start_older_than_the_stop_does_not_lift_it(shop: Account) -> None:
    consent_revoke(account=shop, phone=ANN, source=ConsentSource.KEYWORD, at=NOON)

    changed = consent_grant(account=shop, phone=ANN, source=ConsentSource.KEYWORD, at=MORNING)

    assert not changed
    assert opted_out(account=shop, phone=ANN)


def test_an_upsert_with_wording_opts_in_once_those_not_on_record(shop: Account) -> None:
    contact_upsert(account=shop, actor=None, phone=ANN, consent_wording="Signed at the till")
    again = contact_upsert(account=shop, actor=None, phone=ANN, consent_wording="Signed again")

    event = ConsentEvent.objects.get()
    assert again.consent == Consent.OPTED_IN
    assert (event.kind, event.source, event.wording) == ("in", "manual", "Signed at the till")
