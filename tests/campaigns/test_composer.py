import re
from typing import Any

import pytest

from accounts.models import Account, User
from campaigns.choices import BlastState
from campaigns.composing import compose
from campaigns.models import Blast
from campaigns.services import text_save
from contacts.choices import ConsentSource
from contacts.models import Contact, Group, GroupMember
from contacts.services import consent_revoke
from tests.campaigns.conftest import Browse, people, words
from tests.campaigns.launched import finished, launched

# --- What is told while typing ---


def test_the_text_is_shown_as_the_first_of_the_audience_sees_it(
    account: Account, group: Group, settings: Any
) -> None:
    told = compose(
        account=account, body="Hi {{first_name}}, https://shop.example", group_ids=[group.pk]
    )

    assert told.text == f"Hi Ann, {settings.LINK_URL}/aB3dE5gH7j"
    assert told.seen_by is not None
    assert told.seen_by.first_name == "Ann"
    assert told.error == ""


def test_who_is_texted_who_not_and_what_it_costs(account: Account, group: Group) -> None:
    told = compose(account=account, body="Hi {{first_name}}" + "x" * 160, group_ids=[group.pk])

    assert told.estimate is not None
    assert (told.estimate.people, told.estimate.texted_now) == (6, 4)
    assert told.estimate.credits == 8
    assert {row.reason: row.count for row in told.not_texted} == {
        "opted_out": 1,
        "blank_field": 1,
    }


def test_characters_that_cost_more_are_marked_with_their_replacement(
    account: Account, group: Group
) -> None:
    told = compose(account=account, body="It’s “new” — it’s here", group_ids=[group.pk])

    assert told.count.encoding == "UCS-2"
    assert [(odd.char, odd.times, odd.replacement) for odd in told.odd] == [
        ("’", 2, "'"),
        ("“", 1, '"'),
        ("”", 1, '"'),
        ("—", 1, "-"),
    ]
    assert told.is_replaceable
    assert [piece.text for piece in told.pieces if piece.is_odd] == ["’", "“", "”", "—", "’"]
    assert "".join(piece.text for piece in told.pieces) == "It’s “new” — it’s here"


def test_another_alphabet_is_said_in_a_sentence(
    browse: Browse, account: Account, alice: User, group: Group, typed: dict[str, Any]
) -> None:
    body = "مرحبا {{first_name|صديقي}}، تخفيضات اليوم"

    told = compose(account=account, body=body, group_ids=[group.pk])
    page = browse(alice).post("/blasts/count", {**typed, "body": body}).content.decode()

    assert told.is_other_alphabet
    # Joined letters stand in one piece, or they would be torn apart where they are marked.
    assert next(piece.text for piece in told.pieces if piece.is_odd) == "مرحبا"
    assert "Its letters take 70 a segment; no other wording would change that." in page
    assert "odd-list" not in page
    polish = compose(account=account, body="Zażółć gęślą jaźń", group_ids=[])
    assert ([odd.char for odd in polish.odd], polish.is_other_alphabet) == (
        list("żółćęśąźń"),
        False,
    )


def test_each_odd_character_has_its_price_over_the_audience(account: Account, group: Group) -> None:
    body = "It’s 🎉: {{first_name|there}} " + "x" * 70

    told = compose(account=account, body=body, group_ids=[group.pk])
    plain = compose(account=account, body=body.replace(" 🎉", ""), group_ids=[group.pk])

    assert [(odd.char, odd.credits) for odd in told.odd] == [("’", 5), ("🎉", 5)]
    assert told.saved == 0
    assert (plain.saved, plain.smart, plain.is_smart) == (5, 5, False)


def test_smart_encoding_shows_what_it_replaces(account: Account, group: Group) -> None:
    body = "It’s {{first_name|there}}, “new” " + "x" * 60

    told = compose(account=account, body=body, group_ids=[group.pk], smart_encoding=True)

    assert told.text == 'It\'s Ann, "new" ' + "x" * 60
    assert (told.count.encoding, told.smart) == ("GSM-7", 5)
    assert [(piece.text, piece.sent) for piece in told.pieces if piece.is_odd] == [
        ("’", "'"),
        ("“", '"'),
        ("”", '"'),
    ]
    assert told.estimate is not None
    assert told.estimate.credits == 5


def test_the_switch_is_kept_with_the_draft_and_its_copy(
    browse: Browse, alice: User, typed: dict[str, Any]
) -> None:
    client = browse(alice)

    client.post("/blasts/new", {**typed, "smart_encoding": "on"})

    blast = Blast.objects.get()
    assert blast.smart_encoding
    assert re.search(
        r'name="smart_encoding" checked', client.get(f"/blasts/{blast.pk}/edit").content.decode()
    )
    client.post(f"/blasts/{blast.pk}/again")
    assert Blast.objects.latest("pk").smart_encoding
    client.post(f"/blasts/{blast.pk}/edit", typed)
    assert not Blast.objects.get(pk=blast.pk).smart_encoding


def test_real_people_to_look_at(account: Account, group: Group) -> None:
    dear = Contact.objects.get(first_name="Cleo")
    Contact.objects.filter(pk=dear.pk).update(first_name="Zoë")
    Contact.objects.filter(first_name="Dan").update(first_name="Maximiliane")
    body = "Hi {{first_name}}, " + "x" * 70

    told = compose(account=account, body=body, group_ids=[group.pk], seen_id=dear.pk)

    assert [(look.contact.first_name, look.words, look.segments) for look in told.looks] == [
        ("Ann", "Shortest", 1),
        ("Maximiliane", "Longest", 1),
        ("Zoë", "Dearest", 2),
        ("", "A blank field", None),
    ]
    assert told.text.startswith("Hi Zoë, ")
    assert [(one.label, one.left_out, one.fallback) for one in told.blanks] == [
        ("First name", 1, 0)
    ]


def test_nobody_of_another_account_is_looked_at(
    account: Account, other_account: Account, group: Group
) -> None:
    people(other_account, "Cheese people", ("Zoe", "Yan"))
    zoe = Contact.objects.get(first_name="Zoe")

    told = compose(account=account, body="Hi {{first_name}}", group_ids=[group.pk], seen_id=zoe.pk)

    assert told.text == "Hi Ann"


def test_blanks_are_told_with_a_way_to_these_people(
    browse: Browse, alice: User, group: Group, typed: dict[str, Any]
) -> None:
    client = browse(alice)

    page = client.post("/blasts/count", typed).content.decode()

    assert "No first name 1 read the fallback" in words(page)
    assert f'href="/contacts/?blank=first_name&amp;group={group.pk}"' in page
    found = words(client.get(f"/contacts/?blank=first_name&group={group.pk}").content.decode())
    assert "Only people without “First name”." in found
    assert "Cleo" not in found
    assert "Nobody matches" in client.get("/contacts/?blank=nonsense").content.decode()


def test_a_character_that_a_name_brings_is_told_as_theirs(
    browse: Browse, account: Account, alice: User, group: Group, typed: dict[str, Any]
) -> None:
    dear = Contact.objects.get(first_name="Cleo")
    Contact.objects.filter(pk=dear.pk).update(first_name="Łukasz")
    form = {**typed, "seen": dear.pk}

    told = compose(
        account=account, body="Hi {{first_name|there}}", group_ids=[group.pk], seen_id=dear.pk
    )
    page = words(browse(alice).post("/blasts/count", form).content.decode())
    of_another = words(browse(alice).post("/blasts/count", typed).content.decode())

    assert (told.count.encoding, told.odd, told.brought) == ("UCS-2", [], ["Ł"])
    assert "Ł comes from what the fields hold for Łukasz." in page
    assert "comes from what the fields hold" not in of_another
    emoji = compose(
        account=account, body="🎉 {{first_name|there}}", group_ids=[group.pk], seen_id=dear.pk
    )
    assert ([odd.char for odd in emoji.odd], emoji.brought) == (["🎉"], [])


def test_an_emoji_cannot_be_replaced(account: Account, group: Group) -> None:
    told = compose(account=account, body="It’s 🎉", group_ids=[group.pk])

    assert not told.is_replaceable
    assert told.replacements == {"’": "'"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("Hi {{frist_name}}", "Did you mean {{first_name}}?"),
        ("x" * 1601, "1,600 is the most"),
        ("Hi {{first_name", "not closed"),
        ("See http://localhost:8000/settings", "leads back to this platform"),
    ],
)
def test_what_cannot_be_sent_is_said_and_still_counted(
    account: Account, group: Group, body: str, sentence: str
) -> None:
    told = compose(account=account, body=body, group_ids=[group.pk])

    assert sentence in told.error
    assert told.estimate is None
    assert told.count.segments == -(-len(body) // 153) if len(body) > 160 else 1


def test_the_groups_of_others_count_nobody(account: Account, other_account: Account) -> None:
    theirs = people(other_account, "Cheese people", ("Zoe", "Yan"))

    told = compose(account=account, body="Hi {{first_name|there}}", group_ids=[theirs.pk])

    assert told.seen_by is None
    assert told.estimate is None or told.estimate.people == 0


def test_the_count_as_a_page_fragment(browse: Browse, alice: User, typed: dict[str, Any]) -> None:
    page = browse(alice).post("/blasts/count", typed).content.decode()

    assert "Send to 5 people, 5 credits" in words(page)
    assert 'id="count-line"' in page
    assert 'hx-swap-oob="true"' in page
    assert Blast.objects.count() == 0


def test_advice_is_told_and_stops_nothing(
    browse: Browse, alice: User, account: Account, typed: dict[str, Any]
) -> None:
    Account.objects.filter(pk=account.pk).update(brand="Alice’s Flowers")
    client = browse(alice)
    loud = {**typed, "body": "Alice's Flowers: tulips!!! See bit.ly/x"}

    page = client.post("/blasts/count", loud).content.decode()
    sent = client.post("/blasts/new", {**loud, "act": "send"})

    assert re.findall(r'data-advice="(\w+)"', page) == [
        "no_opt_out",
        "public_shortener",
        "loud_marks",
    ]
    assert "Put the full address, with https://." in words(page)
    assert sent.status_code == 302
    assert Blast.objects.get().state == BlastState.SCHEDULED


def test_a_sound_text_shows_no_advice(
    browse: Browse, alice: User, account: Account, typed: dict[str, Any]
) -> None:
    Account.objects.filter(pk=account.pk).update(brand="Alice’s Flowers")
    sound = {**typed, "body": "Alice's Flowers: tulips are in. Reply STOP to end"}

    page = browse(alice).post("/blasts/count", sound).content.decode()

    assert "Before you send" not in page
    assert "Send to 5 people" in words(page)


def test_after_the_first_blast_its_readers_know_how_to_stop(
    account: Account, other_account: Account, draft: Blast
) -> None:
    Blast.objects.filter(pk=draft.pk).update(state=BlastState.LAUNCHED)

    told = compose(account=account, body="Alice’s Flowers: tulips", group_ids=[])
    theirs = compose(account=other_account, body="Charlie's Cheese: brie", group_ids=[])

    assert [advice.code for advice in told.advice] == []
    assert [advice.code for advice in theirs.advice] == ["no_opt_out"]


def test_whoever_joined_since_does_not_know_how_to_stop(
    account: Account, alice: User, draft: Blast, group: Group
) -> None:
    finished(launched(account, alice, draft))
    plain: dict[str, Any] = {
        "account": account,
        "body": "Alice’s Flowers: tulips",
        "group_ids": [group.pk],
    }
    assert [advice.code for advice in compose(**plain).advice] == []

    contact = Contact.objects.create(account=account, phone="+12025551999")
    GroupMember.objects.create(account=account, group=group, contact=contact)

    assert [advice.code for advice in compose(**plain).advice] == ["no_opt_out"]
    consent_revoke(account=account, phone=contact.phone, source=ConsentSource.KEYWORD)
    assert [advice.code for advice in compose(**plain).advice] == []


def test_a_template_begins_a_blast(browse: Browse, alice: User, account: Account) -> None:
    text = text_save(account=account, actor=alice, name="Sale", body="Tulips, {{first_name}}")

    page = browse(alice).get(f"/blasts/new?text={text.pk}").content.decode()

    assert ">Tulips, {{first_name}}</textarea>" in page
    assert browse(alice).get("/blasts/new?text=999999").status_code == 404
