"""Sender numbers and carrier accounts: assigned, entered, chosen, given up; secrets stay secret."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import Account, AuditEvent, User
from common.crypto import decrypt
from common.errors import Conflict, Invalid, NotFound
from messaging import senders
from messaging.choices import BatchKind, BatchState
from messaging.models import Batch, CarrierAccount, SenderNumber

pytestmark = pytest.mark.django_db

SID = "AC" + "a" * 32
TOKEN = "b" * 32
REAL = "https://api.twilio.com"


@pytest.fixture
def browse() -> Callable[[User], Client]:
    """`browse(user)`: a browser in which the user has logged in."""

    def _browse(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return _browse


def _own_carrier(account: Account, user: User) -> CarrierAccount:
    return senders.carrieraccount_create(
        account=account, actor=user, name="Ours", external_id=SID, secret=TOKEN
    )


def _enter(account: Account, user: User, carrier: CarrierAccount, phone: str) -> SenderNumber:
    return senders.sender_create(account=account, actor=user, carrier_account=carrier, phone=phone)


@pytest.mark.parametrize(
    ("address", "simulated"),
    [
        ("https://api.twilio.com", False),
        ("https://api.dublin.ie1.twilio.com", False),
        ("http://127.0.0.1:8002", True),
        ("http://carriersim:8900", True),
        ("https://twilio.com.evil.example", True),
        ("https://nottwilio.com", True),
    ],
)
def test_which_address_is_a_stand_in(address: str, simulated: bool) -> None:
    assert senders.address_is_simulated(address) is simulated


# --- The platform's carrier ---


def test_the_platforms_carrier_follows_its_settings(settings: Any) -> None:
    first = senders.carrieraccount_platform()
    assert first is not None
    before = settings.TWILIO_AUTH_TOKEN
    assert (first.account, first.external_id) == (None, settings.TWILIO_ACCOUNT_SID)
    assert (first.is_simulated, first.list_delay_s) == (True, 2.0)
    assert decrypt(first.secret_encrypted) == before

    settings.TWILIO_AUTH_TOKEN = TOKEN
    settings.TWILIO_API_BASE_URL = REAL
    again = senders.carrieraccount_platform()

    assert again is not None
    assert (again.pk, again.is_simulated) == (first.pk, False)
    assert again.list_delay_s == settings.CARRIER_LIST_DELAY_S
    assert decrypt(again.secret_encrypted) == TOKEN
    assert again.previous_secret_encrypted is not None
    assert decrypt(again.previous_secret_encrypted) == before
    assert CarrierAccount.objects.count() == 1


def test_without_credentials_there_is_none(settings: Any, account: Account) -> None:
    settings.TWILIO_ACCOUNT_SID = ""

    assert senders.carrieraccount_platform() is None
    assert senders.sender_assign(account=account) is None
    assert not CarrierAccount.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_first_sign_ups_at_once_make_one_carrier() -> None:
    def make(_: int) -> int | None:
        try:
            carrier = senders.carrieraccount_platform()
            return carrier.pk if carrier else None
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=8) as pool:
        made = set(pool.map(make, range(8)))

    assert len(made) == 1
    assert CarrierAccount.objects.count() == 1


def test_bootstrap_can_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("bootstrap_platform")
    call_command("bootstrap_platform")

    platform = Account.objects.get(is_platform=True)
    assert CarrierAccount.objects.count() == 1
    assert SenderNumber.objects.get().account == platform
    assert platform.credit_balance == 10_000
    assert "(simulated)" in capsys.readouterr().out


# --- Practice numbers ---


def test_practice_numbers_differ_and_have_a_limit(account: Account, alice: User) -> None:
    made = [senders.sender_assign(account=account, actor=alice) for _ in range(5)]

    phones = {sender.phone for sender in made if sender}
    assert len(phones) == 5
    assert [sender.is_default for sender in made if sender] == [True] + [False] * 4
    with pytest.raises(Conflict):
        senders.sender_assign(account=account, actor=alice)
    assert SenderNumber.objects.filter(account=account).count() == 5


def test_a_real_carrier_gives_no_numbers_away(settings: Any, account: Account) -> None:
    settings.TWILIO_API_BASE_URL = REAL

    assert senders.sender_assign(account=account) is None
    assert not SenderNumber.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_carriersim_is_told_after_commit(
    account: Account, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(
        senders, "number_register", lambda sender, url: told.append((sender.phone, url))
    )

    sender = senders.sender_assign(account=account)

    assert sender is not None
    path = f"/webhooks/twilio/{sender.carrier_account_id}/inbound#rc=5&rp=5xx,ct,rt"
    assert told == [(sender.phone, settings.EDGE_URL + path)]


# --- An account's own ---


def test_a_token_is_kept_encrypted_and_never_shown(
    account: Account, alice: User, browse: Callable[[User], Client]
) -> None:
    browser = browse(alice)

    browser.post("/settings/carriers/add/", {"name": "Ours", "external_id": SID, "secret": TOKEN})
    carrier = CarrierAccount.objects.get(account=account)
    pages = [
        browser.get(url).content.decode()
        for url in ("/settings/numbers/", f"/settings/carriers/{carrier.pk}/")
    ]

    assert decrypt(carrier.secret_encrypted) == TOKEN
    assert TOKEN.encode() not in bytes(carrier.secret_encrypted)
    assert all(TOKEN not in page for page in pages)
    assert TOKEN not in str(list(AuditEvent.objects.values()))
    assert f"/webhooks/twilio/{carrier.pk}/inbound#rc=5&amp;rp=5xx,ct,rt" in pages[0]


def test_an_account_does_not_choose_which_server_we_call(
    account: Account, alice: User, settings: Any, browse: Callable[[User], Client]
) -> None:
    browse(alice).post(
        "/settings/carriers/add/",
        {"name": "Ours", "external_id": SID, "secret": TOKEN, "api_base_url": "http://10.0.0.1"},
    )

    assert CarrierAccount.objects.get().api_base_url == settings.TWILIO_API_BASE_URL


def test_a_new_token_keeps_the_old_one_for_signatures(account: Account, alice: User) -> None:
    carrier = _own_carrier(account, alice)

    senders.carrieraccount_update(
        account=account, actor=alice, carrier_account_id=carrier.pk, name="Renamed", secret=""
    )
    carrier.refresh_from_db()
    assert (carrier.name, carrier.previous_secret_encrypted) == ("Renamed", None)

    senders.carrieraccount_update(
        account=account, actor=alice, carrier_account_id=carrier.pk, name="Ours", secret="c" * 32
    )
    carrier.refresh_from_db()
    assert decrypt(carrier.secret_encrypted) == "c" * 32
    assert carrier.previous_secret_encrypted is not None
    assert decrypt(carrier.previous_secret_encrypted) == TOKEN


@pytest.mark.parametrize(
    "wrong", [{"external_id": "AC123"}, {"secret": "short"}, {"external_id": SID.upper()}]
)
def test_impossible_credentials_are_refused(
    account: Account, alice: User, browse: Callable[[User], Client], wrong: dict[str, str]
) -> None:
    answer = browse(alice).post(
        "/settings/carriers/add/",
        {"name": "Ours", "external_id": SID, "secret": TOKEN, **wrong},
    )

    assert b"field-error" in answer.content
    assert not CarrierAccount.objects.exists()


def test_a_number_is_entered_once_for_a_carrier_account(account: Account, alice: User) -> None:
    carrier = _own_carrier(account, alice)
    _enter(account, alice, carrier, "+12025550111")

    with pytest.raises(Conflict):
        _enter(account, alice, carrier, "+12025550111")

    assert SenderNumber.objects.count() == 1


def test_a_number_goes_only_to_ones_own_carrier_account(
    account: Account,
    alice: User,
    other_account: Account,
    charlie: User,
    browse: Callable[[User], Client],
) -> None:
    theirs = _own_carrier(account, alice)
    platform = senders.carrieraccount_platform()
    assert platform is not None
    _own_carrier(other_account, charlie)

    for carrier in (theirs, platform):
        answer = browse(charlie).post(
            "/settings/numbers/add/",
            {"phone": "202 555 0111", "carrier_account": carrier.pk, "rate_per_s": "1"},
        )
        assert answer.status_code == 200

    assert not SenderNumber.objects.exists()


def test_the_page_enters_a_number_as_people_write_it(
    account: Account, alice: User, browse: Callable[[User], Client]
) -> None:
    carrier = _own_carrier(account, alice)

    browse(alice).post(
        "/settings/numbers/add/",
        {"phone": "(202) 555-0111", "carrier_account": carrier.pk, "rate_per_s": "3"},
    )

    sender = SenderNumber.objects.get()
    assert (sender.phone, sender.rate_per_s, sender.is_default) == ("+12025550111", 3.0, True)


@pytest.mark.parametrize(
    ("typed", "phone", "kind", "rate"),
    [
        ("(202) 555-0111", "+12025550111", "local", 1.0),
        ("844 256 0199", "+18442560199", "toll_free", 3.0),
        ("55512", "55512", "short_code", 100.0),
    ],
)
def test_a_number_is_of_the_kind_its_digits_say_at_that_kinds_usual_rate(
    account: Account,
    alice: User,
    browse: Callable[[User], Client],
    typed: str,
    phone: str,
    kind: str,
    rate: float,
) -> None:
    carrier = _own_carrier(account, alice)

    browse(alice).post(
        "/settings/numbers/add/", {"phone": typed, "carrier_account": carrier.pk, "kind": ""}
    )

    sender = SenderNumber.objects.get()
    assert (sender.phone, sender.kind, sender.rate_per_s) == (phone, kind, rate)


def test_a_number_cannot_be_of_a_kind_that_its_digits_deny(
    account: Account, alice: User, browse: Callable[[User], Client]
) -> None:
    sender = _enter(account, alice, _own_carrier(account, alice), "+12025550111")
    change = {"label": "Shop", "rate_per_s": "3", "daily_cap": ""}

    for kind in ("toll_free", "short_code"):
        page = browse(alice).post(f"/settings/numbers/{sender.pk}/", {**change, "kind": kind})
        assert page.status_code == 200
        assert (
            b"This number is not toll-free" in page.content or b"A short code has" in page.content
        )
    kept = browse(alice).post(f"/settings/numbers/{sender.pk}/", {**change, "kind": "local"})

    assert kept.status_code == 302
    sender.refresh_from_db()
    assert (sender.kind, sender.label, sender.rate_per_s) == ("local", "Shop", 3.0)


@pytest.mark.parametrize("rate", [0, -1, 1001])
def test_a_rate_is_possible(account: Account, alice: User, rate: float) -> None:
    sender = _enter(account, alice, _own_carrier(account, alice), "+12025550111")

    with pytest.raises(Invalid):
        senders.sender_update(
            account=account,
            actor=alice,
            sender_id=sender.pk,
            label="Shop",
            rate_per_s=rate,
            daily_cap=None,
        )

    sender.refresh_from_db()
    assert (sender.label, sender.rate_per_s) == ("", 1.0)


def test_one_number_is_the_default(account: Account, alice: User) -> None:
    carrier = _own_carrier(account, alice)
    first = _enter(account, alice, carrier, "+12025550111")
    second = _enter(account, alice, carrier, "+12025550112")

    senders.sender_default_set(account=account, actor=alice, sender_id=second.pk)

    assert [s.phone for s in senders.senders_list(account)] == [second.phone, first.phone]
    assert SenderNumber.objects.filter(is_default=True).count() == 1


def test_giving_up_the_default_makes_another_one_it(account: Account, alice: User) -> None:
    carrier = _own_carrier(account, alice)
    first = _enter(account, alice, carrier, "+12025550111")
    second = _enter(account, alice, carrier, "+12025550112")

    senders.sender_release(account=account, actor=alice, sender_id=first.pk)

    assert [(s.phone, s.is_default) for s in senders.senders_list(account)] == [
        (second.phone, True)
    ]
    assert SenderNumber.objects.get(pk=first.pk).released_at is not None
    assert _enter(account, alice, carrier, first.phone).pk != first.pk  # free again


def test_the_only_number_and_a_busy_one_stay(account: Account, alice: User) -> None:
    carrier = _own_carrier(account, alice)
    first = _enter(account, alice, carrier, "+12025550111")
    with pytest.raises(Conflict):
        senders.sender_release(account=account, actor=alice, sender_id=first.pk)

    _enter(account, alice, carrier, "+12025550112")
    batch = Batch.objects.create(
        account=account, kind=BatchKind.BLAST, body="Hi", sender=first, request_key="k"
    )
    with pytest.raises(Conflict):
        senders.sender_release(account=account, actor=alice, sender_id=first.pk)
    assert SenderNumber.objects.get(pk=first.pk).released_at is None

    Batch.objects.filter(pk=batch.pk).update(state=BatchState.DONE)
    senders.sender_release(account=account, actor=alice, sender_id=first.pk)


def test_a_strangers_numbers_are_not_there(
    account: Account, alice: User, other_account: Account, charlie: User
) -> None:
    carrier = _own_carrier(account, alice)
    sender = _enter(account, alice, carrier, "+12025550111")
    _enter(account, alice, carrier, "+12025550112")
    stranger: dict[str, Any] = {"account": other_account, "actor": charlie}

    with pytest.raises(NotFound):
        senders.sender_default_set(**stranger, sender_id=sender.pk)
    with pytest.raises(NotFound):
        senders.sender_release(**stranger, sender_id=sender.pk)
    with pytest.raises(NotFound):
        senders.sender_update(
            **stranger, sender_id=sender.pk, label="x", rate_per_s=1, daily_cap=None
        )
    with pytest.raises(NotFound):
        senders.carrieraccount_update(**stranger, carrier_account_id=carrier.pk, name="x")

    sender.refresh_from_db()
    carrier.refresh_from_db()
    assert (sender.label, sender.released_at, carrier.name) == ("", None, "Ours")
