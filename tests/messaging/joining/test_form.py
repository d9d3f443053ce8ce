"""Joining by public form: it asks the phone, tells nobody anything, texts no robot's numbers."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Account
from contacts.choices import ConsentSource
from contacts.disclosures import missing, wording_default
from contacts.errors import OptInInvalid
from contacts.models import Contact, OptInPending, OptOut
from contacts.selectors import opted_out
from contacts.services import consent_revoke, contact_upsert
from messaging.choices import BatchKind, MessageState
from messaging.models import Message
from tests.messaging.joining.conftest import (
    ANN,
    QUESTION,
    TYPED,
    WELCOME,
    MakeForm,
    Says,
    groups_of,
    proofs,
    submit,
    texts,
)

pytestmark = pytest.mark.django_db


def question_sent() -> None:
    """What forms have asked so far has gone out."""
    Message.objects.filter(batch__kind=BatchKind.OPTIN).update(state=MessageState.ACCEPTED)


def test_a_form_asks_the_phone_and_a_yes_is_the_proof(make_form: MakeForm, says: Says) -> None:
    form = make_form()

    answer = submit(form)

    assert answer["Location"] == f"/subscribe/{form.token}/?sent"
    assert texts() == [(BatchKind.OPTIN, MessageState.PENDING, QUESTION)]
    assert (proofs(), Contact.objects.filter(deleted_at=None).count()) == ([], 0)

    says("YES")  # to something else: the question has not gone out

    assert proofs() == []

    question_sent()
    yes = says("YES")

    assert proofs() == [("in", "form", form.wording, yes.pk, form.pk)]
    assert (Contact.objects.get(phone=ANN).first_name, groups_of(ANN)) == ("Ann", ["Web"])
    assert texts()[1:] == [(BatchKind.AUTO, MessageState.PENDING, WELCOME)]


def test_the_answer_tells_nothing_about_the_number_and_whoever_left_is_not_texted(
    account: Account, make_form: MakeForm
) -> None:
    form = make_form()
    consent_revoke(account=account, phone=ANN, source=ConsentSource.KEYWORD)
    contact_upsert(account=account, actor=None, phone="+12025550171", consent_wording="At the till")

    answers = [submit(form, phone=f"(202) 555-017{n}") for n in (0, 1, 2)]

    assert {(answer.status_code, answer["Location"]) for answer in answers} == {
        (302, f"/subscribe/{form.token}/?sent")
    }
    assert [(state, body) for _, state, body in texts()] == [
        (MessageState.SKIPPED, QUESTION),
        (MessageState.PENDING, QUESTION),
        (MessageState.PENDING, QUESTION),
    ]
    assert opted_out(account=account, phone=ANN)
    pending = OptInPending.objects.order_by("phone").values_list("phone", flat=True)
    assert list(pending) == ["+12025550171", "+12025550172"]
    page = Client().get(answers[0]["Location"]).content.decode()
    assert "Reply YES to that text" in page
    assert "text START to +1 202 555 0100" in page.replace("\xa0", " ")


def test_without_a_yes_the_form_opts_in_but_never_whoever_left(
    account: Account, make_form: MakeForm
) -> None:
    form = make_form(asks_yes=False)
    consent_revoke(account=account, phone=ANN, source=ConsentSource.MANUAL)

    left, new = submit(form), submit(form, phone="(202) 555-0171", first_name="")

    assert left["Location"] == new["Location"]
    assert OptOut.objects.get().phone == ANN
    assert proofs()[1:] == [("in", "form", form.wording, None, form.pk)]
    assert texts() == [(BatchKind.OPTIN, MessageState.PENDING, WELCOME)]
    assert groups_of("+12025550171") == ["Web"]


def test_a_form_names_nobody_who_has_a_name(
    account: Account, make_form: MakeForm, says: Says
) -> None:
    contact_upsert(account=account, actor=None, phone=ANN, first_name="Anna")
    submit(make_form(), first_name="Rude")
    question_sent()

    says("YES")

    assert len(proofs()) == 1
    assert Contact.objects.get(phone=ANN).first_name == "Anna"


def test_one_phone_is_asked_once_a_day(make_form: MakeForm) -> None:
    form = make_form()

    for _ in range(5):
        assert submit(form).status_code == 302

    assert len(texts()) == 1


@pytest.mark.parametrize(
    ("typed", "after_s", "status"),
    [
        ({"agrees": ""}, 5, 422),
        ({"phone": "12"}, 5, 422),
        ({}, 0, 422),
        ({}, 90_000, 422),
        ({"opened": "forged:x:y"}, 5, 422),
        ({"website": "http://spam.example"}, 5, 302),
    ],
    ids=["box unticked", "no number", "too fast", "a day old", "forged", "trap"],
)
def test_what_no_person_sends_texts_nobody(
    make_form: MakeForm, typed: dict[str, str], after_s: float, status: int
) -> None:
    answer = submit(make_form(), after_s=after_s, **typed)

    assert answer.status_code == status
    assert (texts(), proofs(), OptInPending.objects.count()) == ([], [], 0)


def test_an_address_may_send_only_so_many(make_form: MakeForm, settings: Any) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"subscribe": "2/h/ip"}
    form = make_form()

    answers = [submit(form, phone=f"(202) 555-017{n}") for n in range(3)]

    assert [answer.status_code for answer in answers] == [302, 302, 429]
    assert len(texts()) == 2
    assert "we take no more for now" in answers[-1].content.decode()


@pytest.mark.parametrize("shop", ["closed", "suspended", "broke"])
def test_a_form_that_cannot_text_takes_no_numbers(
    account: Account, make_form: MakeForm, shop: str
) -> None:
    form = make_form(is_open=shop != "closed")
    account.status = "suspended" if shop == "suspended" else account.status
    account.credit_balance = 0 if shop == "broke" else account.credit_balance
    account.save()

    answer = Client().post(f"/subscribe/{form.token}/", {"phone": TYPED, "agrees": "on"})

    assert answer.status_code == (404 if shop == "closed" else 503)
    assert (texts(), OptInPending.objects.count()) == ([], 0)


def test_a_wording_without_what_carriers_ask_for_is_refused(make_form: MakeForm) -> None:
    with pytest.raises(OptInInvalid) as refused:
        make_form(wording="I want texts. Reply STOP to opt out.")

    assert refused.value.fields["wording"] == (
        "It must also say who texts: “Alice's Flowers”; how to get help: “Reply HELP for help”;"
        " what it may cost: “Msg & data rates may apply”;"
        " “Consent is not a condition of purchase”."
    )
    assert missing(wording_default("X" * 60), "X" * 60) == []
    assert len(wording_default("X" * 120)) <= 500
