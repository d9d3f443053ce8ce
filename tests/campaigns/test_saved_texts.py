"""Templates in folders, snippets, and accounts that send only what an admin approved."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress

from accounts.choices import Role, TemplateRule
from accounts.models import Account, AuditEvent, Membership, User
from campaigns import services
from campaigns.choices import BlastState
from campaigns.errors import TemplateNotApproved
from campaigns.models import Blast, SavedText
from common.clock import now
from common.errors import Invalid, NotFound
from messaging.models import Batch, Message
from tests.campaigns.conftest import Browse


@pytest.fixture
def bob(account: Account) -> User:
    """A marketer of Alice's account."""
    user = User.objects.create_user("bobby@example.com")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    Membership.objects.create(account=account, user=user, role=Role.MARKETER)
    return user


@pytest.fixture
def template(account: Account, alice: User, draft: Blast) -> SavedText:
    """The draft's words as a template, not approved."""
    return services.text_save(
        account=account, actor=alice, name="Last call", folder="Spring", body=draft.body
    )


def test_texts_are_listed_by_folder_and_offered_in_the_composer(
    browse: Browse, account: Account, alice: User, template: SavedText
) -> None:
    client = browse(alice)
    client.post(
        "/templates/new", {"kind": "snippet", "name": "Stop", "body": "Reply STOP\r\nto end"}
    )

    listed = client.get("/templates/").content.decode()
    spring = client.get("/templates/?folder=Spring").content.decode()
    composer = client.get("/blasts/new").content.decode()

    snippet = SavedText.objects.get(name="Stop")
    assert (snippet.body, snippet.kind, snippet.folder) == ("Reply STOP\nto end", "snippet", "")
    assert "Last call" in listed
    assert "Stop" in listed
    assert "Last call" in spring
    assert "Reply STOP" not in spring
    assert 'data-snippet="Reply STOP\nto end"' in composer
    assert f'data-template="{template.body}"' in composer


@pytest.mark.parametrize(
    ("change", "field"),
    [({"name": " "}, "name"), ({"body": "\n"}, "body"), ({"folder": "x" * 61}, "folder")],
)
def test_what_cannot_be_saved_says_why(
    account: Account, alice: User, change: dict[str, str], field: str
) -> None:
    values: dict[str, Any] = {"name": "Sale", "body": "Hello", **change}

    with pytest.raises(Invalid) as refused:
        services.text_save(account=account, actor=alice, **values)

    assert list(refused.value.fields) == [field]
    assert not SavedText.objects.exists()
    assert not AuditEvent.objects.filter(action="text.saved").exists()


def test_new_words_take_the_approval_back_and_a_new_name_does_not(
    account: Account, alice: User, template: SavedText
) -> None:
    services.text_approve(account=account, actor=alice, text=template, approved=True)

    renamed = services.text_save(
        account=account, actor=alice, text=template, name="Last", body=template.body
    )
    assert renamed.approved_at is not None
    reworded = services.text_save(
        account=account, actor=alice, text=template, name="Last", body="Other words"
    )

    assert (reworded.approved_at, reworded.approved_by) == (None, None)


@pytest.mark.parametrize("rule", [TemplateRule.MARKETERS, TemplateRule.EVERYBODY])
def test_a_marketer_sends_only_what_an_admin_approved(
    browse: Browse,
    account: Account,
    alice: User,
    bob: User,
    draft: Blast,
    template: SavedText,
    rule: str,
) -> None:
    Account.objects.filter(pk=account.pk).update(template_rule=rule)
    client = browse(bob)

    client.post(f"/blasts/{draft.pk}/send")
    assert client.post(f"/templates/{template.pk}/approve", {"approved": "1"}).status_code == 403
    draft.refresh_from_db()
    assert draft.state == BlastState.DRAFT
    browse(alice).post(f"/templates/{template.pk}/approve", {"approved": "1"})
    client.post(f"/blasts/{draft.pk}/send")

    draft.refresh_from_db()
    assert draft.state == BlastState.SCHEDULED


def test_an_admin_is_bound_only_where_everybody_is(
    account: Account, alice: User, draft: Blast
) -> None:
    Account.objects.filter(pk=account.pk).update(template_rule=TemplateRule.EVERYBODY)
    with pytest.raises(TemplateNotApproved):
        services.blast_schedule(account=account, actor=alice, blast=draft)
    Account.objects.filter(pk=account.pk).update(template_rule=TemplateRule.MARKETERS)

    services.blast_schedule(account=account, actor=alice, blast=draft)

    assert Blast.objects.get().state == BlastState.SCHEDULED


def test_programs_are_bound_where_everybody_is(api: Any, account: Account, draft: Blast) -> None:
    Account.objects.filter(pk=account.pk).update(template_rule=TemplateRule.EVERYBODY)

    answer = api.post(f"/api/v1/blasts/{draft.pk}/launch/", {}, content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (409, "template_not_approved")
    assert Blast.objects.get().state == BlastState.DRAFT


def test_an_approval_taken_back_before_the_launch_stops_it(
    account: Account, bob: User, alice: User, draft: Blast, template: SavedText
) -> None:
    Account.objects.filter(pk=account.pk).update(template_rule=TemplateRule.MARKETERS)
    services.text_approve(account=account, actor=alice, text=template, approved=True)
    services.blast_schedule(account=account, actor=bob, blast=draft)
    services.text_approve(account=account, actor=alice, text=template, approved=False)
    Blast.objects.update(scheduled_at=now())

    services.blast_launch(blast_id=draft.pk)

    draft.refresh_from_db()
    assert draft.state == BlastState.FAILED
    assert draft.state_reason.startswith("Here only approved templates are sent")
    assert not Batch.objects.exists()
    assert not Message.objects.exists()


def test_a_snippet_is_never_approved(account: Account, alice: User) -> None:
    snippet = services.text_save(
        account=account, actor=alice, name="Stop", body="Reply STOP", kind="snippet"
    )

    with pytest.raises(NotFound):
        services.text_approve(account=account, actor=alice, text=snippet, approved=True)


def test_a_deleted_template_leaves_its_blasts_alone(
    browse: Browse, alice: User, draft: Blast, template: SavedText
) -> None:
    browse(alice).post(f"/templates/{template.pk}/delete")

    assert not SavedText.objects.exists()
    assert Blast.objects.get().body == draft.body


def test_words_that_changed_since_they_were_read_are_not_approved(
    browse: Browse, account: Account, alice: User, template: SavedText
) -> None:
    read = template.body
    services.text_save(
        account=account, actor=alice, text=template, name=template.name, body="Other words"
    )
    approve = f"/templates/{template.pk}/approve"

    browse(alice).post(approve, {"approved": "1", "seen": read})
    template.refresh_from_db()
    assert template.approved_at is None

    browse(alice).post(approve, {"approved": "1", "seen": "Other words"})
    template.refresh_from_db()
    assert template.approved_at is not None
