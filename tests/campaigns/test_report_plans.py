"""No report reads messages it is not about: queries are counted and their plans looked at."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.models import Account, User
from campaigns import services
from campaigns.models import Blast
from messaging.choices import MessageState
from messaging.models import Message
from tests.campaigns.conftest import api_client
from tests.campaigns.launched import finished, launched
from tracking.models import Link

MOST_QUERIES = 30
OTHERS = 20_000
OURS = 500

Query = tuple[str, Any]


@pytest.fixture
def blast(account: Account, alice: User, draft: Blast, other_account: Account) -> Blast:
    """Over, with a few hundred more people, among many messages of somebody else."""
    blast = launched(account, alice, draft)
    finished(blast)
    assert blast.batch is not None
    first = Message.objects.filter(batch=blast.batch).latest("recipient_no").recipient_no or 0
    rows = [_row(account, n, batch=blast.batch, recipient_no=first + n) for n in range(1, OURS + 1)]
    rows += [_row(other_account, n) for n in range(OTHERS)]
    Message.objects.bulk_create(rows, batch_size=5000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messaging_message")
    return blast


def _row(account: Account, n: int, **more: Any) -> Message:
    return Message(
        account=account,
        phone=f"+1303{n:07}",
        our_number="+15550100199",
        state=MessageState.DELIVERED,
        body="Hi, see our sale",
        **more,
    )


def test_no_report_scans_messages_or_asks_many_queries(
    browse: Callable[[User], Client], alice: User, blast: Blast
) -> None:
    client = browse(alice)
    report = f"/blasts/{blast.pk}/"
    message = Message.objects.filter(batch=blast.batch, replied_at__isnull=False).get()
    link = Link.objects.get(batch_id=blast.batch_id)

    for url in (
        report,
        f"{report}?show=failed&reason=landline",
        f"{report}?show=failed&reason=landline&code=30006",
        f"{report}?show=clicked",
        f"{report}?show=opted_out&q=Ann",
        f"{report}?clicked=yes&replied=no&left=no",
        f"{report}differences",
        f"{report}live?was=settling",
        f"{report}people.csv?show=replied",
        f"/campaigns/{blast.campaign_id}/",
        f"/campaigns/{blast.campaign_id}/people?clicked=no&replied=no",
        f"/campaigns/{blast.campaign_id}/people.csv?show=failed",
        "/campaigns/",
        "/",
        "/messages/",
        "/messages/?state=failed",
        "/messages/?clicked=yes&replied=no",
        f"/messages/?link={link.pk}",
        "/messages/?q=Ann",
        "/messages/?kind=blast&from=2026-01-01&show=delivered&linked=yes",
        f"/messages/?kind=blast&by={alice.pk}&hour=clicked-3-11",
        "/messages/?kind=api&by=nobody&number=%2B15550100199",
        "/messages/?from=2026-01-01&to=2026-01-31&left=yes&day=replied-2026-01-02",
        f"/messages/?link={link.pk}&clicked=hit",
        "/messages/log.csv?kind=blast&number=%2B15550100199",
        f"/messages/{message.pk}/",
        f"/links/{link.pk}/",
        f"/links/{link.pk}/?hits=human",
    ):
        queries = _queries(client, url)

        assert 0 < len(queries) <= MOST_QUERIES, url
        assert [query for query in queries if _scans(query)] == [], url


def test_a_scan_would_be_found(blast: Blast) -> None:
    assert _scans(("SELECT max(body) FROM messaging_message", None))
    assert not _scans(("SELECT max(body) FROM messaging_message WHERE id = %s", (1,)))


def test_people_of_batches_are_found_by_their_numbers_and_never_sorted(
    browse: Callable[[User], Client], account: Account, alice: User, blast: Blast
) -> None:
    again = services.blast_duplicate(account=account, actor=alice, blast=blast)
    launched(account, alice, again)
    client = browse(alice)
    people = f"/campaigns/{blast.campaign_id}/people?clicked=no"
    log = "/messages/?kind=blast&state=delivered"
    [after] = re.findall(r'href="[?][^"]*before=(\d+_\d+)', client.get(people).content.decode())
    for url in (people, f"{people}&before={after}", f"{people}&after={after}", log):
        pages = [
            one for one in _queries(client, url) if "recipient_no" in one[0].split("ORDER")[-1]
        ]

        assert pages, url
        for page in pages:
            plan = _plan(page, may_sort=False)
            assert "using message_recipient_unique on messaging_message" in plan, plan
            assert "Sort" not in plan, plan


def test_the_api_looks_at_so_many_messages_at_a_time(
    account: Account, alice: User, blast: Blast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messaging.api.paging.LOOKED_AT_MOST", 200)
    client = api_client(account, alice, ["read"])
    wanted = Message.objects.filter(batch=blast.batch, state="undelivered").order_by("-pk")

    for path in ("state=undelivered", f"state=undelivered&batch={blast.batch_id}"):
        url: str | None = f"/api/v1/messages/?{path}"
        found: list[int] = []
        pages, back = 0, None
        while url:
            assert [query for query in _queries(client, url) if _scans(query)] == []
            page = client.get(url).json()
            found += [one["id"] for one in page["results"]]
            url, back, pages = page["next"], page["previous"] or back, pages + 1
        assert found == list(wanted.values_list("pk", flat=True))
        # 506 messages of the blast, 200 at a time.
        assert pages == 3
        assert back is not None
        assert client.get(back).json()["next"] is not None


def _queries(client: Client, url: str) -> list[Query]:
    asked: list[Query] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        response = client.get(url)
        assert b"".join(response), url
    assert response.status_code == 200, url
    return asked


def _scans(query: Query) -> bool:
    """Whether PostgreSQL would read all messages to answer."""
    sql, _ = query
    if "messaging_message" not in sql or not sql.lstrip().startswith(("SELECT", "WITH")):
        return False
    return re.search(r"Seq Scan on messaging_message\b", _plan(query)) is not None


def _plan(query: Query, *, may_sort: bool = True) -> str:
    """How PostgreSQL would answer; sorting only where it must, if it may not.

    What it takes for the cheapest way depends on what it believes of a dozen rows.
    """
    sql, params = query
    with connection.cursor() as cursor:
        for sorting in ("enable_sort", "enable_incremental_sort"):
            cursor.execute(f"SET LOCAL {sorting} = {'on' if may_sort else 'off'}")
        cursor.execute(f"EXPLAIN {sql}", params)
        return "\n".join(line for (line,) in cursor.fetchall())
