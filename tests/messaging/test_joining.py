"""Joining by keyword and by public form: what is texted, what is on record, and what never is."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from accounts.models import Account, User
from common.clock import now
from contacts.choices import Consent, ConsentSource
from contacts.disclosures import missing, wording_default
from contacts.errors import KeywordTaken, OptInInvalid
from contacts.models import ConsentEvent, Contact, OptInForm, OptInKeyword, OptInPending, OptOut
from contacts.selectors import opted_out
from contacts.services import (
    consent_revoke,
    contact_upsert,
    group_create,
    optin_form_save,
    optin_pending_expire,
)
from inbox.models import Conversation
from messaging.choices import BatchKind, MessageState
from messaging.gateways.events import InboundText
from messaging.joining import word_refused
from messaging.models import CarrierAccount, Message, SenderNumber
from messaging.receipts.inbound import inbound_file
from messaging.services.joining import keyword_save

pytestmark = pytest.mark.django_db

ANN = "+12025550170"
TYPED = "(202) 555-0170"
SIGN = "Text GARDEN to us for our garden news."
TERMS = "Up to 4 msgs/month. Msg & data rates may apply. Reply HELP for help, STOP to opt out."
QUESTION = f"Alice's Flowers: Reply YES to get our texts. {TERMS}"
WELCOME = f"Alice's Flowers: You are on the list. {TERMS}"

Says = Callable[..., Message]
MakeForm = Callable[..., OptInForm]


@pytest.fixture
def sender(account: Account) -> SenderNumber:
    """Alice's number; nothing is sent in these tests, only queued."""
    carrier = CarrierAccount.objects.create(
        account=account,
        name="Ours",
        external_id="AC1",
        secret_encrypted=b"",
        api_base_url="http://x",
    )
    return SenderNumber.objects.create(
        account=account, carrier_account=carrier, phone="+12025550100", is_default=True
    )


@pytest.fixture
def says(sender: SenderNumber) -> Says:
    """`says("JOIN", phone=ANN)`: a text from a phone to Alice's number."""
    numbers = count(1)

    def arrive(body: str, *, phone: str = ANN, **more: Any) -> Message:
        text = InboundText(
            carrier_id=f"SM{next(numbers):032x}",
            account_ref=sender.carrier_account.external_id,
            phone=phone,
            our_number=sender.phone,
            body=body,
        )
        message = inbound_file(
            carrier_account=sender.carrier_account, text=text, at=more.get("at") or now()
        )
        assert message is not None
        return message

    return arrive


@pytest.fixture
def garden(account: Account, alice: User) -> OptInKeyword:
    """GARDEN puts people into a group of that name."""
    return make_keyword(account, alice, asks_yes=False)


def make_keyword(account: Account, alice: User, **values: Any) -> OptInKeyword:
    group = group_create(account=account, actor=alice, name="Garden")
    given: dict[str, Any] = {
        "frequency": "Up to 4 msgs/month",
        "welcome": "",
        "wording": SIGN,
        "word": "Garden",
    }
    return keyword_save(account=account, actor=alice, group_ids=[group.pk], **{**given, **values})


@pytest.fixture
def make_form(account: Account, alice: User, sender: SenderNumber) -> MakeForm:
    """`make_form(asks_yes=...)`: Alice's open form; it puts people into the group Web."""
    cache.clear()

    def make(**values: Any) -> OptInForm:
        group = group_create(account=account, actor=alice, name="Web")
        given: dict[str, Any] = {
            "is_open": True,
            "title": "Get texts from Alice's Flowers",
            "wording": wording_default("Alice's Flowers"),
            "frequency": "Up to 4 msgs/month.",
            "privacy_url": "https://shop.example/privacy",
            "terms_url": "",
            "welcome": "",
            "asks_yes": True,
        }
        return optin_form_save(
            account=account, actor=alice, group_ids=[group.pk], **{**given, **values}
        )

    return make


def texts() -> list[tuple[str, str, str]]:
    """(kind, state, body) of what was queued to phones, in order."""
    rows = Message.objects.filter(direction="out").select_related("batch").order_by("pk")
    return [(row.batch.kind, row.state, row.batch.body) for row in rows if row.batch]


def proofs() -> list[tuple[Any, ...]]:
    """(in or out, source, wording, message, form) of every consent event, in order."""
    fields = ("kind", "source", "wording", "message_id", "form_id")
    return list(ConsentEvent.objects.order_by("pk").values_list(*fields))


def groups_of(phone: str) -> list[str]:
    """Names of the groups that the live contact of a phone is in."""
    contact = Contact.objects.get(phone=phone, deleted_at=None)
    return sorted(contact.group_members.values_list("group__name", flat=True))


def submit(form: OptInForm, *, after_s: float = 5, **typed: Any) -> Any:
    """Open the form at noon the day before, wait, and send it off as a visitor does."""
    visitor = Client()
    address = f"/subscribe/{form.token}/"
    moment = now().replace(hour=12) - timedelta(days=1, seconds=after_s)
    with time_machine.travel(moment, tick=False):
        opened = visitor.get(address).context["form"]["opened"].value()
    given = {"phone": TYPED, "first_name": "Ann", "agrees": "on", "website": "", "opened": opened}
    with time_machine.travel(moment + timedelta(seconds=after_s), tick=False):
        return visitor.post(address, {**given, **typed})


# --- Keywords ---


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


# --- The public form ---


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


# --- Setting them up ---


def test_an_admin_makes_the_form_and_a_word_and_sees_link_code_and_texts(
    account: Account, alice: User, sender: SenderNumber, settings: Any
) -> None:
    browser = Client()
    browser.force_login(alice)
    blank = browser.get("/settings/joining/form/").context["form"]
    given = {name: blank[name].value() or "" for name in blank.fields if name != "groups"}

    saved = browser.post("/settings/joining/form/", given)

    assert saved.status_code == 302
    form = OptInForm.objects.get()
    url = f"{settings.PUBLIC_URL}/subscribe/{form.token}/"
    assert url in browser.get("/settings/joining/").content.decode()
    assert (
        QUESTION.replace("'", "&#x27;").replace("&", "&amp;").replace("&amp;#x27;", "&#x27;")
        in browser.get("/settings/joining/form/").content.decode()
    )
    code = browser.get("/settings/joining/qr.svg?download")
    assert code["Content-Type"] == "image/svg+xml"
    assert b"<svg" in code.content

    word = {"word": "roses", "frequency": "Weekly", "welcome": "Hi!", "wording": ""}
    assert browser.post("/settings/joining/words/new/", word).status_code == 302
    shown = browser.get("/settings/joining/").content.decode()
    assert "Text ROSES to +1 202 555 0100" in shown.replace("\xa0", " ")
    keyword = OptInKeyword.objects.get()
    stop = browser.post(f"/settings/joining/words/{keyword.pk}/", {**word, "word": "quit"})
    assert stop.status_code == 422
    assert "is read as a wish to stop" in stop.content.decode()
    browser.post(f"/settings/joining/words/{keyword.pk}/delete/")
    assert OptInKeyword.objects.count() == 0
