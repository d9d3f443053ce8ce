"""Pictures in the composer, in drafts, in templates, under approval."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from datetime import time as time_of_day
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import Account, CreditEntry, User
from campaigns import services
from campaigns.choices import ApprovalState, BlastState
from campaigns.composing import compose
from campaigns.errors import TemplateNotApproved
from campaigns.models import Approval, Blast, Campaign, SavedText
from campaigns.recurring import Rule
from common.clock import now
from common.errors import Conflict, Invalid, NotFound
from contacts.models import Contact, Group, GroupMember
from contacts.services import person_erase
from messaging.errors import MediaRefused, SenderWithoutPictures
from messaging.models import Batch, Media, SenderNumber
from messaging.services import media_upload
from messaging.services.media import media_sweep
from tests.campaigns.conftest import Browse, words
from tests.pictures import picture


@pytest.fixture
def media(account: Account, alice: User, settings: Any, tmp_path: Any) -> Media:
    settings.MEDIA_ROOT = tmp_path
    return media_upload(account=account, actor=alice, data=picture())


@pytest.fixture
def other(account: Account, alice: User, media: Media) -> Media:
    return media_upload(account=account, actor=alice, data=picture(color="blue"))


# --- Composing ---


def test_a_picture_message_is_told_with_what_the_words_alone_would_cost(
    account: Account, group: Group, media: Media
) -> None:
    told = compose(
        account=account,
        body="It’s spring, {{first_name|there}}! " + "x" * 100,
        group_ids=[group.pk],
        media_ids=[media.pk],
    )

    assert told.estimate is not None
    assert (told.estimate.texted_now, told.estimate.credits) == (5, 15)
    assert (told.each, told.plain_credits) == ((3, 3), 10)
    # Whatever the characters, nothing gets dearer by them.
    assert (told.odd, told.saved, told.smart) == ([], 0, 0)
    assert told.pictures == [media]


def test_without_people_the_price_at_home_is_told(account: Account, media: Media) -> None:
    told = compose(account=account, body="Hello", group_ids=[], media_ids=[media.pk])

    assert (told.each, told.plain_credits) == ((3, 3), None)


def test_the_composer_shows_the_picture_its_price_and_a_number_that_cannot(
    browse: Browse, alice: User, group: Group, campaign: Campaign, sender: SenderNumber,
    media: Media,
) -> None:  # fmt: skip
    typed = {
        "body": "Hello", "groups": group.pk, "campaign": campaign.pk, "sender": sender.pk,
        "media_ids": media.pk,
    }  # fmt: skip

    page = browse(alice).post("/blasts/count", typed).content.decode()

    assert "picture message, 3 credits each whatever its length" in words(page)
    assert "these people cost 5 credits instead of 15" in words(page)
    assert f'src="/messages/media/{media.pk}"' in page
    assert "sends words only" not in words(page)

    assert "Credits a picture message" not in words(page)
    assert "A picture message costs the same whatever its characters" in words(page)
    plain = browse(alice).post("/blasts/count", {**typed, "media_ids": []}).content.decode()
    assert "Sends plain look-alikes of curly quotes" in words(plain)

    SenderNumber.objects.update(can_mms=False)
    page = browse(alice).post("/blasts/count", typed).content.decode()
    assert "sends words only" in words(page)


def test_what_picture_messages_cost_in_which_country_stands_beside_them(
    account: Account, browse: Browse, alice: User, group: Group, sender: SenderNumber, media: Media
) -> None:
    london = Contact.objects.create(account=account, phone="+447400123456")
    GroupMember.objects.create(account=account, group=group, contact=london)
    typed = {"body": "Hello", "groups": group.pk, "sender": sender.pk, "media_ids": media.pk}

    page = words(browse(alice).post("/blasts/count", typed).content.decode())

    assert "picture message, 3 to 15 credits each" in page
    told = page[page.index("Credits a picture message") :]
    assert "3 credits each" in told
    assert "5 people" in told
    assert "15 credits each" in told
    assert "Everywhere else" in told


def test_a_draft_keeps_its_pictures_in_order_and_goes_out_with_them(
    browse: Browse, alice: User, group: Group, campaign: Campaign, sender: SenderNumber,
    media: Media, other: Media, account: Account, settings: Any,
) -> None:  # fmt: skip
    settings.UNDO_S = 0
    typed = {
        "name": "Spring", "body": "Hello", "groups": group.pk, "campaign": campaign.pk,
        "sender": sender.pk, "media_ids": [other.pk, media.pk], "when": "now",
    }  # fmt: skip

    browse(alice).post("/blasts/new", {**typed, "act": "save"})

    blast = Blast.objects.get()
    assert blast.media_ids == [other.pk, media.pk]
    page = browse(alice).get(f"/blasts/{blast.pk}/edit").content.decode()
    assert page.index(f'name="media_ids" value="{other.pk}"') < page.index(
        f'name="media_ids" value="{media.pk}"'
    )
    assert services.blast_duplicate(account=account, actor=alice, blast=blast).media_ids == [
        other.pk,
        media.pk,
    ]

    browse(alice).post(
        f"/blasts/{blast.pk}/edit", {**typed, "media_ids": [media.pk], "act": "send"}
    )
    blast.refresh_from_db()
    assert (blast.state, blast.estimated_credits) == (BlastState.SCHEDULED, 15)
    services.blasts_launch_due()

    batch = Batch.objects.get()
    assert (batch.media_ids, batch.credits_reserved) == ([media.pk], 15)
    report = browse(alice).get(f"/blasts/{blast.pk}/").content.decode()
    assert f'src="/messages/media/{media.pk}"' in report


def test_a_number_that_sends_words_only_is_refused_before_it_is_scheduled(
    account: Account, alice: User, draft: Blast, media: Media
) -> None:
    services.blast_update(account=account, actor=alice, blast=draft, media_ids=[media.pk])
    SenderNumber.objects.update(can_mms=False)

    with pytest.raises(SenderWithoutPictures):
        services.blast_schedule(account=account, actor=alice, blast=draft)

    draft.refresh_from_db()
    assert draft.state == BlastState.DRAFT


def test_a_picture_that_is_gone_when_its_time_comes_stops_the_blast(
    account: Account, alice: User, draft: Blast, media: Media
) -> None:
    services.blast_update(account=account, actor=alice, blast=draft, media_ids=[media.pk])
    services.blast_schedule(account=account, actor=alice, blast=draft)
    Media.objects.update(wanted_at=now() - timedelta(days=9))
    assert media_sweep() == 0  # what is scheduled is in use

    Media.objects.all().delete()  # somebody's hand in the database
    services.blast_launch(blast_id=draft.pk, moment=now() + timedelta(hours=1))

    draft.refresh_from_db()
    assert draft.state == BlastState.FAILED
    assert draft.state_reason.startswith("One of the pictures does not exist any more.")
    assert not Batch.objects.exists()
    assert not CreditEntry.objects.filter(kind="reserve").exists()


def test_anothers_picture_and_too_many_are_refused(
    account: Account, other_account: Account, alice: User, charlie: User, draft: Blast,
    media: Media,
) -> None:  # fmt: skip
    theirs = media_upload(account=other_account, actor=charlie, data=picture())
    many = [
        media_upload(account=account, actor=alice, data=picture(size=(9 + n, 9))).pk
        for n in range(6)
    ]

    for ids, error in (([theirs.pk], NotFound), (many, MediaRefused)):
        with pytest.raises(error):
            services.blast_update(account=account, actor=alice, blast=draft, media_ids=ids)

    draft.refresh_from_db()
    assert draft.media_ids == []


# --- Approval and templates ---


def test_changing_the_picture_voids_an_approval(
    account: Account, alice: User, bob: User, draft: Blast, media: Media, other: Media
) -> None:
    Account.objects.filter(pk=account.pk).update(requires_approval=True)
    services.blast_update(account=account, actor=alice, blast=draft, media_ids=[media.pk])
    approval = services.approval_request(account=account, actor=alice, blast=draft)
    assert approval.credits == 15

    services.blast_update(account=account, actor=alice, blast=draft, media_ids=[other.pk])

    assert Approval.objects.get().state == ApprovalState.VOID


def test_a_template_has_pictures_and_a_snippet_none(
    account: Account, alice: User, media: Media
) -> None:
    text = services.text_save(
        account=account, actor=alice, name="Spring", body="Hello", media_ids=[media.pk]
    )

    assert text.media_ids == [media.pk]
    with pytest.raises(Invalid, match="A snippet goes into a text and has no pictures"):
        services.text_save(
            account=account, actor=alice, name="S", body="Bye", kind="snippet",
            media_ids=[media.pk],
        )  # fmt: skip


def test_an_approved_template_is_words_and_pictures(
    account: Account, alice: User, draft: Blast, media: Media, other: Media
) -> None:
    Account.objects.filter(pk=account.pk).update(template_rule="everybody")
    text = services.text_save(
        account=account, actor=alice, name="Spring", body=draft.body, media_ids=[media.pk]
    )
    with pytest.raises(Conflict):
        services.text_approve(
            account=account, actor=alice, text=text, approved=True, seen=draft.body,
            seen_media=[other.pk],
        )  # fmt: skip
    services.text_approve(
        account=account, actor=alice, text=text, approved=True, seen=draft.body,
        seen_media=[media.pk],
    )  # fmt: skip

    with pytest.raises(TemplateNotApproved):
        services.blast_schedule(account=account, actor=alice, blast=draft)
    services.blast_update(account=account, actor=alice, blast=draft, media_ids=[media.pk])
    services.blast_schedule(account=account, actor=alice, blast=draft)

    services.text_save(
        account=account, actor=alice, name="Spring", body=draft.body, media_ids=[], text=text
    )
    assert SavedText.objects.get().approved_at is None


def test_the_rule_on_templates_is_about_pictures_of_what_repeats_too(
    account: Account, alice: User, draft: Blast, media: Media, other: Media
) -> None:
    Account.objects.filter(pk=account.pk).update(template_rule="everybody")
    for pictures in ([], [media.pk]):
        text = services.text_save(
            account=account, actor=alice, name="Spring", body=draft.body, media_ids=pictures
        )
        services.text_approve(account=account, actor=alice, text=text, approved=True)
    rule = Rule("day", time_of_day(10), date(2027, 1, 4))

    services.blast_update(account=account, actor=alice, blast=draft, media_ids=[other.pk])
    with pytest.raises(TemplateNotApproved):
        services.series_start(account=account, actor=alice, blast=draft, rule=rule)
    SavedText.objects.filter(media_ids=[]).delete()
    services.blast_update(account=account, actor=alice, blast=draft, media_ids=[media.pk])
    series = services.series_start(account=account, actor=alice, blast=draft, rule=rule)

    assert series.blast.state == BlastState.REPEATING


def test_the_form_of_a_template_keeps_and_shows_its_pictures(
    browse: Browse, alice: User, media: Media
) -> None:
    form = {"kind": "template", "name": "Spring", "folder": "", "body": "Hello"}

    browse(alice).post("/templates/new", {**form, "media_ids": [media.pk]})

    text = SavedText.objects.get()
    assert text.media_ids == [media.pk]
    edit = browse(alice).get(f"/templates/{text.pk}/edit").content.decode()
    assert f'name="media_ids" value="{media.pk}"' in edit
    composer = browse(alice).get("/blasts/new").content.decode()
    assert f'data-media="[{media.pk}]" data-template="Hello"' in composer


# --- API ---


def test_programs_upload_use_and_see_pictures(api: Any, draft: Blast, settings: Any,
    tmp_path: Any) -> None:  # fmt: skip
    import base64

    settings.MEDIA_ROOT = tmp_path

    def post(path: str, data: Any) -> Any:
        return api.post(f"/api/v1{path}", data, content_type="application/json")

    uploaded = post("/media/", {"file_base64": base64.b64encode(picture()).decode()})
    pk = uploaded.json()["id"]
    changed = api.patch(
        f"/api/v1/blasts/{draft.pk}/", {"media": [pk]}, content_type="application/json"
    )
    told = post(f"/blasts/{draft.pk}/estimate/", {})
    refused = post("/media/", {"file_base64": base64.b64encode(b"text").decode()})
    nonsense = post("/media/", {"file_base64": "?"})

    assert uploaded.status_code == 201
    assert (uploaded.json()["content_type"], uploaded.json()["width"]) == ("image/jpeg", 40)
    assert uploaded.json()["url"].startswith(f"{settings.EDGE_URL}/media/{pk}.")
    assert changed.json()["media"] == [pk]
    assert told.json()["credits"] == 15
    assert (refused.status_code, refused.json()["code"]) == (422, "media_refused")
    assert (nonsense.status_code, nonsense.json()["code"]) == (422, "invalid")


# --- Locks ---


def wait_for_a_waiting_lock() -> None:
    """Until somebody waits for an advisory lock of this database."""
    for _ in range(200):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
                " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("Nobody waits.")


@pytest.mark.django_db(transaction=True)
def test_a_launch_that_waits_for_an_erasure_holds_no_picture(
    account: Account, alice: User, draft: Blast, media: Media
) -> None:
    """Erasing writes the pictures that came in from the person: both would wait for good."""
    account.requires_approval, account.approval_over_people = True, 100
    account.save()
    services.blast_update(account=account, actor=alice, blast=draft, media_ids=[media.pk])
    services.blast_schedule(account=account, actor=alice, blast=draft)
    leaver = Contact.objects.create(account=account, phone="+12025559999")

    def launched() -> bool:
        try:
            return services.blast_launch(blast_id=draft.pk, moment=now() + timedelta(hours=1))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            person_erase(account=account, actor=alice, contact_id=leaver.pk)
            launch = pool.submit(launched)
            wait_for_a_waiting_lock()
            assert Media.objects.select_for_update(nowait=True).get() == media
        assert launch.result() is True

    assert Batch.objects.get().media_ids == [media.pk]
