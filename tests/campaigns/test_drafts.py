from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Account, User
from campaigns import services
from campaigns.choices import BlastState
from campaigns.errors import BlastNotEditable, NameInvalid
from campaigns.models import Blast, Campaign
from common.errors import Invalid, NotFound
from contacts.models import Group
from messaging.models import Batch, SenderNumber
from tests.campaigns.conftest import people


def test_a_draft_may_be_empty(account: Account, alice: User, campaign: Campaign) -> None:
    blast = services.blast_create(account=account, actor=alice, campaign=campaign)

    assert (blast.name, blast.body, blast.state) == ("Untitled blast", "", BlastState.DRAFT)
    assert blast.groups.count() == 0


def test_a_blast_kept_while_it_was_empty_is_named_once_it_has_a_text(
    account: Account, alice: User, campaign: Campaign
) -> None:
    blast = services.blast_create(account=account, actor=alice, campaign=campaign)

    services.blast_update(
        account=account, actor=alice, blast=blast, name=blast.name, body="Sale today!"
    )

    assert Blast.objects.get().name == "Sale today!"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("Sale today!", "Sale today!"),
        ("Hi {{first_name|there}}, we open at https://shop.example/x", "Hi there, we open at"),
        ("Hi {{first_name}}", "Hi"),
        ("Hi {{first_name}}, new books: https://shop.example/x", "Hi, new books"),
        ("{{first_name}}, Friday's bunch", "Friday's bunch"),
        ("One word after the other until it is too long", "One word after the other until it is"),
        ("https://shop.example", "Untitled blast"),
    ],
)
def test_without_a_name_a_blast_is_called_after_its_first_words(
    account: Account, alice: User, campaign: Campaign, body: str, name: str
) -> None:
    blast = services.blast_create(account=account, actor=alice, campaign=campaign, body=body)

    assert blast.name == name


def test_a_text_pasted_too_long_is_kept_and_a_book_is_not(
    account: Account, alice: User, campaign: Campaign
) -> None:
    kept = services.blast_create(account=account, actor=alice, campaign=campaign, body="x" * 1601)
    assert len(kept.body) == 1601

    with pytest.raises(Invalid):
        services.blast_create(account=account, actor=alice, campaign=campaign, body="x" * 10_001)
    with pytest.raises(NameInvalid):
        services.blast_create(account=account, actor=alice, campaign=campaign, name="x" * 121)
    assert Blast.objects.count() == 1


def test_a_draft_keeps_utm_parameters_of_its_own_and_so_does_its_copy(
    account: Account, alice: User, campaign: Campaign, browse: Callable[[User], Client], api: Any
) -> None:
    wanted = {"utm_source": " vip ", "utm_campaign": "May", "other": "x"}
    blast = services.blast_create(account=account, actor=alice, campaign=campaign, utm=wanted)
    copy = services.blast_duplicate(account=account, actor=alice, blast=blast)
    assert blast.utm == copy.utm == {"utm_source": "vip", "utm_campaign": "May"}
    with pytest.raises(Invalid, match="at most 80 characters"):
        services.blast_update(
            account=account, actor=alice, blast=blast, utm={"utm_medium": "x" * 81}
        )

    client, page = browse(alice), f"/blasts/{blast.pk}/edit"
    assert 'name="utm_source" maxlength="80" value="vip"' in client.get(page).content.decode()
    client.post(page, {"campaign": campaign.pk, "name": "B", "body": "B", "utm_medium": "mms"})
    blast.refresh_from_db()
    assert blast.utm == {"utm_medium": "mms"}

    url, kind = f"/api/v1/blasts/{blast.pk}/", "application/json"
    told = api.patch(url, {"utm": {"utm_source": "list"}}, content_type=kind).json()
    assert told["utm"] == {"utm_source": "list"}
    refused = api.patch(url, {"utm": {"utm_term": "x"}}, content_type=kind)
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["utm"])
    assert api.patch(url, {"name": "C"}, content_type=kind).json()["utm"] == {"utm_source": "list"}


def test_line_breaks_of_browsers_become_one_character(
    account: Account, alice: User, campaign: Campaign
) -> None:
    blast = services.blast_create(account=account, actor=alice, campaign=campaign, body="a\r\nb")

    assert blast.body == "a\nb"


def test_what_is_not_given_stays(account: Account, alice: User, draft: Blast) -> None:
    services.blast_update(account=account, actor=alice, blast=draft, body="New text")

    draft.refresh_from_db()
    assert (draft.name, draft.body, draft.groups.count()) == ("Last call", "New text", 1)


def test_groups_of_another_account_are_not_found(
    account: Account, alice: User, other_account: Account, campaign: Campaign, draft: Blast
) -> None:
    theirs = people(other_account, "Cheese people", ("Zoe",))

    with pytest.raises(NotFound):
        services.blast_create(
            account=account, actor=alice, campaign=campaign, group_ids=[theirs.pk]
        )
    with pytest.raises(NotFound):
        services.blast_update(account=account, actor=alice, blast=draft, group_ids=[theirs.pk])

    assert Blast.objects.count() == 1
    assert theirs not in draft.groups.all()


def test_a_number_that_was_given_up_cannot_be_chosen(
    account: Account, alice: User, campaign: Campaign, sender: SenderNumber
) -> None:
    sender.released_at = sender.created_at
    sender.save()

    with pytest.raises(Invalid) as refusal:
        services.blast_create(account=account, actor=alice, campaign=campaign, sender=sender)

    assert "sender" in refusal.value.fields
    assert Blast.objects.count() == 0


def test_another_accounts_blast_does_not_exist(
    other_account: Account, charlie: User, draft: Blast
) -> None:
    with pytest.raises(NotFound):
        services.blast_update(account=other_account, actor=charlie, blast=draft, body="Mine")
    with pytest.raises(NotFound):
        services.blast_duplicate(account=other_account, actor=charlie, blast=draft)
    with pytest.raises(NotFound):
        services.blast_discard(account=other_account, actor=charlie, blast=draft)

    draft.refresh_from_db()
    assert (draft.body[:2], draft.state, Blast.objects.count()) == ("Hi", BlastState.DRAFT, 1)


def test_use_again_copies_text_people_and_number_into_a_draft(
    account: Account, alice: User, draft: Blast, group: Group
) -> None:
    Blast.objects.filter(pk=draft.pk).update(state=BlastState.LAUNCHED)

    copy = services.blast_duplicate(account=account, actor=alice, blast=draft)

    assert copy.pk != draft.pk
    assert (copy.state, copy.name, copy.body) == (
        BlastState.DRAFT,
        "Last call (again)",
        draft.body,
    )
    assert (list(copy.groups.all()), copy.sender) == ([group], draft.sender)
    assert (copy.batch, copy.scheduled_at) == (None, None)


def test_a_discarded_draft_is_gone_for_good(account: Account, alice: User, draft: Blast) -> None:
    services.blast_discard(account=account, actor=alice, blast=draft)
    services.blast_discard(account=account, actor=alice, blast=draft)

    draft.refresh_from_db()
    assert draft.state == BlastState.CANCELED
    with pytest.raises(BlastNotEditable):
        services.blast_update(account=account, actor=alice, blast=draft, body="Back")
    assert Batch.objects.count() == 0
