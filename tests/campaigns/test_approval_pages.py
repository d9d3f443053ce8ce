"""A second person's approval on pages, by mail and by the API."""

from typing import Any

import pytest
from django.core import mail
from django.urls import reverse

from accounts.models import Account, Membership, User
from campaigns import services
from campaigns.choices import ApprovalState
from campaigns.models import Approval, Blast
from tests.campaigns.approving import decide
from tests.campaigns.conftest import Browse, api_client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("needs_two")]


def test_mails_ask_who_may_approve_and_tell_who_asked(
    alice: User, bob: User, draft: Blast, asked: Approval
) -> None:
    decide(asked, bob)

    ask, told = mail.outbox
    assert (ask.to, ask.subject) == ([bob.email], "To approve: Last call")
    assert "up to 6 people, up to 5 credits" in ask.body
    assert "For Friday, please" in ask.body
    assert reverse("blast_approval", args=[draft.pk]) in ask.body
    assert (told.to, told.subject) == ([alice.email], "Approved: Last call")


def test_the_pages_ask_and_decide(
    account: Account, alice: User, bob: User, draft: Blast, browse: Browse
) -> None:
    form = {
        "campaign": draft.campaign_id,
        "name": draft.name,
        "body": draft.body,
        "groups": [group.pk for group in draft.groups.all()],
        "sender": draft.sender_id,
        "when": "now",
    }
    page = reverse("blast_approval", args=[draft.pk])
    answer = browse(alice).post(reverse("blast_edit", args=[draft.pk]), {**form, "act": "ask"})
    assert answer.headers["Location"] == page

    assert "somebody else has to approve it" in browse(alice).get(page).content.decode()
    shown = browse(bob).get(page).content.decode()
    assert "up to 6 people for up to 5 credits" in shown
    browse(bob).post(page, {"act": "approve", "note": "Go"})
    assert Approval.objects.get().state == ApprovalState.REQUESTED
    read = Approval.objects.get().pk
    browse(bob).post(page, {"act": "approve", "note": "Go", "approval": read})

    assert Approval.objects.get().state == ApprovalState.APPROVED
    edit = browse(alice).get(reverse("blast_edit", args=[draft.pk])).content.decode()
    assert "any change to text, people, numbers or repetition asks again" in edit


def test_what_is_approved_is_shown_as_it_will_be_read(
    account: Account, alice: User, bob: User, draft: Blast, browse: Browse
) -> None:
    body = "It’s {{first_name|there}}, " + "x" * 80
    services.blast_update(account=account, actor=alice, blast=draft, body=body, smart_encoding=True)
    services.approval_request(account=account, actor=alice, blast=draft)

    page = browse(bob).get(reverse("blast_approval", args=[draft.pk])).content.decode()

    assert "It&#x27;s Ann, xxx" in page
    assert "It’s" not in page


def test_what_waits_is_listed_and_counted_for_whoever_may_decide(
    account: Account, alice: User, bob: User, draft: Blast, asked: Approval, browse: Browse
) -> None:
    mine, theirs = (browse(user).get(reverse("approval_list")) for user in (alice, bob))

    told = theirs.content.decode()
    assert "<strong>1</strong> blast waits for your approval" in told
    for words in ("Last call", "see https://shop.example/sale", "For Friday, please", "Alice"):
        assert words in told
    assert (theirs.context["to_approve"], mine.context["to_approve"]) == (1, 0)
    assert "Nothing waits for you" in mine.content.decode()
    overview = browse(bob).get("/").content.decode()
    assert "1 blast waits for your approval." in overview
    assert 'aria-label="1 to approve"' in overview

    decide(asked, bob)
    after = browse(bob).get(reverse("approval_list"))
    assert (after.context["rows"], after.context["to_approve"]) == ([], 0)


def test_what_waits_elsewhere_or_was_canceled_is_not_listed(
    account: Account,
    other_account: Account,
    charlie: User,
    bob: User,
    alice: User,
    asked: Approval,
    browse: Browse,
) -> None:
    assert browse(charlie).get(reverse("approval_list")).context["rows"] == []

    services.blast_cancel(account=account, actor=alice, blast=asked.blast)
    assert browse(bob).get(reverse("approval_list")).context["rows"] == []


def test_the_api_asks_decides_and_refuses(
    account: Account, alice: User, bob: User, api: Any, draft: Blast
) -> None:
    url, json = f"/api/v1/blasts/{draft.pk}/", "application/json"
    refused = api.post(f"{url}launch/", {}, content_type=json)
    assert (refused.status_code, refused.json()["code"]) == (409, "approval_missing")

    told = api.post(f"{url}approval/", {"act": "ask"}, content_type=json).json()
    bobs = api_client(account, bob, ["read", "send"])
    read = bobs.get(url).json()["approval"]
    approve = {"act": "approve", "note": "Go", "approval": read["id"]}
    own = api.post(f"{url}approval/", approve, content_type=json)
    unnamed = bobs.post(f"{url}approval/", {"act": "approve"}, content_type=json)
    other = bobs.post(f"{url}approval/", {**approve, "approval": read["id"] - 1}, content_type=json)
    done = bobs.post(f"{url}approval/", approve, content_type=json)

    assert (told["state"], told["people"], told["requested_by"]) == ("requested", 6, alice.email)
    assert read == told
    assert (own.status_code, own.json()["code"]) == (403, "approval_own")
    assert (unnamed.status_code, "approval" in unnamed.json()["fields"]) == (422, True)
    assert (other.status_code, other.json()["code"]) == (409, "approval_gone")
    assert (done.json()["state"], done.json()["answer"]) == ("approved", "Go")
    assert api.post(f"{url}launch/", {}, content_type=json).status_code == 202


def test_what_is_approved_is_what_was_read(
    account: Account, alice: User, bob: User, draft: Blast, asked: Approval, browse: Browse
) -> None:
    page = reverse("blast_approval", args=[draft.pk])
    read = browse(bob).get(page).content.decode()
    assert f'name="approval" value="{asked.pk}"' in read
    services.blast_update(account=account, actor=alice, blast=draft, body="Other words")
    again = services.approval_request(account=account, actor=alice, blast=draft)

    browse(bob).post(page, {"act": "approve", "approval": asked.pk})

    again.refresh_from_db()
    assert again.state == ApprovalState.REQUESTED


def test_whoever_left_the_team_approves_nothing_by_a_key_they_kept(
    account: Account, bob: User, draft: Blast, asked: Approval
) -> None:
    kept = api_client(account, bob, ["send"])
    Membership.objects.filter(account=account, user=bob).delete()

    answer = kept.post(
        f"/api/v1/blasts/{draft.pk}/approval/",
        {"act": "approve", "approval": asked.pk},
        content_type="application/json",
    )

    asked.refresh_from_db()
    assert (answer.status_code, asked.state) == (403, ApprovalState.REQUESTED)
