"""Links: made in order for a batch, and only to addresses that may be linked to."""

from typing import Any

import pytest

from accounts.models import Account
from tracking.errors import BadDestination
from tracking.models import Link
from tracking.services import destination_check, links_create


@pytest.fixture(autouse=True)
def _our_hosts(settings: Any) -> None:
    settings.LINK_URL = "https://go.shop.example"
    settings.EDGE_URL = "https://edge.shop.example:8443"
    settings.PUBLIC_URL = "http://localhost:8000"


@pytest.mark.django_db
def test_links_stand_in_the_order_of_the_text(
    account: Account, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        links = links_create(
            account=account,
            batch_id=7,
            destinations=["https://a.example/1", "https://b.example", "https://a.example/1"],
            label="x" * 200,
            recipients=10,
        )

    stored = Link.objects.order_by("ordinal")
    assert [link.pk for link in links] == [link.pk for link in stored]
    assert [(link.ordinal, link.destination) for link in stored] == [
        (0, "https://a.example/1"),
        (1, "https://b.example"),
        (2, "https://a.example/1"),
    ]
    first = stored[0]
    assert (first.account_id, first.batch_id, first.recipients) == (account.pk, 7, 10)
    assert first.label == "x" * 160


@pytest.mark.django_db
def test_one_bad_destination_makes_no_link_at_all(account: Account) -> None:
    with pytest.raises(BadDestination):
        links_create(
            account=account,
            batch_id=7,
            destinations=["https://a.example", "ftp://b.example"],
            label="",
            recipients=1,
        )

    assert not Link.objects.exists()


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/sale?a=1&b=%20#top",
        "HTTP://SHOP.EXAMPLE",
        "http://8.8.4.4/menu",
        "http://[2606:4700::1111]:8080/x",
        "https://müller.example/blüten",
        "https://other.shop.example",
        "https://a.example/" + "x" * 1900,
    ],
)
def test_addresses_that_may_be_linked_to(url: str) -> None:
    destination_check(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://shop.example", "must begin with https://"),
        ("javascript:alert(1)", "must begin with https://"),
        ("shop.example/sale", "must begin with https://"),
        ("https://", "is not a web address"),
        ("https://nodots/x", "is not a web address"),
        ("https://-a.example", "is not a web address"),
        ("https://a..example", "is not a web address"),
        ("https://a.example:99999", "is not a web address"),
        ("https://a.example/x y", "is not a web address"),
        ("https://a.example/x\r\nSet-Cookie: a=b", "is not a web address"),
        ("https://[::1", "is not a web address"),
        ("https://2130706433/x", "is not a web address"),
        ("https://127.1/x", "is not a web address"),
        ("https://a.0x7f/x", "is not a web address"),
        ("https://a.example\\@b.example", "is not a web address"),
        ("https://10.0.0.1/x", "not reachable from the internet"),
        ("https://169.254.169.254/latest", "not reachable from the internet"),
        ("https://[fd00::1]/x", "not reachable from the internet"),
        ("https://[::ffff:127.0.0.1]/x", "not reachable from the internet"),
        ("http://localhost:9999/demo", "not reachable from the internet"),
        ("http://printer.local/x", "not reachable from the internet"),
        ("https://user:secret@a.example", "user name or password"),
        ("https://go.shop.example/abcdefghij", "leads back to this platform"),
        ("http://GO.SHOP.EXAMPLE./x", "leads back to this platform"),
        ("https://edge.shop.example/webhooks", "leads back to this platform"),
        ("https://a.example/" + "x" * 2000, "too long"),
    ],
)
def test_addresses_that_may_not(url: str, says: str) -> None:
    with pytest.raises(BadDestination, match=says):
        destination_check(url)


def test_an_installation_tried_out_on_one_machine_may_link_to_it(settings: Any) -> None:
    settings.LINK_URL = "http://localhost:8001"

    destination_check("http://localhost:9999/demo")

    with pytest.raises(BadDestination, match="leads back to this platform"):
        destination_check("http://localhost:8000/settings")
