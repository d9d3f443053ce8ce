"""A STOP is the person's: by whichever door it comes, no number of theirs is texted any more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import Account, User
from accounts.services import apikey_create
from carriersim.client import Client as Carrier
from common.clock import now
from contacts.choices import Consent, ConsentKind, ConsentSource, ImportPurpose
from contacts.errors import OptedOut, ReviewClosed
from contacts.models import ConsentEvent, Contact, ContactImport, OptOut
from contacts.selectors import opt_outs_to_review
from contacts.services import (
    consent_grant,
    consent_revoke,
    contact_delete,
    contact_restore,
    contact_update,
    contact_upsert,
    contacts_unite,
    contacts_upsert_many,
    import_create,
    import_run,
    import_start,
    optout_take_back,
)
from messaging.choices import BatchKind
from messaging.gateways.events import InboundText
from messaging.models import DriftRow, SenderNumber
from messaging.receipts.inbound import inbound_file
from messaging.services import message_send
from messaging.services.drift import drift_check, drift_take
from tests.messaging.conftest import Launch, send_all, states

pytestmark = pytest.mark.django_db

ANN, WORK, HOME, BEN = (f"+1415555000{n}" for n in range(1, 5))
REFUSED = "+14155550157"  # carriersim refuses it as opted out


@pytest.fixture
def media(tmp_path: Path, settings: Any) -> None:
    """Where uploads lie."""
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def ann(account: Account, alice: User) -> Contact:
    """Ann, who has three numbers; texts go to the first."""
    kept = contact_upsert(account=account, actor=None, phone=ANN, first_name="Ann")
    for phone in (WORK, HOME):
        other = contact_upsert(account=account, actor=None, phone=phone)
        contacts_unite(account=account, actor=alice, contact_id=kept.pk, other_id=other.pk)
    contact_upsert(account=account, actor=None, phone=BEN, first_name="Ben")
    return kept


def out(account: Account) -> dict[str, str]:
    found = OptOut.objects.filter(account=account).order_by("phone")
    return dict(found.values_list("phone", "source"))


def says(sender: SenderNumber, phone: str, body: str) -> None:
    number = Contact.objects.count() + ConsentEvent.objects.count()
    inbound_file(
        carrier_account=sender.carrier_account,
        text=InboundText(
            carrier_id=f"SM{number}{phone}",
            account_ref=sender.carrier_account.external_id,
            phone=phone,
            our_number=sender.phone,
            body=body,
        ),
        at=now(),
    )


# --- Doors ---


def test_by_a_text_from_any_of_their_numbers(account: Account, sender: SenderNumber, ann: Contact):
    says(sender, HOME, "STOP")

    assert out(account) == {ANN: "person", WORK: "person", HOME: "keyword"}
    ann.refresh_from_db()
    assert ann.consent == Consent.OPTED_OUT


def test_by_the_page(account: Account, alice: User, ann: Contact, client: Client):
    client.force_login(alice)

    client.post(reverse("contact_opt_out", args=[ann.pk]), {"wording": "Called us"})

    assert out(account) == dict.fromkeys((ANN, WORK, HOME), "manual")


def test_by_the_api(account: Account, alice: User, ann: Contact):
    _, key = apikey_create(account=account, actor=alice, name="shop", scopes=["read", "write"])
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")

    answer = api.post(f"/api/v1/contacts/{ann.pk}/consent/", {"kind": "out", "wording": "Mail"})

    assert answer.status_code == 200
    assert out(account) == dict.fromkeys((ANN, WORK, HOME), "api")


def opt_out_list(account: Account, *phones: str) -> ContactImport:
    """A list of who must not be texted, imported."""
    found = import_create(
        account=account,
        actor=None,
        upload=SimpleUploadedFile("list.csv", "\n".join(("phone", *phones)).encode()),
        purpose=ImportPurpose.OPT_OUTS,
    )
    import_start(
        account=account,
        actor=None,
        import_id=found.pk,
        mapping=found.mapping,
        consent_wording="Our old provider",
    )
    import_run(found.pk)
    found.refresh_from_db()
    return found


@pytest.mark.parametrize("listed", [ANN, HOME])
def test_by_an_opt_out_list_whichever_number_is_on_it(
    account: Account, ann: Contact, media: None, listed: str
):
    found = opt_out_list(account, listed)

    assert (found.rows_read, found.rows_new) == (1, 1)
    assert out(account) == dict.fromkeys((ANN, WORK, HOME), "import")
    wordings = ConsentEvent.objects.filter(kind=ConsentKind.OUT).values_list("phone", "wording")
    why = f"Left under another number on {now():%d %b %Y} (imported list); they are one person"
    assert dict(wordings) == {
        phone: "Our old provider" if phone == listed else why for phone in (ANN, WORK, HOME)
    }
    assert Contact.objects.get(phone=ANN).consent == Consent.OPTED_OUT


def test_by_the_carriers_refusal(account: Account, ann: Contact, sim: Carrier, launch: Launch):
    new = contact_upsert(account=account, actor=None, phone=REFUSED)
    contacts_unite(account=account, actor=None, contact_id=new.pk, other_id=ann.pk)

    batch = launch()
    send_all()

    assert states(batch) == {("refused", "opted_out"): 1, ("accepted", ""): 1}
    assert out(account) == {REFUSED: "carrier"} | dict.fromkeys((ANN, WORK, HOME), "person")


def test_by_the_comparison_with_the_carrier(account: Account, alice: User, ann: Contact):
    consent_revoke(account=account, phone=ANN, source=ConsentSource.KEYWORD, wording="STOP")
    for phone in (ANN, WORK, HOME):
        consent_grant(
            account=account, phone=phone, source=ConsentSource.KEYWORD, wording="Texted “GARDEN”"
        )
    client = Client()
    client.force_login(alice)
    client.post("/settings/opt-outs/check/")
    drift_check(account.pk)
    assert out(account) == {}

    drift_take(account=account, actor=alice, row_id=DriftRow.objects.get(phone=ANN).pk)

    assert out(account) == {ANN: "carrier", WORK: "person", HOME: "person"}


def test_by_what_becomes_one_person_later(account: Account, alice: User, sender: SenderNumber):
    ben = contact_upsert(account=account, actor=None, phone=BEN)
    work = contact_upsert(account=account, actor=None, phone=WORK)
    consent_revoke(account=account, phone=BEN, source=ConsentSource.MANUAL, wording="Called us")
    says(sender, WORK, "STOP")

    contacts_unite(account=account, actor=alice, contact_id=ben.pk, other_id=work.pk)

    assert out(account) == {BEN: "person", WORK: "keyword"}


# --- What lifts it ---


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


# --- Ways around it ---


Around = Callable[[Account, Contact], Any]


def _restored(account: Account, contact: Contact) -> None:
    contact_delete(account=account, actor=None, contact_id=contact.pk)
    contact_restore(account=account, actor=None, contact_id=contact.pk)


@pytest.mark.parametrize(
    "around",
    [
        pytest.param(_restored, id="restored"),
        pytest.param(
            lambda account, contact: contact_upsert(
                account=account, actor=None, phone="(415) 555-0004", consent_wording="Till"
            ),
            id="added anew in another format",
        ),
        pytest.param(
            lambda account, contact: contact_update(
                account=account, actor=None, contact_id=contact.pk, phone="1-415-555-0009"
            ),
            id="given another number",
        ),
        pytest.param(
            lambda account, contact: contacts_unite(
                account=account,
                actor=None,
                contact_id=contact_upsert(account=account, actor=None, phone="+14155550008").pk,
                other_id=contact.pk,
            ),
            id="merged into somebody",
        ),
    ],
)
def test_whoever_left_is_texted_by_no_way_around(
    account: Account, sender: SenderNumber, launch: Launch, sim: Carrier, around: Around
):
    ben = contact_upsert(account=account, actor=None, phone=BEN)
    says(sender, BEN, "STOP")
    send_all()
    before = sim.summary()["accepted"]

    around(account, ben)
    (contact,) = Contact.objects.filter(deleted_at=None)
    batch = launch()
    single = message_send(
        account=account,
        actor=None,
        phone=contact.phone,
        body="Hi",
        kind=BatchKind.API,
        request_key="single",
        contact=contact,
    )
    send_all()

    assert states(batch) == {("skipped", "opted_out"): 1}
    assert single.reason == "opted_out"
    assert sim.summary()["accepted"] == before


def test_a_contact_that_gets_a_number_which_left_is_out(
    account: Account, alice: User, sender: SenderNumber, launch: Launch
):
    says(sender, WORK, "STOP")
    ben = contact_upsert(account=account, actor=None, phone=BEN, consent_wording="Signed")

    moved = contact_update(account=account, actor=alice, contact_id=ben.pk, phone=WORK)

    assert moved.consent == Consent.OPTED_OUT
    assert out(account) == {WORK: "keyword", BEN: "person"}
