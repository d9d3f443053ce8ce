"""The proof of one person's consent, as a file."""

import csv
import io
from datetime import UTC, datetime

import pytest
from django.test import Client

from accounts.models import Account, User
from contacts.choices import ConsentSource
from contacts.services import consent_grant, consent_revoke, contact_upsert

pytestmark = pytest.mark.django_db

ANN = "+13055550101"
MORNING = datetime(2026, 5, 5, 9, tzinfo=UTC)
NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)


def test_every_opt_in_and_opt_out_stands_in_it_and_no_formula_runs(
    shop: Account, other_shop: Account, alice: User, client: Client
) -> None:
    ann = contact_upsert(account=shop, actor=None, phone=ANN)
    consent_revoke(account=other_shop, phone=ANN, source=ConsentSource.KEYWORD, wording="QUIT")
    consent_grant(
        account=shop,
        phone=ANN,
        source=ConsentSource.MANUAL,
        wording="=SUM(A1)",
        actor=alice,
        at=MORNING,
    )
    consent_revoke(
        account=shop, phone=ANN, source=ConsentSource.KEYWORD, wording="STOP", message_id=7, at=NOON
    )
    client.force_login(alice)

    answer = client.get(f"/contacts/{ann.pk}/consent.csv")

    text = answer.getvalue().decode("utf-8-sig")
    heading, *rows = csv.reader(io.StringIO(text))
    assert heading[:2] == ["Number", "What"]
    assert rows == [
        [ANN, "Opt-out", "Texted a keyword", "STOP", "7", "", "", "", "2026-05-05T12:00:00+00:00"],
        [
            ANN,
            "Opt-in",
            "Entered by an account user",
            "'=SUM(A1)",
            "",
            "",
            "",
            "alice@shop.example",
            "2026-05-05T09:00:00+00:00",
        ],
    ]


def test_the_page_to_print_has_every_event_with_its_words_and_where_they_are_kept(
    shop: Account, alice: User, client: Client
) -> None:
    ann = contact_upsert(account=shop, actor=None, phone=ANN)
    consent_grant(
        account=shop,
        phone=ANN,
        source=ConsentSource.MANUAL,
        wording="Signed at the till",
        actor=alice,
        at=MORNING,
    )
    consent_revoke(
        account=shop, phone=ANN, source=ConsentSource.KEYWORD, wording="STOP", message_id=7, at=NOON
    )
    client.force_login(alice)

    shown = client.get(f"/contacts/{ann.pk}/consent/").content.decode()

    assert "Opted out since Tue 5 May 2026, 08:00 EDT (texted a keyword)." in shown
    assert shown.index("Message 7") < shown.index("Signed at the till")
    assert "Entered by an account user: Alice" in shown
    assert f'href="/contacts/{ann.pk}/consent.csv"' in shown
