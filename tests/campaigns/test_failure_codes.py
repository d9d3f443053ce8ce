"""Codes of the carrier behind a reason: each with its count, each opening the list it counts."""

import re

import pytest

from accounts.models import Account, User
from campaigns.models import Blast
from messaging.choices import BatchState
from messaging.models import Batch, BatchTally, Message
from tests.campaigns.conftest import Browse, words
from tests.campaigns.launched import finished, launched


@pytest.fixture
def blast(account: Account, alice: User, draft: Blast) -> Blast:
    return launched(account, alice, draft)


def failed_two_ways(blast: Blast) -> None:
    """Two landlines by two codes."""
    *_, filtered, _ = finished(blast)
    Message.objects.filter(pk=filtered.pk).update(reason="landline", carrier_code="21614")
    BatchTally.objects.filter(batch=blast.batch, reason="filtered").delete()
    BatchTally.objects.filter(batch=blast.batch, reason="landline").update(messages=2)


def test_each_code_of_a_reason_is_counted_and_opens_its_list(
    browse: Browse, alice: User, blast: Blast
) -> None:
    failed_two_ways(blast)
    client = browse(alice)
    told = "1 with code 21614: This number is not a mobile phone. 1 with code 30006."

    for path in (f"/blasts/{blast.pk}/", f"/campaigns/{blast.campaign_id}/", "/"):
        html = client.get(path).content.decode()

        assert told in words(html), path
        for query, codes in (
            ("reason=landline&amp;code=30006", ["Landline (30006)"]),
            ("reason=landline&amp;code=21614", ["Landline (21614)"]),
            ("reason=invalid_number&amp;code=none", ["Impossible number"]),
        ):
            [opens] = re.findall(rf'href="([^"]*show=failed&amp;{query}[^"]*)">1</a>', html)
            page = client.get(opens.replace("&amp;", "&")).content.decode()
            shown = re.findall(r'<span class="sub">((?:Landline|Impossible)[^<]*)', page)
            assert shown == codes, opens


def test_codes_of_a_large_blast_and_of_one_that_goes_out_are_named_and_not_counted(
    browse: Browse, alice: User, blast: Blast, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed_two_ways(blast)
    client = browse(alice)
    named = "Carrier’s codes 30006 , 21614 , 21635 ."
    report = f"/blasts/{blast.pk}/"
    assert named not in words(client.get(report).content.decode())

    Batch.objects.update(state=BatchState.RUNNING)
    running = client.get(report).content.decode()
    Batch.objects.update(state=BatchState.DONE)
    monkeypatch.setattr("messaging.selectors.counting.LOOKED_AT_MOST", 5)
    large = client.get(report).content.decode()

    for page in (running, large):
        assert named in words(page)
        assert "with code" not in words(page)
        assert page.count("show=failed&amp;reason=landline&amp;code=21635#people") == 1
