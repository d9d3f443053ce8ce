"""The form of a saved text tells what the composer tells: the count, the phone, real people."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import Account, User, VerifiedNumber
from campaigns.models import SavedText
from campaigns.services import text_save
from common.clock import now
from contacts.models import Contact, Group
from messaging.models import Batch, Media, SenderNumber
from messaging.services import media_upload
from tests.campaigns.conftest import people, words
from tests.pictures import picture

pytestmark = pytest.mark.django_db

BODY = "It’s Ann’s day, {{first_name}}: " + "x" * 60


@pytest.fixture
def count(
    browse: Callable[[User], Client], alice: User, sender: SenderNumber
) -> Callable[..., str]:
    """`count(**fields)`: what the form tells while Alice types."""

    def _count(**fields: Any) -> str:
        form = {"kind": "template", "name": "Ann", "body": BODY, **fields}
        return browse(alice).post("/templates/count", form).content.decode()

    return _count


def test_while_typing_it_tells_the_count_and_shows_the_text(
    count: Callable[..., str], account: Account
) -> None:
    assert "Once there is a group, see here what texting it would cost." in count()
    people(account, "Customers", ("Ann", "Ben"))

    page = count()

    assert "2 segments UCS-2" in words(page)
    assert "It’s Ann’s day, [first_name]:" in words(page)
    assert "Choose a group, and see here what texting it would cost. Nothing is sent." in page
    assert 'id="count-line" class="count-line" aria-live="polite" hx-swap-oob="true"' in page
    assert not SavedText.objects.exists()


def test_tried_on_a_group_it_tells_what_the_composer_tells(
    count: Callable[..., str], browse: Callable[[User], Client], alice: User, group: Group
) -> None:
    cleo = Contact.objects.get(first_name="Cleo")

    page = words(count(groups=group.pk, seen=cleo.pk))
    composer = browse(alice).post("/blasts/count", {"body": BODY, "groups": group.pk})

    assert "day, Cleo: x" in page
    for told in (
        "Texted 4 of 6 Credits 8",
        "No first name 1 left out",
        "See it as",
        "costs 4 credits",
    ):
        assert told in page
        assert told in words(composer.content.decode())
    assert "Send to" not in page


def test_the_group_of_another_account_counts_nobody(
    count: Callable[..., str], other_account: Account
) -> None:
    theirs = people(other_account, "Cheese people", ("Zoe", "Yan"))

    page = words(count(groups=theirs.pk))

    assert "Zoe" not in page
    assert "Cheese people" not in page
    assert "Texted 0 Credits 0" in page


def test_a_snippet_is_counted_and_not_judged(count: Callable[..., str], group: Group) -> None:
    page = count(kind="snippet", body="Open 9 to 6", groups=group.pk)

    assert "11 characters 1 segment" in words(page)
    assert "A snippet is counted again within the text it is put into." in page
    assert "data-advice" not in page
    assert "Credits" not in words(page)
    assert 'data-advice="no_opt_out"' in count(body="Open 9 to 6")


def test_what_cannot_be_sent_is_told_before_it_is_saved(count: Callable[..., str]) -> None:
    assert "Did you mean {{first_name}}?" in words(count(body="Hi {{frist_name}}"))


def test_a_template_is_tested_from_its_form(
    browse: Callable[[User], Client], account: Account, alice: User, count: Callable[..., str]
) -> None:
    VerifiedNumber.objects.create(account=account, phone="+12025550123", verified_at=now())

    page = count()
    sent = browse(alice).post(
        "/blasts/test", {"kind": "template", "body": BODY, "test_phone": "+12025550123"}
    )

    assert 'hx-post="/blasts/test"' in page
    assert "On its way" in sent.content.decode()
    assert Batch.objects.get().kind == "test"


def test_the_form_opens_with_what_it_tells(
    browse: Callable[[User], Client], account: Account, alice: User, sender: SenderNumber,
    settings: Any, tmp_path: Any,
) -> None:  # fmt: skip
    settings.MEDIA_ROOT = tmp_path
    media: Media = media_upload(account=account, actor=alice, data=picture())
    text = text_save(
        account=account, actor=alice, name="Spring", body="Hi {{first_name|there}}",
        media_ids=[media.pk],
    )  # fmt: skip

    new = browse(alice).get("/templates/new").content.decode()
    edit = browse(alice).get(f"/templates/{text.pk}/edit").content.decode()

    assert "0 characters 0 segments" in words(new)
    assert 'data-insert="first_name"' in new
    assert 'hx-post="/templates/count"' in new
    assert "picture message, 3 credits each" in words(edit)
    assert f'class="bubble-picture" src="/messages/media/{media.pk}"' in edit


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"name": ""}, "Give it a name."), ({"body": ""}, "Write its words.")],
)
def test_what_is_missing_is_said_beside_it(
    browse: Callable[[User], Client], account: Account, alice: User, change: dict[str, str],
    sentence: str,
) -> None:  # fmt: skip
    form = {"kind": "template", "name": "Spring", "folder": "", "body": "Hello", **change}

    answer = browse(alice).post("/templates/new", form)

    assert (answer.status_code, sentence in answer.content.decode()) == (422, True)
    assert not SavedText.objects.exists()
