"""Short links at the edge: where they lead, what a hit keeps, what happens without PostgreSQL."""

import time
from datetime import timedelta

import pytest

from accounts.models import Account
from common.clock import now
from tests.edge.conftest import EdgeClient, EdgeProcess
from tests.edge.gate import Gate
from tracking.codes import encode
from tracking.models import Click, Link, LinkSettings
from tracking.services import links_create

BROWSER = {
    "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1",
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.9",
}


@pytest.fixture
def link(account: Account) -> Link:
    """Alice's link, sent to 100 recipients."""
    (link,) = links_create(
        account=account,
        batch_id=7,
        destinations=["https://example.com/flowers?a=1&b=%20#top"],
        label="Flowers",
        recipients=100,
    )
    return link


def test_a_hit_is_stored_before_the_redirect(edge: EdgeClient, link: Link) -> None:
    began = time.time()

    reply = edge.request(f"/{encode(link.pk, 42)}", headers=BROWSER)

    assert reply.status == 302
    assert reply.headers["location"] == "https://example.com/flowers?a=1&b=%20#top"
    assert reply.headers["cache-control"] == "no-store"
    click = Click.objects.get()
    assert (click.account_id, click.link_id, click.recipient_no) == (link.account_id, link.pk, 42)
    assert (click.method, click.user_agent) == ("GET", BROWSER["User-Agent"])
    assert click.browser_headers is True
    assert (click.verdict, click.reasons, click.rules_version) == ("pending", [], 0)
    assert len(bytes(click.ip_hash)) == 16
    assert b"127.0.0.1" not in bytes(click.ip_hash)
    assert began - 1 < click.at.timestamp() < time.time() + 1


def test_head_is_redirected_and_recorded(edge: EdgeClient, link: Link) -> None:
    reply = edge.request(f"/{encode(link.pk, 1)}", method="HEAD", headers={"User-Agent": "x"})

    assert (reply.status, reply.body) == (302, "")
    click = Click.objects.get()
    assert (click.method, click.browser_headers) == ("HEAD", False)


def test_first_and_last_recipient_only(edge: EdgeClient, link: Link) -> None:
    statuses = [edge.request(f"/{encode(link.pk, no)}").status for no in (1, 100, 0, 101)]

    assert statuses == [302, 302, 404, 404]
    assert sorted(Click.objects.values_list("recipient_no", flat=True)) == [1, 100]


@pytest.mark.parametrize(
    "path",
    [
        "/0000000000",
        "/zzzzzzzzzz",
        "/abc",
        "/",
        "/favicon.ico",
        "/abcdefghi!",
        "/éabcdefghi",
        "/a/b",
    ],
)
def test_unknown_codes_get_a_friendly_page(edge: EdgeClient, link: Link, path: str) -> None:
    from urllib.parse import quote

    reply = edge.request(quote(path))

    assert reply.status == 404
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "This link leads nowhere" in reply.body
    assert not Click.objects.exists()


def test_codes_are_opened_not_posted(edge: EdgeClient, link: Link) -> None:
    reply = edge.request(f"/{encode(link.pk, 1)}", method="POST", body=b"")

    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
    assert not Click.objects.exists()


def test_a_new_link_works_at_once(edge: EdgeClient, account: Account, link: Link) -> None:
    edge.request(f"/{encode(link.pk, 1)}")

    (newer,) = links_create(
        account=account, batch_id=8, destinations=["http://example.org"], label="", recipients=1
    )

    assert edge.request(f"/{encode(newer.pk, 1)}").headers["location"] == "http://example.org"


def test_destinations_beyond_ascii_go_as_the_wire_wants_them(
    edge: EdgeClient, account: Account
) -> None:
    (link,) = links_create(
        account=account,
        batch_id=9,
        destinations=["https://müller.example/blüten?q=für"],
        label="",
        recipients=1,
    )

    reply = edge.request(f"/{encode(link.pk, 1)}")

    assert reply.headers["location"] == ("https://xn--mller-kva.example/bl%C3%BCten?q=f%C3%BCr")


def test_visitors_are_told_apart_by_a_hash_and_only_our_proxy_is_believed(
    own_edge: tuple[EdgeProcess, EdgeClient], link: Link
) -> None:
    process, client = own_edge
    process.start(TRUSTED_PROXY_COUNT="1")
    path = f"/{encode(link.pk, 1)}"

    for forwarded in ("9.9.9.9, 1.2.3.4", "8.8.8.8, 1.2.3.4", "1.2.3.4, 5.6.7.8"):
        client.request(path, headers={"X-Forwarded-For": forwarded})

    first, second, third = (bytes(c.ip_hash) for c in Click.objects.order_by("id"))
    assert first == second != third


def test_without_a_proxy_forwarded_addresses_are_ignored(edge: EdgeClient, link: Link) -> None:
    path = f"/{encode(link.pk, 1)}"

    edge.request(path, headers={"X-Forwarded-For": "1.2.3.4"})
    edge.request(path)

    first, second = (bytes(c.ip_hash) for c in Click.objects.all())
    assert first == second


def test_without_postgres_known_links_lead_on_and_hits_are_kept(
    own_edge: tuple[EdgeProcess, EdgeClient], account: Account, link: Link
) -> None:
    process, client = own_edge
    (unseen,) = links_create(
        account=account, batch_id=9, destinations=["http://example.org"], label="", recipients=5
    )
    with Gate() as gate:
        process.start(DATABASE_URL=gate.database_url)
        assert client.request(f"/{encode(link.pk, 1)}").status == 302

        gate.close()
        began = time.monotonic()
        away = [client.request(f"/{encode(link.pk, no)}").status for no in range(2, 12)]
        took_s = time.monotonic() - began
        not_known = client.request(f"/{encode(unseen.pk, 1)}")
        health = client.health()
        assert Click.objects.count() == 1

        gate.open()
        limit = time.monotonic() + 5
        while Click.objects.count() < 11:
            assert time.monotonic() < limit
            time.sleep(0.05)

    assert away == [302] * 10
    assert took_s < 2
    assert (not_known.status, not_known.headers["retry-after"]) == (503, "2")
    assert health["redirects"]["late"] == health["clicks"]["held"] == 10
    assert sorted(Click.objects.values_list("recipient_no", flat=True)) == list(range(1, 12))


def test_a_database_that_does_not_answer_delays_a_redirect_by_a_quarter_second_at_most(
    own_edge: tuple[EdgeProcess, EdgeClient], link: Link
) -> None:
    from django.db import connection, transaction

    process, client = own_edge
    process.start()
    path = f"/{encode(link.pk, 1)}"
    client.request(path)

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {Click._meta.db_table} IN EXCLUSIVE MODE")
        began = time.monotonic()
        statuses = [client.request(path).status for _ in range(5)]
        took_s = time.monotonic() - began

    assert statuses == [302] * 5
    assert took_s < 1.5
    limit = time.monotonic() + 5
    while Click.objects.count() < 6:
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_a_domain_serves_its_own_accounts_links_only(
    own_edge: tuple[EdgeProcess, EdgeClient],
    account: Account,
    other_account: Account,
    link: Link,
) -> None:
    process, client = own_edge
    LinkSettings.objects.create(account=account, domain="go.alice.example")
    LinkSettings.objects.create(account=other_account, domain="go.charlie.example")
    process.start()
    path = f"/{encode(link.pk, 1)}"

    statuses = {
        host: client.request(path, headers={"Host": host}).status
        for host in ("go.alice.example", "GO.alice.example:443", "nobodys.example")
    }
    refused = client.request(path, headers={"Host": "go.charlie.example"})

    assert set(statuses.values()) == {302}
    assert refused.status == 404
    assert Click.objects.count() == 3


def test_an_ended_link_leads_to_the_accounts_own_page_and_is_no_click(
    own_edge: tuple[EdgeProcess, EdgeClient], account: Account, link: Link
) -> None:
    process, client = own_edge
    process.start()
    (ended,) = links_create(
        account=account, batch_id=8, destinations=["https://example.org"], label="", recipients=9
    )
    for row, moment in ((link, now() + timedelta(days=1)), (ended, now())):
        row.expires_at = moment
        row.save(update_fields=["expires_at"])

    without_page = client.request(f"/{encode(ended.pk, 1)}")
    process.kill()
    LinkSettings.objects.create(account=account, fallback_url="https://example.com/over")
    process.start()
    with_page = client.request(f"/{encode(ended.pk, 1)}")
    living = client.request(f"/{encode(link.pk, 1)}")

    assert (without_page.status, "This link has ended" in without_page.body) == (410, True)
    assert (with_page.status, with_page.headers["location"]) == (302, "https://example.com/over")
    assert living.headers["location"] == link.destination
    assert Click.objects.get().link_id == link.pk
