"""Hits on links: judged, joined to their messages, counted once, also when judged anew."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command

from accounts.models import Account
from common.clock import now
from messaging.choices import MessageState
from messaging.models import BatchTotals, Message
from messaging.receipts.clicks import clicks_apply, clicks_rejudge
from messaging.recounting import differences
from messaging.selectors import batch_figures
from tests.receipts.conftest import IPHONE, MakeBatch, Tap, links_of
from tracking.choices import Verdict
from tracking.models import Click, Link
from tracking.services import links_create
from tracking.verdicts import RULES_VERSION, Hit, Judgement

pytestmark = pytest.mark.django_db

PREVIEW = "facebookexternalhit/1.1 Facebot Twitterbot/1.0"


def kept(batch_id: int | None) -> tuple[int, int, int, int]:
    """(clicked, hit, hits, of people)"""
    assert batch_id is not None
    row = BatchTotals.objects.get(batch_id=batch_id)
    return row.clicked, row.hit, row.clicks_total, row.clicks_human


def of_link(link: Link) -> tuple[int, int, int, int]:
    """(hits, of people, recipients, recipients who are people)"""
    link.refresh_from_db()
    return link.clicks_total, link.clicks_human, link.recipients_clicked, link.recipients_human


def test_people_and_robots_are_counted_apart(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    messages = make_batch(3)
    (link,) = links_of(messages, account)
    first = tap(link, 1, at=now() - timedelta(minutes=3))
    tap(link, 1, at=now() - timedelta(minutes=2))
    tap(link, 2, agent=PREVIEW)
    tap(link, 3, method="HEAD")

    assert clicks_apply() == 4
    assert clicks_apply() == 0

    verdicts = list(Click.objects.order_by("id").values_list("verdict", flat=True))
    assert verdicts == ["human", "human", "preview", "scanner"]
    assert Click.objects.get(recipient_no=3).reasons == ["head_request"]
    assert Click.objects.filter(rules_version=RULES_VERSION).count() == 4
    assert kept(link.batch_id) == (1, 3, 4, 2)
    assert of_link(link) == (4, 2, 3, 1)
    one, two, three = Message.objects.order_by("recipient_no")
    assert (one.first_click_at, one.human_click_at, one.clicks) == (first.at, first.at, 2)
    assert (two.human_click_at, two.clicks) == (None, 1)
    assert three.first_click_at is not None
    assert link.batch_id is not None
    figures = batch_figures([link.batch_id])[link.batch_id]
    assert (figures.clicked, figures.hit) == (1, 3)
    assert differences() == []


def test_a_preview_before_the_person_keeps_the_first_times_apart(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    messages = make_batch(1)
    (link,) = links_of(messages, account)
    person = tap(link, 1, at=now())
    clicks_apply()
    robot = tap(link, 1, agent=PREVIEW, at=now() - timedelta(minutes=1))
    clicks_apply()

    (message,) = Message.objects.all()
    assert (message.first_click_at, message.human_click_at) == (robot.at, person.at)
    assert kept(link.batch_id) == (1, 1, 2, 1)
    assert differences() == []


def test_two_links_of_one_text_count_one_recipient(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    messages = make_batch(2)
    first, second = links_of(messages, account, 2)
    tap(first, 1)
    clicks_apply()
    tap(second, 1)
    clicks_apply()

    assert kept(first.batch_id) == (1, 1, 2, 2)
    assert of_link(first) == of_link(second) == (1, 1, 1, 1)
    assert Message.objects.get(recipient_no=1).clicks == 2
    assert differences() == []


def test_a_hit_within_two_seconds_is_doubted(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    messages = make_batch(1)
    (link,) = links_of(messages, account)
    sent = messages[0].accepted_at
    assert sent is not None
    click = tap(link, 1, at=sent + timedelta(seconds=1))

    clicks_apply()

    click.refresh_from_db()
    assert (click.verdict, click.reasons) == ("unsure", ["too_soon"])
    assert kept(link.batch_id) == (0, 1, 1, 0)


@pytest.mark.parametrize("at_a_time", [2000, 7, 1])
def test_a_burst_from_one_address_is_a_scanners_from_its_first_hit(
    make_batch: MakeBatch, tap: Tap, account: Account, at_a_time: int
) -> None:
    messages = make_batch(40)
    (link,) = links_of(messages, account)
    began = now() - timedelta(minutes=2)
    for no in range(1, 31):
        tap(link, no, address=b"s" * 16, at=began + timedelta(seconds=no))
    person = tap(link, 40, at=began)

    while clicks_apply(limit=at_a_time):
        pass

    verdicts = Click.objects.exclude(pk=person.pk).values_list("verdict", flat=True)
    assert set(verdicts) == {"scanner"}
    person.refresh_from_db()
    assert person.verdict == "human"
    assert kept(link.batch_id) == (1, 31, 31, 1)
    assert of_link(link) == (31, 1, 31, 1)
    assert Message.objects.filter(human_click_at__isnull=False).count() == 1
    assert differences() == []


@pytest.mark.parametrize("at_a_time", [2000, 7])
def test_a_burst_that_is_judged_anew_stays_a_scanners(
    make_batch: MakeBatch, tap: Tap, account: Account, at_a_time: int
) -> None:
    (link,) = links_of(make_batch(30), account)
    began = now() - timedelta(minutes=2)
    for no in range(1, 31):
        tap(link, no, address=b"s" * 16, at=began + timedelta(seconds=no))
    clicks_apply()

    done: int | None = 0
    while done is not None:
        done = clicks_rejudge(after_id=done, limit=at_a_time)

    assert set(Click.objects.values_list("verdict", flat=True)) == {"scanner"}
    assert kept(link.batch_id) == (0, 30, 30, 0)
    assert of_link(link) == (30, 0, 30, 0)
    assert differences() == []


def test_people_behind_one_gateway_after_a_large_blast_are_people(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    messages = make_batch(40)
    (link,) = links_of(messages, account)
    began = now() - timedelta(minutes=2)
    for no in range(1, 41):
        phone = IPHONE.replace("iPhone;", f"iPhone; model {no % 8};")
        tap(link, no, agent=phone, address=b"g" * 16, at=began + timedelta(seconds=no))

    clicks_apply()

    assert kept(link.batch_id) == (40, 40, 40, 40)


def test_a_scanner_beside_people_takes_only_its_own_hits_with_it(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    messages = make_batch(40)
    (link,) = links_of(messages, account)
    began = now() - timedelta(minutes=2)
    other = IPHONE.replace("iPhone;", "iPad;")
    for no in range(1, 4):
        tap(link, no, agent=other, address=b"g" * 16, at=began + timedelta(seconds=no))
    for no in range(10, 40):
        tap(link, no, address=b"g" * 16, at=began + timedelta(seconds=no))

    clicks_apply()

    assert set(Click.objects.filter(recipient_no__lt=10).values_list("verdict", flat=True)) == {
        "human"
    }
    assert kept(link.batch_id) == (3, 33, 33, 3)


def test_people_of_one_household_are_people(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    messages = make_batch(5)
    (link,) = links_of(messages, account)
    for no in range(1, 6):
        tap(link, no, address=b"h" * 16)

    clicks_apply()

    assert kept(link.batch_id) == (5, 5, 5, 5)


def test_a_head_storm_on_one_code_stays_one_hit_recipient(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    messages = make_batch(1)
    (link,) = links_of(messages, account)
    Click.objects.bulk_create(
        Click(
            account_id=account.pk,
            link=link,
            recipient_no=1,
            at=now(),
            method="HEAD",
            user_agent=IPHONE,
            browser_headers=True,
            ip_hash=b"x" * 16,
        )
        for _ in range(500)
    )

    while clicks_apply(limit=100):
        pass

    assert kept(link.batch_id) == (0, 1, 500, 0)
    assert of_link(link) == (500, 0, 1, 0)
    assert differences() == []


def test_a_hit_before_our_record_of_the_send_is_counted(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    messages = make_batch(1, state=MessageState.PENDING, attempted=False)
    (link,) = links_of(messages, account)
    tap(link, 1)

    clicks_apply()

    assert kept(link.batch_id) == (1, 1, 1, 1)
    assert differences() == []


def test_a_link_without_messages_still_counts_its_hits(tap: Tap, account: Account) -> None:
    (link,) = links_create(
        account=account, batch_id=999, destinations=["https://example.com"], label="", recipients=9
    )
    Link.objects.filter(pk=link.pk).update(batch_id=None)
    tap(link, 1)

    assert clicks_apply() == 1

    assert of_link(link) == (1, 1, 1, 1)
    assert not BatchTotals.objects.exists()


def test_changed_rules_reach_the_past_and_every_count_follows(
    make_batch: MakeBatch, tap: Tap, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = make_batch(3)
    (link,) = links_of(messages, account)
    tap(link, 1)
    tap(link, 2, agent=PREVIEW)
    tap(link, 3, method="HEAD")
    clicks_apply()
    assert kept(link.batch_id) == (1, 3, 3, 1)

    def nobody(hit: Hit) -> Judgement:
        return Judgement(Verdict.HUMAN if hit.method == "HEAD" else Verdict.PREVIEW, ())

    monkeypatch.setattr("messaging.receipts.clicks.classify", nobody)
    call_command("reclassify_clicks", stdout=io.StringIO())

    verdicts = Click.objects.order_by("id").values_list("verdict", flat=True)
    assert list(verdicts) == ["preview", "preview", "human"]
    assert kept(link.batch_id) == (1, 3, 3, 1)
    assert Message.objects.get(recipient_no=1).human_click_at is None
    assert Message.objects.get(recipient_no=3).human_click_at is not None
    assert differences() == []

    monkeypatch.undo()
    call_command("reclassify_clicks", stdout=io.StringIO())
    verdicts = Click.objects.order_by("id").values_list("verdict", flat=True)
    assert list(verdicts) == ["human", "preview", "scanner"]
    assert differences() == []


def test_another_batch_is_untouched(make_batch: MakeBatch, tap: Tap, account: Account) -> None:
    one, two = make_batch(2), make_batch(2, first=50)
    (link,) = links_of(one, account)
    links_of(two, account)
    tap(link, 2)

    clicks_apply()

    assert kept(one[0].batch_id) == (1, 1, 1, 1)
    assert kept(two[0].batch_id) == (0, 0, 0, 0)


def test_recount_finds_what_was_tampered_with(
    make_batch: MakeBatch, tap: Tap, account: Account
) -> None:
    messages = make_batch(2)
    (link,) = links_of(messages, account)
    tap(link, 1)
    clicks_apply()
    assert differences() == []

    Message.objects.filter(pk=messages[1].pk).update(state="delivered", segments=3)
    Link.objects.update(clicks_human=5)
    Click.objects.update(verdict=Verdict.PREVIEW)

    found = {(d.table, d.column, d.kept, d.counted) for d in differences()}
    batch = f"batch {messages[0].batch_id}"
    assert {(d.table, d.row) for d in differences() if d.table.startswith("messaging_batch")} == {
        ("messaging_batchtally", f"{batch} accepted "),
        ("messaging_batchtally", f"{batch} delivered "),
        ("messaging_batchtotals", batch),
    }
    assert ("messaging_batchtally", "messages", 2, 1) in found
    assert ("messaging_batchtally", "messages", 0, 1) in found
    assert ("messaging_batchtally", "segments", 0, 3) in found
    assert ("messaging_batchtotals", "clicks_human", 1, 0) in found
    assert ("tracking_link", "clicks_human", 5, 0) in found
    assert ("messaging_message", "human_click_at", 1, 0) in found
