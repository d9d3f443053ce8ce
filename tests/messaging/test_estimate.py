import re
from random import Random
from typing import Any

import pytest

from accounts.models import Account
from carriersim.client import Client
from contacts.models import Contact, CustomField, Group, GroupMember, OptOut
from messaging.content import Content
from messaging.gateways.transport import Transport
from messaging.models import Batch, Message
from messaging.rendering import TemplateError, compile_body
from messaging.segments import is_gsm, segments
from messaging.services import audience_count, estimate
from messaging.services.estimating import Blank
from tests.messaging.conftest import Launch, People, send_all, states

pytestmark = pytest.mark.django_db

NAMES = ("first_name", "last_name")


@pytest.fixture
def patient(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that is busy elsewhere no answer is late, so that nobody is left unknown."""
    settings.CARRIER_REQUEST_TIMEOUT_S, settings.SEND_LEASE_S = 60.0, 240.0
    transport = Transport(concurrency=settings.SEND_CONCURRENCY, timeout_s=60.0)
    monkeypatch.setattr("messaging.sending.drain._transport", lambda: transport)


def everybody(account: Account):
    return Contact.objects.filter(account=account)


def test_it_announces_what_the_launch_then_does(launch: Launch, people: People, account: Account):
    people(5)
    people(2, line_type="landline")
    people(1, first_name="")
    ann = people(1)[0]
    OptOut.objects.create(account=account, phone=ann.phone, source="keyword")
    body = "Hi {{first_name}}, https://shop.example/ " + "x" * 130

    found = estimate(account=account, body=body, audience=everybody(account))

    assert (found.people, found.texted_now) == (9, 5)
    assert found.not_texted == {"landline": 2, "blank_field": 1, "opted_out": 1}
    assert (found.segments, found.credits, found.max_segments) == (10, 10, 2)
    assert (found.encoding, found.exact) == ("GSM-7", True)
    assert not Batch.objects.exists()
    batch = launch(body=body)
    assert states(batch) == {
        ("pending", ""): 5,
        **{("skipped", reason): n for reason, n in found.not_texted.items()},
    }
    assert batch.credits_reserved == found.credits


@pytest.mark.parametrize("smart", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        "It’s {{first_name|…}}, “{{last_name}}” " + "x" * 60,
        "{{#if first_name}}Hi {{first_name}} 🌷{{else}}Hello {{last_name|}}{{/if}}, " + "x" * 62,
        "Tulips 🌷 today",
        "Hi {{first_name|there}}, " + "x" * 140,
        "{{first_name}} {{last_name|}}: 20% off [today] only, https://shop.example/sale",
        "Grüezi {{last_name|Nachbar}}{{first_name|}} 🌷 " + "ж" * 50,
        "{{last_name|}}\u0301 e{{first_name|}}\u0301, " + "a" * 62 + "👩\u200d👩\u200d👧",
        "{{first_name|}}{{last_name|}}",
        "{{first_name}}" + "x" * 1586,
    ],
)
def test_every_text_is_counted_with_its_own_values(account: Account, body: str, smart: bool):
    chance = Random(7)
    alphabet = [*"Anné ØΔ-'x^€[~` \t’\u3000", *"ëжŁ的ひ한שםن", "👩\u200d🚀", "🇨🇭", "e\u0301", "ก็"]
    Contact.objects.bulk_create(
        Contact(
            account=account,
            phone=f"+1415{2_000_000 + i}",
            first_name="".join(chance.choices(alphabet, k=chance.randint(0, 9))),
            last_name="".join(chance.choices(alphabet, k=chance.randint(0, 9))),
        )
        for i in range(400)
    )
    template = compile_body(body)
    content = Content(template, is_smart=smart)
    sizes = [
        (contact.pk, len(text), segments(text))
        for contact in everybody(account)
        if not template.blank_fields(values := {f: getattr(contact, f) for f in NAMES})
        and len(text := content.sample(values)) <= 1600
        and text.strip()
    ]

    found = estimate(account=account, body=body, audience=everybody(account), smart_encoding=smart)

    assert found.people == 400
    assert found.texted_now == len(sizes)
    assert found.segments == found.credits == sum(size for _, _, size in sizes)
    assert found.max_segments == max(size for _, _, size in sizes)
    told = {pk: (length, size) for pk, length, size in sizes}
    assert found.examples.shortest is not None
    assert found.examples.longest is not None
    assert found.examples.dearest is not None
    assert told[found.examples.shortest][0] == min(length for length, _ in told.values())
    assert told[found.examples.longest][0] == max(length for length, _ in told.values())
    assert told[found.examples.dearest][1] == found.max_segments


@pytest.mark.parametrize("smart", [False, True])
def test_what_was_announced_to_many_mixed_people_is_what_is_settled(
    launch: Launch, sim: Client, account: Account, patient: None, smart: bool
):
    names = ["Ann", "D’Arcy", "Zoë", "Maximiliane", "小明", "Ölaf 🌷", "{Bo}", "Łukasz", "", " "]
    vip = ["true", "false"]
    cities = ["Bern", "São Paulo", "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch", ""]
    phones = [f"+1415{3_000_000 + i}" for i in range(10_000 if smart else 2_000)]
    Contact.objects.bulk_create(
        Contact(
            account=account,
            phone=phone,
            first_name=names[i % 10],
            last_name="x" * (i % 40),
            custom={
                "city": cities[i % 4],
                "due": f"2026-0{i % 9 + 1}-{i % 27 + 1:02}",
                "vip": vip[i % 2],
            }
            if i % 3
            else {},
            line_type="landline" if i % 500 == 0 else "mobile",
        )
        for i, phone in enumerate(phones)
    )
    CustomField.objects.create(account=account, key="city", label="City")
    CustomField.objects.create(account=account, key="due", label="Due", kind="date")
    CustomField.objects.create(account=account, key="vip", label="VIP", kind="yes_no")
    body = (
        "Hi {{first_name|there}} {{last_name|}}, it’s spring: our shop in {{custom.city}} has "
        "({{custom.vip|}}) by {{custom.due|}} "
        "{fresh} tulips for all who come by today: see https://shop.example/sale, reply STOP to end"
    )

    found = estimate(account=account, body=body, audience=everybody(account), smart_encoding=smart)
    batch = launch(body=body, smart_encoding=smart)
    while Message.objects.filter(batch=batch, state="pending").exists():
        send_all(timeout_s=60)

    batch.refresh_from_db()
    texted = Message.objects.filter(batch=batch, state="accepted")
    assert (found.people, found.texted_now) == (len(phones), texted.count())
    assert found.credits == batch.credits_settled == sum(texted.values_list("credits", flat=True))
    assert states(batch) == {
        ("accepted", ""): found.texted_now,
        **{("skipped", reason): people for reason, people in found.not_texted.items()},
    }
    assert set(found.not_texted) == {"landline", "blank_field"}
    assert len(set(texted.values_list("segments", flat=True))) >= 2
    sent = {row["to"]: row["body"] for row in sim.messages()}
    for message in texted[:500]:
        assert sent[message.phone] == message.body
        assert re.search(r"\((Yes|No)\) by [0-9]{1,2} [A-Z][a-z]{2} 2026 ", message.body)
        is_plain = "’" not in message.body
        assert is_plain is (smart and is_gsm(message.body))


def test_smart_encoding_changes_only_texts_that_it_makes_cheaper(
    launch: Launch, people: People, sim: Client, account: Account
):
    people(1, first_name="Ann")
    people(1, first_name="Zoë")
    people(1, first_name="D’Arcy")
    body = "It’s {{first_name}}: " + "x" * 70

    found = estimate(account=account, body=body, audience=everybody(account), smart_encoding=True)
    launch(body=body, smart_encoding=True)
    send_all()

    assert found.credits == 4
    assert sorted(row["body"][:12] for row in sim.messages()) == [
        "It's Ann: xx",
        "It's D'Arcy:",
        "It’s Zoë: xx",
    ]


def test_blank_fields_are_told_with_what_becomes_of_their_people(people: People, account: Account):
    people(5, last_name="Lee")
    people(3, first_name="")
    [blank] = people(1, last_name="  ")
    body = "Hi {{first_name|there}} {{last_name}} {{first_name|}}"

    found = estimate(account=account, body=body, audience=everybody(account))

    assert found.blanks == [Blank("first_name", 3, 0), Blank("last_name", 4, 0)]
    assert found.examples.blank is not None
    assert found.examples.blank < blank.pk
    told = estimate(account=account, body="Hi {{first_name|there}}", audience=everybody(account))
    assert told.blanks == [Blank("first_name", 0, 3)]


def test_another_wording_is_held_against_the_same_people(people: People, account: Account):
    people(7)
    people(3, first_name="Zoë")
    body = "It’s here, {{first_name}}: " + "x" * 60

    counted = audience_count(account=account, body=body, audience=everybody(account))

    assert counted.estimate.credits == 20
    assert counted.credits(body.replace("’", "'")) == 13
    assert counted.smart_saves() == 7


def test_somebody_whom_the_audience_joins_twice_is_counted_once(people: People, account: Account):
    both = people(2)
    for name in ("A", "B"):
        group = Group.objects.create(account=account, name=name)
        GroupMember.objects.bulk_create(
            GroupMember(account=account, group=group, contact=contact) for contact in both
        )
    joined = everybody(account).filter(group_members__group__name__in=["A", "B"])

    found = estimate(account=account, body="Hi {{first_name}}", audience=joined)

    assert joined.count() == 4
    assert (found.people, found.credits) == (2, 2)


def test_nobody_is_counted_as_nobody(account: Account):
    found = estimate(account=account, body="Hi", audience=Contact.objects.none())

    assert (found.people, found.segments, found.credits, found.max_segments) == (0, 0, 0, 1)


def test_a_body_that_cannot_be_sent_says_so(account: Account):
    with pytest.raises(TemplateError, match="no field called"):
        estimate(account=account, body="{{nickname}}", audience=everybody(account))

    assert not Message.objects.exists()


def test_a_large_audience_is_not_counted_anew_for_every_letter(
    people: People, account: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("messaging.recent.LARGE", 3)
    people(3)

    def told(body: str, *, may_be_recent: bool = True) -> int:
        return audience_count(
            account=account,
            body=body,
            audience=everybody(account),
            may_be_recent=may_be_recent,
        ).estimate.credits

    assert told("Hi {{first_name}}") == 3
    people(2)

    assert told("Hello {{first_name}}, " + "x" * 150) == 6
    assert told("Hello {{first_name}}", may_be_recent=False) == 5
    assert told("Hello {{last_name|}}") == 5


def test_without_redis_every_letter_is_counted(
    people: People, account: Account, settings: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("messaging.recent.LARGE", 3)
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    people(3)

    found = audience_count(
        account=account, body="Hi", audience=everybody(account), may_be_recent=True
    )

    assert found.estimate.credits == 3
